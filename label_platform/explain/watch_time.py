"""Labels made of how long a video was watched, computed from their definitions.

With w the seconds watched (0 to 10^7) and D the duration in seconds:

    wt    w / unit_s
    pc    1 where w >= D, else 0
    pcr   min(w/D, 1)
    d2q   the percentile of w in the bin of D, on a line between the percentiles that are kept
    dvr   the normal distribution function of (w - mean)/sd of the bin, of 0 where sd = 0
    d2co  expm1(a (w' - q)) / expm1(a (p - q)) within [0, 1], w' = min(w, D), a = 0.3 per second,
          with q and p (at most D) on lines between those that are kept by duration

D belongs to the first bin whose longest duration is D or more, else to the last.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from math import exp, expm1
from statistics import NormalDist
from typing import Any

from label_platform.explain.evidence import Shown
from label_platform.explain.steps import Number, Steps
from label_platform.policy.label_spec import WatchTime

_MOST_S = 1e7
_SHARPNESS_PER_S = 0.3
_FAR = 300.0
"""An exponent from which on 1 beside the exponential does not show."""
Points = list[tuple[float, float]]


class WatchStatistics:
    """What was fitted of watch times on other days.

    Args:
        rows: of ``label_statistics``.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._points: dict[tuple[str, int | None], Points] = defaultdict(list)
        for row in rows:
            point = (float(row["at"]), float(row["value"]))
            self._points[row["statistic"], row["bucket"]].append(point)
            self._points[row["statistic"], None].append(point)
        for points in self._points.values():
            points.sort()

    @cached_property
    def _longest(self) -> list[float]:
        return [at for at, _impressions in self._points["duration_bin", None]]

    def bin_of(self, duration_s: float) -> int:
        """The number of a duration's bin."""
        return min(bisect_left(self._longest, duration_s), len(self._longest) - 1)

    def of_bin(self, statistic: str, bucket: int) -> float:
        """The only value that a bin has."""
        ((_at, value),) = self._points[statistic, bucket]
        return value

    def on_line(self, statistic: str, at: float, bucket: int | None = None) -> float:
        """The value at a point, on the line between the nearest points that are kept."""
        return _on_line(self._points[statistic, bucket], at)


def watched(
    spec: WatchTime, shown: Shown, watch_s: float, fitted: WatchStatistics, steps: Steps
) -> float | None:
    """The label of an impression; None where its duration is not known or not above 0.

    Args:
        spec: the policy's block.
        shown: the impression, with its duration's column.
        watch_s: w.
        fitted: on other days; not needed by wt, pc and pcr.
        steps: get the arithmetic.
    """
    given = shown.columns.get(spec.duration)
    duration_s = float(given) / (1000 if spec.duration_unit == "ms" else 1) if given else 0.0
    seconds = min(max(watch_s, 0.0), _MOST_S)
    numbers: dict[str, Number] = {"w": seconds, "D": duration_s}
    if not 0 < duration_s <= _MOST_S:
        steps.add("duration", f"{spec.duration} in s", numbers, 0.0, "no duration, no label")
        return None
    if spec.label in {"d2q", "dvr", "d2co"}:
        return _among_like(spec, seconds, duration_s, fitted, steps)
    if spec.label == "wt":
        numbers["unit_s"] = spec.unit_s
        return steps.add("label", "w / unit_s", numbers, seconds / spec.unit_s)
    if spec.label == "pc":
        return steps.add("label", "1 if w >= D, else 0", numbers, float(seconds >= duration_s))
    return steps.add("label", "min(w/D, 1)", numbers, min(seconds / duration_s, 1.0))


def _among_like(
    spec: WatchTime, seconds: float, duration_s: float, fitted: WatchStatistics, steps: Steps
) -> float:
    """The labels that compare with videos of like duration."""
    if spec.label == "d2co":
        return _mixture(seconds, duration_s, fitted, steps)
    bucket = fitted.bin_of(duration_s)
    numbers: dict[str, Number] = {"w": seconds, "D": duration_s, "bin": bucket}
    if spec.label == "d2q":
        label = fitted.on_line("watch_percentile", seconds, bucket)
        return steps.add("label", "the percentile of w in the bin of D", numbers, label)
    mean, deviation = (fitted.of_bin(name, bucket) for name in ("watch_mean", "watch_sd"))
    z = (seconds - mean) / deviation if deviation else 0.0
    numbers |= {"mean": mean, "sd": deviation}
    steps.add("z", "(w - mean) / sd of the bin", numbers, z)
    return steps.add(
        "label", "the normal distribution function of z", {"z": z}, NormalDist().cdf(z)
    )


def _mixture(seconds: float, duration_s: float, fitted: WatchStatistics, steps: Steps) -> float:
    seen = min(seconds, duration_s)
    skipped = fitted.on_line("skipped_mean", duration_s)
    full = min(fitted.on_line("watched_mean", duration_s), duration_s)
    if seen == 0:
        label = 0.0
    elif seen >= full:
        label = 1.0
    elif seen <= skipped:
        label = 0.0
    else:
        label = _ratio(_SHARPNESS_PER_S * (seen - skipped), _SHARPNESS_PER_S * (full - skipped))
    numbers = {"w'": seen, "q": skipped, "p": full, "a": _SHARPNESS_PER_S}
    formula = "expm1(a (w' - q)) / expm1(a (p - q)); 0 up to q, 1 from p on"
    return steps.add("label", formula, numbers, label)


def _ratio(part: float, whole: float) -> float:
    """The ratio expm1(part) / expm1(whole), of long videos without overflow."""
    if whole < _FAR:
        return expm1(part) / expm1(whole)
    return exp(part - whole)


def _on_line(points: Sequence[tuple[float, float]], at: float) -> float:
    place = bisect_right(points, (at, float("inf")))
    if place == 0:
        return points[0][1]
    if place == len(points):
        return points[-1][1]
    (low, low_value), (high, high_value) = points[place - 1], points[place]
    return low_value + (high_value - low_value) * (at - low) / (high - low)
