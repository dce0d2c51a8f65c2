"""Labels that are computed or learned beyond one row: the watch-time family."""

from label_platform.crafting.watch_time import (
    compile_watch_time,
    fit_watch_time,
    needs_watch_statistics,
)

__all__ = ["compile_watch_time", "fit_watch_time", "needs_watch_statistics"]
