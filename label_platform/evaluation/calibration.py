"""Whether predictions are true in size: for pointwise rankers, whose scores predict a label.

With predictions p, outcomes y and weights w (1 where none are given; W their sum):

    squared error = sum w (y - p)^2 / W; the Brier score (1950) where y is 0 or 1
    log loss      = -sum w (y log p + (1 - y) log(1 - p)) / W
    ECE           = sum over bins of w_bin/W |mean y - mean p|, the bins of equal mass in p
    ECE by chance = what exact predictions would have: sum over bins of w_bin/W sqrt(2/pi) se_bin,
                    se_bin the standard error of mean(y - p) in the bin
    linear        y = a + b p, by weighted least squares; exact predictions have a = 0, b = 1
    logistic      logit P(y = 1) = a + b logit p, by maximum likelihood (Cox 1958); the same

What each needs: squared error, ECE and the linear line any finite numbers, that line predictions
that differ; log loss and the logistic line y and p in [0, 1], that line predictions that differ
and outcomes that no threshold on p separates. What cannot be had is NaN. ECE is 0 or more, at most
the range of y and p; it is hardly ever 0 on a sample: read it beside its value by chance.

Ties: equal predictions are never parted by a bin, so that bins may be fewer and of unequal mass.

Sources: equal-mass bins, Nguyen and O'Connor, EMNLP 2015; the bias of ECE, Roelofs et al., AISTATS
2022; slope and intercept, Cox, Biometrika 1958, and Steyerberg et al., Epidemiology 2010.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from label_platform.evaluation.metrics import Floats

BINS = 15
_STEPS = 50
_CLOSE = 1e-10
_STEEPEST = 1e4
"""A logistic line steeper than this separates the outcomes: its slope has no maximum."""
_TINY = 1e-12


@dataclass(frozen=True)
class Recalibration:
    """The line that would make predictions right; exact ones have intercept 0 and slope 1.

    Attributes:
        intercept: NaN, with the slope, where there is no such line.
        slope: below 1 predictions are too extreme, above 1 too timid.
    """

    intercept: float
    slope: float


NO_LINE = Recalibration(float("nan"), float("nan"))


@dataclass(frozen=True)
class Calibration:
    """How true in size predictions are.

    Attributes:
        rows: predictions judged.
        mean_predicted: weighted.
        mean_outcome: weighted.
        squared_error: the Brier score where outcomes are 0 or 1.
        log_loss: NaN unless outcomes and predictions are probabilities.
        expected_calibration_error: over bins of equal mass.
        expected_by_chance: what it would be for exact predictions on as many rows.
        linear: recalibration.
        logistic: recalibration; NaN unless outcomes and predictions are probabilities.
    """

    rows: int
    mean_predicted: float
    mean_outcome: float
    squared_error: float
    log_loss: float
    expected_calibration_error: float
    expected_by_chance: float
    linear: Recalibration
    logistic: Recalibration

    def as_facts(self) -> dict[str, float | int | None]:
        """Plain numbers for a manifest; None for what cannot be had."""
        numbers = {
            "rows": self.rows,
            "mean_predicted": self.mean_predicted,
            "mean_outcome": self.mean_outcome,
            "squared_error": self.squared_error,
            "log_loss": self.log_loss,
            "expected_calibration_error": self.expected_calibration_error,
            "expected_by_chance": self.expected_by_chance,
            "linear_intercept": self.linear.intercept,
            "linear_slope": self.linear.slope,
            "logistic_intercept": self.logistic.intercept,
            "logistic_slope": self.logistic.slope,
        }
        return {name: float(f"{v:.6g}") if np.isfinite(v) else None for name, v in numbers.items()}


def calibration_of(
    predicted: NDArray[np.floating],
    outcome: NDArray[np.floating],
    weight: NDArray[np.floating] | None = None,
    bins: int = BINS,
) -> Calibration:
    """How true in size predictions are.

    Args:
        predicted: of each row, on the scale of the outcome.
        outcome: 0 or 1, or any label.
        weight: of each row, 0 or more.
        bins: of equal mass.

    Raises:
        ValueError: no rows of any weight, arrays of different lengths, or a value that is not
            finite.
    """
    p, y, w = _checked(predicted, outcome, weight)
    are_probabilities = bool(min(p.min(), y.min()) >= 0 and max(p.max(), y.max()) <= 1)
    error, by_chance = expected_calibration_error(p, y, w, bins)
    return Calibration(
        rows=len(p),
        mean_predicted=float(np.average(p, weights=w)),
        mean_outcome=float(np.average(y, weights=w)),
        squared_error=float(np.average((y - p) ** 2, weights=w)),
        log_loss=_log_loss(p, y, w) if are_probabilities else float("nan"),
        expected_calibration_error=error,
        expected_by_chance=by_chance,
        linear=linear_recalibration(p, y, w),
        logistic=logistic_recalibration(p, y, w) if are_probabilities else NO_LINE,
    )


def expected_calibration_error(
    predicted: NDArray[np.floating],
    outcome: NDArray[np.floating],
    weight: NDArray[np.floating] | None = None,
    bins: int = BINS,
) -> tuple[float, float]:
    """ECE over bins of equal mass, and what exact predictions would have by chance.

    Args:
        predicted: of each row.
        outcome: of each row.
        weight: of each row, 0 or more.
        bins: how many at most; each holds whole sets of equal predictions.

    Raises:
        ValueError: as ``calibration_of``, or there are no bins.
    """
    if bins < 1:
        raise ValueError(f"found {bins} bins, expected 1 or more")
    p, y, w = _checked(predicted, outcome, weight)
    _, of_row = np.unique(p, return_inverse=True)
    mass = np.bincount(of_row, w)
    middle = (np.cumsum(mass) - mass / 2) / w.sum()
    bin_of = np.minimum((middle * bins).astype(np.int64), bins - 1)[of_row]
    in_bin = np.bincount(bin_of, w, minlength=bins)
    gap = np.bincount(bin_of, w * (y - p), minlength=bins)
    used = in_bin > 0
    mean_gap = np.divide(gap, in_bin, out=np.zeros(bins), where=used)
    # sum w gap/W: the bins' weights cancel against the means' denominators
    spread = np.sqrt(np.bincount(bin_of, (w * (y - p - mean_gap[bin_of])) ** 2, minlength=bins))
    return (
        float(np.abs(gap).sum() / w.sum()),
        float(np.sqrt(2 / np.pi) * spread.sum() / w.sum()),
    )


def linear_recalibration(
    predicted: NDArray[np.floating],
    outcome: NDArray[np.floating],
    weight: NDArray[np.floating] | None = None,
) -> Recalibration:
    """The least-squares line of outcomes by predictions; NaN where all predictions are equal.

    Raises:
        ValueError: as ``calibration_of``.
    """
    p, y, w = _checked(predicted, outcome, weight)
    center, level = np.average(p, weights=w), np.average(y, weights=w)
    spread = (w * (p - center) ** 2).sum()
    if spread <= max(_TINY**2 * (w * p**2).sum(), np.finfo(np.float64).tiny):
        return NO_LINE
    slope = float((w * (p - center) * (y - level)).sum() / spread)
    return Recalibration(float(level - slope * center), slope)


def logistic_recalibration(
    predicted: NDArray[np.floating],
    outcome: NDArray[np.floating],
    weight: NDArray[np.floating] | None = None,
) -> Recalibration:
    """The logistic line of outcomes by the logit of predictions, by Newton's method.

    Predictions of 0 and 1 count as 1e-12 from there. NaN where all predictions are equal, all
    outcomes 0 or all 1, or a threshold on predictions separates outcomes.

    Args:
        predicted: probabilities.
        outcome: from 0 to 1; between them, a share.
        weight: of each row, 0 or more.

    Raises:
        ValueError: as ``calibration_of``, or a value is outside [0, 1].
    """
    p, y, w = _checked(predicted, outcome, weight)
    if min(p.min(), y.min()) < 0 or max(p.max(), y.max()) > 1:
        raise ValueError("logistic recalibration needs predictions and outcomes from 0 to 1")
    p = np.clip(p, _TINY, 1 - _TINY)
    level = np.average(y, weights=w)
    if np.ptp(p[w > 0]) == 0 or level in {0.0, 1.0}:
        return NO_LINE
    logit = np.log(p) - np.log1p(-p)
    design = np.stack([np.ones(len(p)), logit - np.average(logit, weights=w)])
    line = np.array([np.log(level / (1 - level)), 0.0])
    for _ in range(_STEPS):
        fitted = _logistic(line @ design)
        curvature = (design * (w * fitted * (1 - fitted))) @ design.T
        if np.linalg.cond(curvature) > 1 / _TINY:
            return NO_LINE
        step = np.linalg.solve(curvature, design @ (w * (y - fitted)))
        line = _uphill(line, step, design, y, w)
        if not np.abs(line).max() < _STEEPEST:
            return NO_LINE
        if np.abs(step).max() < _CLOSE:
            center = float(np.average(logit, weights=w))
            return Recalibration(float(line[0] - line[1] * center), float(line[1]))
    return NO_LINE


def _uphill(line: Floats, step: Floats, design: Floats, y: Floats, w: Floats) -> Floats:
    """The line a step on, the step halved until the likelihood does not fall."""

    def likelihood(at: Floats) -> float:
        score = at @ design
        return float((w * (y * score - np.logaddexp(0, score))).sum())

    now = likelihood(line)
    for _ in range(_STEPS):
        if likelihood(line + step) >= now - _TINY * abs(now):
            break
        step = step / 2
    moved: Floats = line + step
    return moved


def _logistic(score: Floats) -> Floats:
    return np.exp(-np.logaddexp(0, -score))


def _log_loss(p: Floats, y: Floats, w: Floats) -> float:
    p = np.clip(p, _TINY, 1 - _TINY)
    return float(-np.average(y * np.log(p) + (1 - y) * np.log1p(-p), weights=w))


def _checked(
    predicted: NDArray[np.floating],
    outcome: NDArray[np.floating],
    weight: NDArray[np.floating] | None,
) -> tuple[Floats, Floats, Floats]:
    p = np.asarray(predicted, dtype=np.float64)
    y = np.asarray(outcome, dtype=np.float64)
    w = np.ones(len(p)) if weight is None else np.asarray(weight, dtype=np.float64)
    if not len(p) == len(y) == len(w):
        raise ValueError(f"found {len(p)} predictions, {len(y)} outcomes and {len(w)} weights")
    for name, values in (("predictions", p), ("outcomes", y), ("weights", w)):
        if not np.isfinite(values).all():
            wrong = int((~np.isfinite(values)).sum())
            raise ValueError(f"{wrong} of {len(values)} {name} are not finite")
    if (w < 0).any() or w.sum() == 0:
        raise ValueError("calibration needs weights of 0 or more, and one above 0")
    return p, y, w
