"""impression_signals + matched_interactions -> how late the feedback of each signal comes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from label_platform.lake import MissingPartitionError
from label_platform.logs.delay_counts import DelayTables, arrival_lags, count_delays
from label_platform.logs.delays import Counts, DelayEstimate, arrival_curve, estimate_delays
from label_platform.pipeline.as_of import end_of
from label_platform.pipeline.context import Context
from label_platform.strict_yaml import ConfigurationError


@dataclass(frozen=True)
class SignalDelays:
    """How late one signal comes.

    Attributes:
        signal: its name.
        window_s: its window in the problem file.
        delays: from the impression to the first event.
        arrival_lag_s: from an event to its ingestion: the 50th, 90th and 99th percentile; empty
            where there are no events.
    """

    signal: str
    window_s: int
    delays: DelayEstimate
    arrival_lag_s: tuple[float, ...]

    def as_json(self) -> dict[str, Any]:
        """The figures for programs."""
        return asdict(self)


def feedback_delays(context: Context) -> list[SignalDelays]:
    """The delays of every signal of a problem, in the order of the problem file.

    Raises:
        ConfigurationError: events were not attributed yet.
    """
    problem = context.problem
    try:
        tables = _delay_tables(context)
    except MissingPartitionError as error:
        raise ConfigurationError(
            f"problem {problem.name}: {error}; `label-platform labels` attributes events to "
            "impressions"
        ) from error
    counts = count_delays(context.engine, tables, problem.signals)
    lags = arrival_lags(context.engine, tables.matched)
    windows = {name: int(each.window.total_seconds()) for name, each in problem.signals.items()}
    return [
        SignalDelays(name, window_s, estimate_delays(counts[name], window_s), lags.get(name, ()))
        for name, window_s in windows.items()
    ]


def arrival_curves(
    context: Context, signals: Sequence[str]
) -> dict[str, tuple[Counts, NDArray[np.float64]]]:
    """By signal, the ages in seconds at which more of its feedback has come, and how much then.

    Args:
        context: with events attributed to impressions on all days.
        signals: of the problem.
    """
    counts = count_delays(context.engine, _delay_tables(context), signals)
    windows = {name: context.problem.signals[name].window for name in signals}
    return {
        name: arrival_curve(counts[name], int(windows[name].total_seconds())) for name in signals
    }


def _delay_tables(context: Context) -> DelayTables:
    problem, days = context.problem, context.log_days
    # returns come later, but they are not counted here
    reach = problem.longest_window + problem.attribution.clock_skew
    return DelayTables(
        context.lake.scan("matched_interactions", context.event_days),
        context.lake.scan("impression_signals", days),
        end_of(days[-1]),
        ceil(reach / timedelta(days=1)),
    )
