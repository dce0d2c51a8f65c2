"""Which estimate is the answer, and what is said of the others."""

import numpy as np
import pandas as pd
import pytest

from label_platform.propensity import Verdict, choose
from label_platform.propensity.curve import lay_out
from label_platform.propensity_settings import PropensitySettings

SETTINGS = PropensitySettings()


def curve(
    estimator: str,
    propensity: tuple[float, ...],
    log_error: float,
    verdict: str = "ok",
    device: str | None = None,
) -> pd.DataFrame:
    values = np.array(propensity)
    half = np.exp(1.96 * log_error * (np.arange(len(values)) > 0))
    table = pd.DataFrame(
        {
            "estimator": estimator,
            "device": device,
            "position": range(1, len(values) + 1),
            "propensity": values,
            "ci_low": values / half,
            "ci_high": values * half,
            "impressions": 1000,
            "clicks": 100,
            "first_day": None,
            "last_day": None,
            "verdict": verdict,
            "reason": "",
        }
    )
    return lay_out(table, ["device"])


def test_two_that_agree_are_combined_by_precision() -> None:
    tables = {
        "randomized": curve("randomized", (1, 0.5), 0.2),
        "pbm": curve("pbm", (1, 0.55), 0.1),
    }
    choice = choose(tables, ["device"], SETTINGS)
    assert choice.estimator == "combined"
    assert choice.table is not None
    second = choice.table.iloc[1]
    # precisions 1 / .2^2 = 25 and 1 / .1^2 = 100
    log_theta = (25 * np.log(0.5) + 100 * np.log(0.55)) / (25 + 100)
    error = 1 / np.sqrt(25 + 100)
    assert second["propensity"] == pytest.approx(np.exp(log_theta), abs=1e-5)
    assert second["ci_high"] == pytest.approx(np.exp(log_theta + 1.96 * error), abs=1e-5)
    assert second["clicks"] == 100 + 100
    assert choice.table["propensity"].iloc[0] == 1


def test_intervals_that_were_wide_may_be_narrow_together() -> None:
    error = 1.1 * np.log(1.5) / (2 * 1.96)
    tables = {name: curve(name, (1, 0.5), error, verdict="wide") for name in ("randomized", "pbm")}
    choice = choose(tables, ["device"], SETTINGS)
    assert choice.table is not None
    assert choice.table["verdict"].tolist() == ["ok", "ok"]


def test_two_that_disagree_leave_the_one_that_assumes_less() -> None:
    tables = {
        "randomized": curve("randomized", (1, 0.3), 0.1),
        "pbm": curve("pbm", (1, 0.6), 0.05),
    }
    choice = choose(tables, ["device"], SETTINGS)
    assert choice.estimator == "randomized"
    assert choice.gap is not None
    # |log(.3 / .6)| = .693 is 6.2 standard errors of sqrt(.1^2 + .05^2) = .112
    assert choice.gap.p_value < 1e-8
    assert "position 2: 0.3 and 0.6" in choice.why


def test_a_few_clicks_on_random_lists_do_not_beat_a_precise_harvest() -> None:
    refused = Verdict.INSUFFICIENT_INTERVENTIONS.value
    tables = {
        "randomized": curve("randomized", (1, 1.1), 0.6, verdict=refused),
        "pbm": curve("pbm", (1, 0.6), 0.03),
    }
    choice = choose(tables, ["device"], SETTINGS)
    assert choice.estimator == "pbm"
    assert "refused: randomized" in choice.why


def test_contexts_of_one_side_only_keep_their_curve() -> None:
    tables = {
        "randomized": curve("randomized", (1, 0.5), 0.1),
        "pbm": pd.concat(
            [curve("pbm", (1, 0.4), 0.1, device="mobile"), curve("pbm", (1, 0.5), 0.1)]
        ),
    }
    choice = choose(tables, ["device"], SETTINGS)
    assert choice.table is not None
    mobile = choice.table[choice.table["device"] == "mobile"]
    assert mobile["propensity"].tolist() == [1, 0.4]
    assert mobile["reason"].iloc[0].startswith("device = mobile: 200 clicks on 2,000 impressions")


def of_devices(
    name: str, desktop: float, mobile: float | None, pooled: float, log_error: float = 0.03
) -> pd.DataFrame:
    """A curve of two positions for each device that has one, and over all."""
    devices = {"desktop": desktop, "mobile": mobile, None: pooled}
    curves = [
        curve(name, (1, second), log_error, device=device)
        for device, second in devices.items()
        if second is not None
    ]
    return pd.concat(curves, ignore_index=True)


def second_positions(table: pd.DataFrame) -> dict[str, float]:
    rows = table[table["position"] == 2]
    return dict(zip(rows["device"].fillna("all"), rows["propensity"], strict=True))


def test_mixes_of_devices_that_differ_are_no_disagreement() -> None:
    # random lists are mostly desktop's; all lists are half and half
    tables = {
        "randomized": of_devices("randomized", 0.8, 0.2, 0.7),
        "pbm": of_devices("pbm", 0.8, 0.2, 0.5),
    }
    choice = choose(tables, ["device"], SETTINGS)
    assert choice.gap is None
    assert choice.table is not None
    assert second_positions(choice.table) == {"desktop": 0.8, "mobile": 0.2, "all": 0.5}


def test_a_device_without_random_lists_takes_the_harvest() -> None:
    tables = {
        "randomized": of_devices("randomized", 0.8, None, 0.8),
        "pbm": of_devices("pbm", 0.8, 0.2, 0.5),
    }
    choice = choose(tables, ["device"], SETTINGS)
    assert choice.gap is None
    assert choice.table is not None
    assert second_positions(choice.table) == {"desktop": 0.8, "mobile": 0.2, "all": 0.5}


def test_it_takes_the_harvest_also_where_other_devices_disagree() -> None:
    tables = {
        "randomized": of_devices("randomized", 0.8, None, 0.8),
        "pbm": of_devices("pbm", 0.5, 0.2, 0.4),
    }
    choice = choose(tables, ["device"], SETTINGS)
    assert choice.gap is not None
    assert choice.gap.sentence == "position 2: 0.8 and 0.5"
    assert choice.table is not None
    assert set(choice.table["estimator"]) == {choice.estimator} == {"combined"}
    assert second_positions(choice.table) == {"desktop": 0.8, "mobile": 0.2, "all": 0.8}
    assert "but pbm for device = mobile, where it has none" in choice.why
    reasons = choice.table[choice.table["position"] == 1]["reason"]
    assert reasons.str.startswith("device = mobile: 200 clicks on 2,000 impressions").any()


def test_swaps_that_are_narrower_leave_other_devices_to_the_harvest() -> None:
    tables = {
        "swap": of_devices("swap", 0.8, None, 0.8, log_error=0.02),
        "pbm": of_devices("pbm", 0.8, 0.2, 0.5),
    }
    choice = choose(tables, ["device"], SETTINGS)
    assert choice.table is not None
    assert second_positions(choice.table)["mobile"] == 0.2
    assert "swap is narrower" in choice.why


def test_the_problem_may_name_one_and_refusals_are_shown_as_such() -> None:
    tables = {name: curve(name, (1, 0.5), 0.1) for name in ("randomized", "pbm")}
    named = PropensitySettings(estimator="pbm")
    assert choose(tables, ["device"], named).estimator == "pbm"
    refused = {
        name: rows.assign(verdict=Verdict.NOT_IDENTIFIED.value) for name, rows in tables.items()
    }
    refused["pbm"] = refused["pbm"].assign(reason="too few changes of rank")
    why = choose(refused, ["device"], SETTINGS).why
    assert why == "every estimate was refused (pbm: too few changes of rank)"
    with pytest.raises(ValueError, match="no estimator was run"):
        choose({}, ["device"], SETTINGS)


def test_of_two_made_by_chance_the_one_that_says_more_is_the_answer() -> None:
    wide = curve("randomized", (1, 0.55), 0.4, verdict="wide")
    choice = choose(
        {"randomized": wide, "swap": curve("swap", (1, 0.5), 0.01)}, ["device"], SETTINGS
    )
    assert choice.estimator == "swap"


def test_what_answers_any_log_is_taken_by_name_only() -> None:
    refused = Verdict.INSUFFICIENT_INTERVENTIONS.value
    tables = {
        "pbm": curve("pbm", (1, 0.5), 0.1, verdict=refused).assign(reason="each has one rank"),
        "cascade": curve("cascade", (1, 0.3), 0.01, verdict="untested"),
        "dbn": curve("dbn", (1, 0.2), 0.01, verdict="untested"),
    }
    choice = choose(tables, ["device"], SETTINGS)
    assert choice.estimator == "pbm"
    assert choice.why == (
        "neither lists made by chance nor changes of rank support an estimate; dbn, cascade assume "
        "more, and are taken only where the problem's propensity.estimator or a policy names one"
    )
    measured = tables | {"viewport": curve("viewport", (1, 0.6), 0.01, verdict="untested")}
    assert choose(measured, ["device"], SETTINGS).estimator == "viewport"
    alone = {name: tables[name] for name in ("cascade", "dbn")}
    assert choose(alone, ["device"], SETTINGS).estimator == "dbn"


def test_an_estimate_that_stops_short_is_taken_only_alone() -> None:
    short = {"pbm_em_pyclick": curve("pbm_em_pyclick", (1, 0.5), 0.01, verdict="untested")}
    refused = curve("pbm", (1, 0.5), 0.1, verdict="insufficient_interventions")
    beside = choose(short | {"pbm": refused}, ["device"], SETTINGS)
    assert beside.estimator == "pbm"
    assert "; pbm_em_pyclick assume more, and are taken only where" in beside.why
    alone = choose(short, ["device"], SETTINGS)
    assert alone.estimator == "pbm_em_pyclick"
    assert alone.why == "no estimator that assumes less was run"


def test_where_wide_is_refused_what_was_on_screen_comes_before_it() -> None:
    strict = PropensitySettings(refuse_wide=True, max_interval_ratio=1.5)
    tables = {
        "randomized": curve("randomized", (1, 0.5), 0.4, verdict="wide"),
        "viewport": curve("viewport", (1, 0.6), 0.01),
    }
    assert choose(tables, ["device"], SETTINGS).estimator == "randomized"
    choice = choose(tables, ["device"], strict)
    assert (choice.estimator, choice.why) == (
        "viewport",
        "it was logged what was on screen; randomized is too wide",
    )


def test_a_flag_of_either_part_stays_with_the_combination() -> None:
    tables = {
        "randomized": curve("randomized", (1, 0.5), 0.1),
        "pbm": curve("pbm", (1, 0.5), 0.1, verdict="disagreement"),
    }
    table = choose(tables, ["device"], SETTINGS).table
    assert table is not None
    assert table["verdict"].tolist() == ["disagreement"] * 2


def test_an_interval_without_a_lower_end_says_nothing() -> None:
    unbounded = curve("pbm", (1, 0.4, 0.3), 0.1, device="mobile")
    unbounded.loc[2, "ci_low"] = 0.0  # as written with six digits
    tables = {
        "randomized": curve("randomized", (1, 0.5, 0.3), 0.1),
        "pbm": pd.concat([unbounded, curve("pbm", (1, 0.5, 0.3), 0.1)]),
    }
    choice = choose(tables, ["device"], SETTINGS)
    assert choice.table is not None
    mobile = choice.table[choice.table["device"] == "mobile"]
    assert mobile["position"].tolist() == [1, 2]
