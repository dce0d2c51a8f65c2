"""Which clicks are tested, and whose curves a finding concerns."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from propensity_logs import log_statistics
from propensity_settings_table import Setting
from scipy.special import chdtrc, chdtri
from scipy.stats import ncx2

from label_platform.logs.simulators.click_lists import ClickListSettings, simulate_click_lists
from label_platform.propensity import LogStatistics, Verdict, model_findings
from label_platform.propensity.estimators.pbm import pbm_propensities
from label_platform.propensity.findings import Finding, flagged
from label_platform.propensity.gates.chi_square import MisfitTest
from label_platform.propensity.gates.drift import drift_test, joint_drift
from label_platform.propensity_settings import PropensitySettings

GATES = PropensitySettings()
INVERSE = tuple(1 / k for k in range(1, 6))
SMALL = ClickListSettings(n_lists=6_000, n_queries=100, candidates=10, curves=(INVERSE,))


def of_devices(curves: tuple[tuple[float, ...], ...], n_lists: int = 6_000) -> LogStatistics:
    lists = replace(SMALL, curves=curves, n_lists=n_lists)
    shown = simulate_click_lists(lists, seed=1)
    return log_statistics(shown, Setting("small", lists), seed=1, with_lists=False)


def test_a_context_without_any_known_value_is_tested_as_one_log() -> None:
    statistics = of_devices((INVERSE,))
    without = {
        name: getattr(statistics, name).assign(device=None)
        for name in ("counts", "cells", "cells_by_day", "swapped")
    }
    unknown = replace(statistics, context=("device",), **without)
    findings = model_findings(unknown, list(unknown.strata()), GATES)
    assert [each.test.name for each in findings] == ["trust", "cascade", "outliers", "drift"]
    assert {each.key for each in findings} == {None}


def with_devices(statistics: LogStatistics, first: str | None, others: str | None) -> LogStatistics:
    """The same log, the rarest of its hundred queries on the first device."""
    relabelled = {
        name: table.assign(device=[first if query == 99 else others for query in table["query"]])
        for name in ("cells", "cells_by_day", "swapped")
        for table in [getattr(statistics, name)]
    }
    relabelled["counts"] = pd.concat(
        [statistics.counts.assign(device=device) for device in (first, others)]
    )
    return replace(statistics, context=("device",), **relabelled)


def curves_of(*devices: str) -> pd.DataFrame:
    """Position 1 of each device's curve, and of the pooled one."""
    names = pd.Series([*devices, None], dtype=object)
    return pd.DataFrame({"device": names, "position": 1, "verdict": "ok", "reason": "fine"})


def verdicts_of(table: pd.DataFrame) -> dict[str, str]:
    return dict(zip(table["device"].fillna("pooled"), table["verdict"], strict=True))


def test_a_context_of_few_lists_does_not_make_the_rest_untested() -> None:
    log = with_devices(of_devices((INVERSE,), n_lists=60_000), "tv", "web")
    findings = model_findings(log, list(log.strata()), GATES)
    untested = [each for each in findings if each.verdict is Verdict.UNTESTED]
    assert [(each.context, each.test.name) for each in untested] == [("device = tv", "trust")]
    assert 0 < untested[0].share < 0.05
    table = flagged(curves_of("tv", "web"), "pbm", ["device"], findings)
    assert verdicts_of(table) == {"tv": "untested", "web": "ok", "pooled": "ok"}
    assert "tv: trust in high positions could not be ruled out" in table["reason"].iloc[0]
    assert table["reason"].iloc[-1] == "fine"


def test_a_log_of_random_lists_alone_is_untested() -> None:
    log = of_devices((INVERSE,))
    nothing = {name: getattr(log, name).iloc[:0] for name in ("cells", "cells_by_day", "swapped")}
    for context in ((), ("device",)):
        shown = replace(log, context=context, **nothing)
        findings = model_findings(shown, list(shown.strata()), GATES)
        table = flagged(curves_of("0"), "randomized", context, findings)
        assert verdicts_of(table)["pooled"] == "untested"


def test_of_many_untested_contexts_the_reason_names_three() -> None:
    power = MisfitTest("trust", 0.0, 0, 1.0, 0.0, "")
    findings = [
        Finding(f"device = {name}", (name,), power, Verdict.UNTESTED, 0.1) for name in "abcde"
    ]
    table = flagged(curves_of(*"abcde"), "pbm", ["device"], findings)
    assert set(table["verdict"]) == {"untested"}
    reason = table["reason"].iloc[-1]
    assert reason.count("could not be ruled out") == 3
    assert reason.endswith("; and so of 2 more contexts")


def test_what_no_device_is_known_of_is_tested_too() -> None:
    log = with_devices(of_devices((INVERSE,), n_lists=20_000), "web", None)
    findings = model_findings(log, list(log.strata()), GATES)
    assert {each.context: each.key for each in findings if each.test.name == "trust"} == {
        "device = web": ("web",),
        "device = not known": (None,),
    }
    unknown = next(each for each in findings if each.key == (None,) and each.test.name == "trust")
    assert 0.95 < unknown.share < 1
    fires = replace(unknown, verdict=Verdict.MISFIT)
    table = flagged(curves_of("web"), "pbm", ["device"], [fires])
    assert verdicts_of(table) == {"web": "ok", "pooled": "misfit"}


def test_outliers_are_those_that_its_sentence_counts() -> None:
    log = of_devices((INVERSE,))
    rows = [(item % 30, item, k, 100, 20 // k) for item in range(100) for k in (1, 2)]
    found = []
    for clicks in range(20, 60, 2):
        odd = [(0, 100, 1, 200, 2), (0, 100, 2, 200, clicks)]
        names = ["query", "item", "position", "impressions", "clicks"]
        cells = pd.DataFrame(rows + odd, columns=names).assign(
            impressions_below_click=0, clicks_below_click=0
        )
        shown = replace(log, context=(), cells=cells, cells_by_day=log.cells_by_day.iloc[:0])
        tests = model_findings(shown, list(shown.strata()), GATES)
        outliers = next(each for each in tests if each.test.name == "outliers")
        fires = outliers.verdict is Verdict.MISFIT
        assert fires is not outliers.sentence.startswith("none of")
        found.append((outliers.test.p_value, fires))
    assert any(1e-6 <= p_value < GATES.misfit_significance for p_value, _ in found)
    assert any(fires for _, fires in found)


def each_drift(statistics: LogStatistics) -> list[MisfitTest]:
    """The test of each context on its own."""
    return [
        drift_test(stratum.days, pbm_propensities(stratum.cells.of_several_positions()), 0.001)
        for stratum in list(statistics.strata())[:-1]
    ]


def steeper_later(statistics: LogStatistics, lost: float) -> LogStatistics:
    """The same log, with a share of the last two days' clicks below position 1 lost."""
    cells = statistics.cells_by_day.copy()
    late = (cells["day"] >= "3") & (cells["position"] > 1)
    kept = np.random.default_rng(7).binomial(cells["clicks"], 1 - lost)
    return replace(
        statistics, cells_by_day=cells.assign(clicks=np.where(late, kept, cells["clicks"]))
    )


def test_drift_of_several_contexts_is_one_test() -> None:
    statistics = of_devices((INVERSE,) * 4)
    found = [
        each
        for each in model_findings(statistics, list(statistics.strata()), GATES)
        if each.test.name == "drift"
    ]
    assert [each.key for each in found] == [None]
    alone = each_drift(statistics)
    joint = found[0].test
    assert len(alone) == 4
    assert joint.statistic == pytest.approx(sum(each.statistic for each in alone))
    assert joint.degrees_of_freedom == sum(each.degrees_of_freedom for each in alone)
    assert found[0].verdict is Verdict.OK
    assert f"found at least {joint.power:.0%} of times" in joint.sentence


def test_a_drift_too_small_for_each_context_is_found_in_all_and_flags_each_curve() -> None:
    statistics = steeper_later(of_devices((INVERSE,) * 4, n_lists=24_000), 0.4)
    assert min(each.p_value for each in each_drift(statistics)) > GATES.drift_significance
    drift = model_findings(statistics, list(statistics.strata()), GATES)[-1]
    assert drift.verdict is Verdict.DRIFT
    assert "most clearly that of device" in drift.sentence
    table = pd.DataFrame(
        {"device": ["0", "1", None], "position": 1, "verdict": "ok", "reason": "narrow"}
    )
    assert flagged(table, "pbm", ["device"], [drift])["verdict"].tolist() == ["drift"] * 3


def test_power_of_equal_contexts_is_that_of_their_summed_noncentrality() -> None:
    # noncentrality 10 with 4 degrees of freedom each
    critical = chdtri(4, 0.001)
    alone = MisfitTest("drift", 3.0, 4, 0.56, float(ncx2.sf(critical, 4, 10)), "")
    joint = joint_drift(
        {"tv": alone, "pc": alone, "none": replace(alone, degrees_of_freedom=0)}, 0.001
    )
    assert joint.power == pytest.approx(float(ncx2.sf(chdtri(8, 0.001), 8, 20)), rel=1e-6)
    assert joint.p_value == pytest.approx(float(chdtrc(8, 6.0)))
