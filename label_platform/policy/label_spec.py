"""What a policy file may say of the label: which feedback counts, how much, and how it is debiased.

Formulas and their sources are those of METHODS, sections 3, 5 and 6.
"""

from itertools import pairwise
from math import isfinite
from pathlib import PurePath
from typing import Literal

from pydantic import Field, field_validator

from label_platform.problem import Duration
from label_platform.propensity_settings import ESTIMATORS
from label_platform.strict_yaml import StrictModel, nearest


class Quality(StrictModel):
    """How much of a signal's gain counts, by another signal that describes it (METHODS: dwell).

    Attributes:
        of: the describing signal, with t as its value.
        shape: log: min(1, log(1 + t/cap)/log 2); linear: min(1, t/cap); minimum: 1[t >= cap].
        cap: in the describing signal's unit.
    """

    of: str
    shape: Literal["log", "linear", "minimum"]
    cap: float = Field(gt=0, allow_inf_nan=False)


class SignalGain(StrictModel):
    """What one signal contributes to the label, per unit of its value."""

    gain: float = Field(allow_inf_nan=False)
    quality: Quality | None = None


class FirstOf(StrictModel):
    """The first of these signals that came decides; the others do not count."""

    first: tuple[str, ...] = Field(min_length=1)


class DualPositives(StrictModel):
    """One set of positives: primary ones at weight 1, others at the weight of their gain.

    Attributes:
        dual: the primary signals (conversions); the policy's other signals are the dense ones.
        dense_share: the most of all positive weight in training that dense positives may have.
    """

    dual: tuple[str, ...] = Field(min_length=1)
    dense_share: float = Field(default=1.0, gt=0, le=1)


class FallBack(StrictModel):
    """What to debias with when the propensities are refused."""

    fall_back_to: Literal["none"]


class Prior(StrictModel):
    """What a label of thin evidence is drawn toward: (c + a m) / (sum theta + a).

    Attributes:
        toward: m: a model's prediction from the features (fitted on other queries), or the mean
            of all (empirical_bayes, which learns a from the data and refuses where that misleads).
        strength: a, in expected examinations; empirical_bayes has its own.
    """

    toward: Literal["model", "empirical_bayes"]
    strength: float = Field(default=1.0, gt=0, allow_inf_nan=False)


class Debias(StrictModel):
    """How examination bias is taken out of the label.

    With theta and beta examination and trust offset of the position, g the gain:

    Attributes:
        method: none; ips: g/max(theta, clip); posterior: weights what was not clicked by
            P(examined | not clicked); coec: sum g/sum theta; affine: (sum g - sum beta)/sum theta;
            doubly_robust: r + (g - beta - theta r)/max(theta, clip), r a model's prediction.
        into: of ips: the label, or (pointwise rankers only) the weight of what was rewarded.
        self_normalise: with into: weight, divide by the day's mean weight of what was rewarded.
        propensity: the estimator whose curve is used; auto: the best evidence there is, of affine
            the estimator of that name.
        clip: theta is raised to at least this where it divides.
        prior: of coec.
        on_refusal: what to do when the curve is refused.
    """

    method: Literal["none", "ips", "posterior", "coec", "affine", "doubly_robust"] = "none"
    into: Literal["label", "weight"] = "label"
    self_normalise: bool = False
    propensity: str = "auto"
    clip: float = Field(default=0.05, gt=0, le=1)
    prior: Prior | None = None
    on_refusal: Literal["fail"] | FallBack = "fail"

    @field_validator("propensity")
    @classmethod
    def _is_an_estimator(cls, name: str) -> str:
        if name not in {"auto", *ESTIMATORS}:
            raise ValueError(f"{name!r} is no estimator; {nearest(name, ['auto', *ESTIMATORS])}")
        return name

    @property
    def estimator(self) -> str:
        """Whose curve is used: a trust offset is only known to one."""
        if self.method == "affine" and self.propensity == "auto":
            return "affine"
        return self.propensity


class Delay(StrictModel):
    """What happens to rows whose windows had not closed by ``as_of``.

    exclude leaves them out; provisional takes them as they are; reweight divides what is expected
    (one signal) or what came (several) by the share of feedback that has come by the row's age.
    """

    immature: Literal["exclude", "provisional", "reweight"] = "exclude"


class Decay(StrictModel):
    """Older days count less: by half after each half-life, in gains and examinations alike."""

    half_life: Duration


class Quantiles(StrictModel):
    """Grades of equal frequency among the labels above the lowest, learned on training days."""

    quantiles: int = Field(ge=2, le=31)


class Thresholds(StrictModel):
    """Grade g where the label reaches the g-th threshold, 0 below the first."""

    thresholds: tuple[float, ...] = Field(min_length=1, max_length=30)

    @field_validator("thresholds")
    @classmethod
    def _ascend(cls, thresholds: tuple[float, ...]) -> tuple[float, ...]:
        if any(low >= high for low, high in pairwise(thresholds)):
            raise ValueError("expected ascending numbers")
        if not all(isfinite(threshold) for threshold in thresholds):
            raise ValueError("expected finite numbers")
        return thresholds


class Segment(StrictModel):
    """What is different for some impressions; the first segment that fits an impression counts.

    Attributes:
        when: values (one or a list) by column: device, surface, or the problem's context.
        signals: gains that replace those of the policy.
        clip: replaces debias.clip.
    """

    when: dict[str, str | tuple[str, ...]] = Field(min_length=1)
    signals: dict[str, SignalGain] = Field(default_factory=dict)
    clip: float | None = Field(default=None, gt=0, le=1)

    @field_validator("when")
    @classmethod
    def _name_values(
        cls, when: dict[str, str | tuple[str, ...]]
    ) -> dict[str, str | tuple[str, ...]]:
        for column, values in when.items():
            if not values:
                raise ValueError(f"{column}: expected a value, or a list of them, found none")
        return when


class WatchTime(StrictModel):
    """A label made of how long a video was watched (METHODS, section 6).

    Attributes:
        label: wt: w / unit_s; pc: 1[w >= D]; pcr: min(w/D, 1); d2q: percentile of w among videos
            of like duration; dvr: (w - mean)/sd among those, through the normal CDF; d2co: by a
            mixture of skips and watching per duration.
        watch_s: the signal that says w, in seconds.
        duration: the column of the impression that says D.
        duration_unit: of that column.
        bins: of equal frequency over durations (d2q, dvr, d2co).
        unit_s: of wt.
    """

    label: Literal["wt", "pc", "pcr", "d2q", "dvr", "d2co"]
    watch_s: str = "watch_s"
    duration: str = "duration_s"
    duration_unit: Literal["s", "ms"] = "s"
    bins: int = Field(default=30, ge=1, le=1000)
    unit_s: float = Field(default=60.0, gt=0, allow_inf_nan=False)


class Auxiliary(StrictModel):
    """A second label, of a denser signal, that rankers may learn beside the first.

    Attributes:
        signals: as those of the policy.
        combine: likewise.
        tune: what validation days choose the weight of its scores by: nDCG of the label, or of
            both labels.
    """

    signals: dict[str, SignalGain] = Field(min_length=1)
    combine: Literal["sum", "max"] = "sum"
    tune: Literal["label", "both"] = "label"


class Teacher(StrictModel):
    """A model whose scores stand in for a share of the label (distillation).

    Attributes:
        model: a LightGBM text model beside the policy file, or in a folder there, that knows the
            same features.
        share: label = (1 - share) * label + share * score.
    """

    model: str
    share: float = Field(default=0.5, gt=0, le=1)

    @field_validator("model")
    @classmethod
    def _is_beside(cls, model: str) -> str:
        path = PurePath(model)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"expected a file beside the policy file, found {model!r}")
        return model
