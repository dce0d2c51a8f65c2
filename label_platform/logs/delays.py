"""How long feedback takes after an impression, though part of it has not come yet.

The delays that were seen are too short: of two impressions of yesterday evening, the one whose
purchase takes a minute is seen to lead to one. So all impressions count (Kaplan and Meier 1958),
those without an event as "not until now", with S(t) the share without an event after t:

    S(t) = prod over event delays u <= t of (1 - events at u / impressions still followed at u)
    F(t) = (1 - S(t)) / (1 - S(W))

F is the distribution of the delays up to W, the longest time that enough impressions were followed
for. What comes later than W is not known; where it can be told that there is some, no window is
recommended and the percentiles are lower bounds.

Intervals: Greenwood's variance (1926). The increments of log S over disjoint spans of time are
independent, so that with a = S(t), q = S(W) / S(t) and their Greenwood sums G_a and G_q

    var F(t) = ((1 - q) a / (1 - aq)^2)^2 G_a + ((1 - a) aq / (1 - aq)^2)^2 G_q

A percentile's interval holds the delays t whose interval of logit F(t) holds the percentile
(Brookmeyer and Crowley 1982).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (50, 90, 99)
LADDER_S = (
    60,
    5 * 60,
    10 * 60,
    30 * 60,
    3600,
    3 * 3600,
    6 * 3600,
    12 * 3600,
    86400,
    2 * 86400,
    3 * 86400,
    7 * 86400,
    14 * 86400,
    30 * 86400,
)
"""The windows that are recommended: 1m 5m 10m 30m 1h 3h 6h 12h 1d 2d 3d 7d 14d 30d."""

COVERED = 0.99
"""The share of the delays that a recommended window holds."""

MIN_EVENTS = 100
"""With fewer, not one event is expected above the 99th percentile."""

FOLLOWED_SHARE = 0.05
"""W is the longest time that this share of the impressions was followed for: beyond it, each event
would stand for more than 20."""

_Z = 1.959964  # 95%, two sides
_ROUNDING = 1e-9
"""A share that falls short by no more than this is reached: 99 of 100 events are 99%."""

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class DelayCounts:
    """Impressions by what is known of their first event, in whole seconds.

    Attributes:
        delay_s: delays after which a first event came.
        events: impressions per delay.
        followed_s: how long impressions without an event were followed.
        waiting: impressions per such time.
    """

    delay_s: Counts
    events: Counts
    followed_s: Counts
    waiting: Counts


@dataclass(frozen=True)
class Percentile:
    """A percentile of the delays, in seconds, with its 95% interval.

    Attributes:
        percent: which one.
        delay_s: the estimate.
        low_s: the interval's lower end.
        high_s: its upper end.
    """

    percent: int
    delay_s: int
    low_s: int
    high_s: int


@dataclass(frozen=True)
class DelayEstimate:
    """What can be said of a signal's delays.

    Attributes:
        impressions: all that were followed.
        events: those with a first event up to ``followed_s``.
        followed_s: the W of the distribution; what is later is not known.
        percentiles: of the delays up to ``followed_s``; none where there are too few events.
        outside_window: share of the delays beyond the signal's window, of those up to
            ``followed_s``: a lower bound of the share of all. None where there are too few events.
        recommended_s: the smallest of ``LADDER_S`` that holds ``COVERED`` of the delays; None where
            that cannot be told.
        still_open: share of the impressions that have no event, and whose window is not over.
        refusal: why no window is recommended; the percentiles are lower bounds then.
    """

    impressions: int
    events: int
    followed_s: int
    percentiles: tuple[Percentile, ...]
    outside_window: float | None
    recommended_s: int | None
    still_open: float
    refusal: str = ""


def estimate_delays(counts: DelayCounts, window_s: int) -> DelayEstimate:
    """The distribution of a signal's delays, right-censoring undone.

    Args:
        counts: of all impressions.
        window_s: the signal's window.
    """
    seconds, events, at_risk, leaving = _by_second(counts)
    impressions = int(at_risk[0]) if len(at_risk) else 0
    if impressions == 0:
        return DelayEstimate(0, 0, 0, (), None, None, 0.0, "not identifiable: no impressions")
    followed_s = _longest_followed(seconds, events, at_risk, leaving)
    open_now = int(counts.waiting[counts.followed_s < window_s].sum())
    known = (seconds <= followed_s) & (events > 0)
    found = int(events[known].sum())
    still_open = open_now / impressions
    if found < MIN_EVENTS:
        refusal = (
            f"not identifiable: too few events: found {found:,} after {impressions:,} impressions, "
            f"expected at least {MIN_EVENTS}"
        )
        return DelayEstimate(impressions, found, followed_s, (), None, None, still_open, refusal)
    curve = _Curve.of(seconds[known], events[known], at_risk[known])
    recommended_s, refusal = _recommended(curve, followed_s)
    return DelayEstimate(
        impressions,
        found,
        followed_s,
        tuple(curve.percentile(percent) for percent in PERCENTILES),
        1 - curve.share_until(window_s),
        recommended_s,
        still_open,
        refusal,
    )


_ARRIVAL_STEPS = 1000


def arrival_curve(counts: DelayCounts, window_s: int) -> tuple[Counts, NDArray[np.float64]]:
    """The share of the feedback within a window that has come by an age.

    Args:
        counts: of all impressions.
        window_s: the signal's window: F(window_s) = 1.

    Returns:
        Ages in seconds at which the share rises, ascending, and the share from each on, at most
        1,000 of them; both empty without events.
    """
    seconds, events, at_risk, _leaving = _by_second(counts)
    known = (seconds <= window_s) & (events > 0)
    if not known.any():
        return np.zeros(0, np.int64), np.zeros(0)
    share = 1 - np.cumprod(1 - events[known] / at_risk[known])
    share /= share[-1]
    step = np.floor(share * _ARRIVAL_STEPS)
    kept = np.append(step[1:] != step[:-1], True)
    return seconds[known][kept], share[kept]


@dataclass(frozen=True)
class _Curve:
    """F at each event delay, with the ends of its interval."""

    delay_s: Counts
    share: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def of(cls, delay_s: Counts, events: Counts, at_risk: Counts) -> "_Curve":
        survivors = at_risk - events
        survival = np.cumprod(survivors / at_risk)
        # after an impression's last possible moment nothing can come: no variance either
        steps = np.where(survivors > 0, events / (at_risk * np.maximum(survivors, 1)), 0.0)
        until = np.cumsum(steps)
        after = until[-1] - until
        last = survival[-1]
        later = last / np.where(survival > 0, survival, 1.0)
        share = (1 - survival) / (1 - last)
        scale = (1 - last) ** 2
        variance = (survival * (1 - later) / scale) ** 2 * until + (
            last * (1 - survival) / scale
        ) ** 2 * after
        inner = share < 1
        logit = np.full(len(share), np.inf)
        half = np.zeros(len(share))
        spread = share[inner] * (1 - share[inner])
        logit[inner] = np.log(share[inner] / (1 - share[inner]))
        half[inner] = _Z * np.sqrt(variance[inner]) / spread
        return cls(delay_s, share, _expit(logit - half), _expit(logit + half))

    def share_until(self, seconds: float) -> float:
        """F at a delay."""
        place = int(np.searchsorted(self.delay_s, seconds, side="right"))
        return float(self.share[place - 1]) if place else 0.0

    def percentile(self, percent: int) -> Percentile:
        """The delay up to which a percentage of the delays lie."""
        at, low, high = (
            int(self.delay_s[np.argmax(np.maximum.accumulate(line) >= percent / 100 - _ROUNDING)])
            for line in (self.share, self.high, self.low)
        )
        return Percentile(percent, at, low, high)


def _recommended(curve: _Curve, followed_s: int) -> tuple[int | None, str]:
    """The window that holds enough of the delays, or why it cannot be told."""
    late = 1 - curve.share_until(followed_s / 2)
    if late > 1 - COVERED + _ROUNDING:
        return None, (
            "not identifiable: the log, or the longest window, is too short: impressions were "
            f"followed for {followed_s / 86400:.2g} d, and {late:.1%} of the events until then "
            f"come in the second half of that time (expected at most {1 - COVERED:.0%}), so that "
            "more come after it"
        )
    for window_s in LADDER_S:
        if curve.share_until(window_s) >= COVERED - _ROUNDING:
            return window_s, ""
    return None, f"more than {1 - COVERED:.0%} of the events take over {LADDER_S[-1] // 86400} d"


def _by_second(counts: DelayCounts) -> tuple[Counts, Counts, Counts, Counts]:
    """Distinct seconds, and per second events, impressions still followed, and those that leave."""
    both = np.concatenate([counts.delay_s, counts.followed_s])
    seconds, place = np.unique(both, return_inverse=True)
    split = len(counts.delay_s)
    events = np.zeros(len(seconds), np.int64)
    leaving = np.zeros(len(seconds), np.int64)
    np.add.at(events, place[:split], counts.events)
    np.add.at(leaving, place[split:], counts.waiting)
    gone = np.cumsum(events + leaving)
    at_risk = gone[-1] - gone + events + leaving if len(gone) else gone
    return seconds, events, at_risk, leaving


def _longest_followed(seconds: Counts, events: Counts, at_risk: Counts, leaving: Counts) -> int:
    """The longest time that enough impressions were followed for, had no event ended it earlier.

    It is the same estimate with the roles changed: leaving is the event, and events hide it.
    """
    staying = np.cumprod(1 - leaving / np.maximum(at_risk - events, 1))
    # those who leave at a second were followed until then
    until = np.concatenate([[1.0], staying[:-1]])
    return int(seconds[np.flatnonzero(until >= FOLLOWED_SHARE)[-1]])


def _expit(value: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.exp(-np.logaddexp(0.0, -value))
