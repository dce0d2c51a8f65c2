"""Which clicks are tested, and whose curves a finding concerns."""

from dataclasses import replace

from propensity_logs import log_statistics
from propensity_settings_table import Setting

from label_platform.logs.simulators.click_lists import ClickListSettings, simulate_click_lists
from label_platform.propensity import LogStatistics, model_findings
from label_platform.propensity_settings import PropensitySettings

GATES = PropensitySettings()
INVERSE = tuple(1 / k for k in range(1, 6))
SMALL = ClickListSettings(n_lists=6_000, n_queries=100, candidates=10, curves=(INVERSE,))


def of_devices(curves: tuple[tuple[float, ...], ...], seed: int = 1) -> LogStatistics:
    lists = replace(SMALL, curves=curves)
    shown = simulate_click_lists(lists, seed)
    return log_statistics(shown, Setting("small", lists), seed, with_lists=False)


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
