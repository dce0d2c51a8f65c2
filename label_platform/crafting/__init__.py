"""Labels that are computed or learned beyond one row: the watch-time family, priors, health."""

from label_platform.crafting.empirical_bayes import EmpiricalBayes, fit_empirical_bayes
from label_platform.crafting.health_limits import LIMITS, health_warnings
from label_platform.crafting.label_drift import DAYS_NEEDED, LabelDrift, label_drift
from label_platform.crafting.label_health import (
    HealthInputs,
    LabelHealth,
    measure_label_health,
)
from label_platform.crafting.watch_time import (
    STATISTICS_LAYOUT,
    compile_watch_time,
    fit_watch_time,
    needs_watch_statistics,
)

__all__ = [
    "DAYS_NEEDED",
    "LIMITS",
    "STATISTICS_LAYOUT",
    "EmpiricalBayes",
    "HealthInputs",
    "LabelDrift",
    "LabelHealth",
    "compile_watch_time",
    "fit_empirical_bayes",
    "fit_watch_time",
    "health_warnings",
    "label_drift",
    "measure_label_health",
    "needs_watch_statistics",
]
