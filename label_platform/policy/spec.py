"""What a label policy file may say, and what it must not."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from label_platform.policy.label_spec import (
    Auxiliary,
    Debias,
    Decay,
    Delay,
    DualPositives,
    FirstOf,
    Quantiles,
    Segment,
    SignalGain,
    Teacher,
    Thresholds,
    WatchTime,
)
from label_platform.policy.training_spec import LabelHealth, Negatives, RankerSpec
from label_platform.problem import NAME_PATTERN
from label_platform.strict_yaml import StrictModel


class Policy(StrictModel):
    """A label policy file, checked for its form; ``check_policy`` checks its meaning."""

    name: str = Field(pattern=NAME_PATTERN)
    description: str = ""
    grain: Literal["impression", "query_item"]
    signals: dict[str, SignalGain] = Field(default_factory=dict)
    combine: Literal["sum", "max"] | FirstOf | DualPositives = "sum"
    watch_time: WatchTime | None = None
    segments: tuple[Segment, ...] = ()
    debias: Debias = Debias()
    delay: Delay = Delay()
    decay: Decay | None = None
    grading: Literal["continuous"] | Quantiles | Thresholds = "continuous"
    auxiliary: Auxiliary | None = None
    teacher: Teacher | None = None
    negatives: Negatives = Negatives()
    rankers: tuple[RankerSpec, ...] = Field(min_length=1)
    health: LabelHealth = LabelHealth()
    path: Path = Field(default=Path(), exclude=True)

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if bool(self.signals) == (self.watch_time is not None):
            found = "both" if self.signals else "neither"
            raise ValueError(f"expected signals, or else watch_time, found {found}")
        return self
