"""What a label policy file may say, and what it must not."""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from label_platform.problem import NAME_PATTERN
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


class FallBack(StrictModel):
    """What to debias with when the propensities are refused."""

    fall_back_to: Literal["none"]


class Debias(StrictModel):
    """How examination bias is taken out of the label.

    Attributes:
        method: none; ips: label/max(theta, clip); coec: sum of gains/sum of theta per cell.
        propensity: the estimator whose curve is used; auto: the best evidence there is.
        clip: theta is raised to at least this.
        on_refusal: what to do when the curve is refused.
    """

    method: Literal["none", "ips", "coec"] = "none"
    propensity: str = "auto"
    clip: float = Field(default=0.05, gt=0, le=1)
    on_refusal: Literal["fail"] | FallBack = "fail"

    @field_validator("propensity")
    @classmethod
    def _is_an_estimator(cls, name: str) -> str:
        if name not in {"auto", *ESTIMATORS}:
            raise ValueError(f"{name!r} is no estimator; {nearest(name, ['auto', *ESTIMATORS])}")
        return name


class Delay(StrictModel):
    """What happens to rows whose windows had not closed by ``as_of``."""

    immature: Literal["exclude", "provisional"] = "exclude"


class SkipAbove(StrictModel):
    """Unclicked items above the list's last click: seen and passed over."""

    weight: float = Field(default=1.0, gt=0)


class Examined(StrictModel):
    """Unclicked items just below the list's last click.

    Attributes:
        depth: how many positions below the last click.
        weight: theta (probability of examination) or a constant.
    """

    depth: int = Field(default=2, ge=1)
    weight: Literal["theta"] | float = "theta"


class Unexamined(StrictModel):
    """Unclicked items further below, and all items of lists without a click.

    Attributes:
        rate: the share kept, chosen by md5 of the impression.
        weight: inverse_rate (1/rate, keeps their mass) or a constant.
    """

    rate: float = Field(gt=0, le=1)
    weight: Literal["inverse_rate"] | float = "inverse_rate"


class RandomCatalogue(StrictModel):
    """Items of the catalogue that the list did not show, behind a guard against positives."""

    per_positive: int = Field(default=1, ge=1, le=100)
    weight: float = Field(default=1.0, gt=0)


class NeverExamined(StrictModel):
    """Query-item grain: cells without gain that were hardly ever examined.

    Attributes:
        rate: the share kept, chosen by md5 of the cell, at weight 1/rate.
        below: the expected examinations under which a cell counts as never examined.
    """

    rate: float = Field(gt=0, le=1)
    below: float = Field(default=0.5, gt=0)


class Negatives(StrictModel):
    """Which unrewarded rows train; without this key at impression grain, all that were shown."""

    skip_above: SkipAbove | None = None
    examined: Examined | None = None
    unexamined: Unexamined | None = None
    random: RandomCatalogue | None = None
    never_examined: NeverExamined | None = None


class RankerSpec(StrictModel):
    """One ranker to train on the policy's examples.

    Attributes:
        objective: pointwise (L2 on the label) or lambdarank (label gains quantised finely).
        weight: what multiplies a row's own weight.
        position: none: position is not used at all; feature: position is a feature, fixed to 1
            when scoring; debias_only: position only enters through propensities; both.
    """

    objective: Literal["pointwise", "lambdarank"]
    weight: Literal["one", "impressions", "expected_examinations"] = "one"
    position: Literal["none", "feature", "debias_only", "both"] = "none"

    @property
    def title(self) -> str:
        """What tells the ranker from the policy's others, for people: never twice in a policy."""
        position = "" if self.position in {"none", "debias_only"} else f", position {self.position}"
        weight = "" if self.weight == "one" else f", weight {self.weight}"
        return f"{self.objective}{position}{weight}"

    @property
    def uses_position_feature(self) -> bool:
        """Whether position is among the features."""
        return self.position in {"feature", "both"}


class Policy(StrictModel):
    """A label policy file, checked for its form; ``check_policy`` checks its meaning."""

    name: str = Field(pattern=NAME_PATTERN)
    description: str = ""
    grain: Literal["impression", "query_item"]
    signals: dict[str, SignalGain] = Field(min_length=1)
    combine: Literal["sum", "max"] = "sum"
    debias: Debias = Debias()
    delay: Delay = Delay()
    negatives: Negatives = Negatives()
    rankers: tuple[RankerSpec, ...] = Field(min_length=1)
    path: Path = Field(default=Path(), exclude=True)
