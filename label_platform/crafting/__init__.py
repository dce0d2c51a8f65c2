"""Labels that are computed or learned beyond one row: the watch-time family, priors."""

from label_platform.crafting.empirical_bayes import EmpiricalBayes, fit_empirical_bayes
from label_platform.crafting.watch_time import (
    compile_watch_time,
    fit_watch_time,
    needs_watch_statistics,
)

__all__ = [
    "EmpiricalBayes",
    "compile_watch_time",
    "fit_empirical_bayes",
    "fit_watch_time",
    "needs_watch_statistics",
]
