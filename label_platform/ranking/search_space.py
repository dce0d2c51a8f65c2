"""Which of LightGBM's parameters are searched, and how far.

Nothing that changes bins is among them, so all trials share theirs. Learning rates stay above a
fifth of the usual one: trials may grow five times as many trees, and slower ones would not be done.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import yaml

from label_platform.policy import BoosterParameters, RankerSpec
from label_platform.ranking.training_data import TrainingData

MORE_ROUNDS = 5
"""How many times as many trees as usual a trial may grow, so that slow learning has its chance."""
_PATIENCE = 20


class Suggester(Protocol):
    """What chooses values: a trial of Optuna."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number from low to high."""
        ...

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """A whole number from low to high."""
        ...


@dataclass(frozen=True)
class Span:
    """One parameter's range.

    Attributes:
        low: the lowest value.
        high: the highest.
        log: whether ratios count, not differences.
        whole: whether the parameter is a whole number.
        step: between values; None for all of them.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False
    step: float | None = None

    def suggested(self, trial: Suggester, name: str) -> float:
        """A value of three digits, so that the lines of a policy file say all of it."""
        if self.whole:
            return trial.suggest_int(name, int(self.low), int(self.high), log=self.log)
        value = trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)
        return min(max(float(f"{value:.3g}"), self.low), self.high)

    def nearest(self, value: float) -> float:
        """The nearest value of the range."""
        within = min(max(value, self.low), self.high)
        if self.step is not None:
            return round(self.low + round((within - self.low) / self.step) * self.step, 9)
        return int(within) if self.whole else within


@dataclass(frozen=True)
class SearchSpace:
    """What trials of one ranker may choose.

    Attributes:
        spec: the ranker as the policy has it.
        rounds: the most trees of a trial.
        spans: the ranges by LightGBM's names.
    """

    spec: RankerSpec
    rounds: int
    spans: dict[str, Span]

    @classmethod
    def of(cls, spec: RankerSpec, train: TrainingData, rounds: int) -> "SearchSpace":
        """The space of a ranker.

        Args:
            spec: the ranker.
            train: the rows, whose number bounds the size of leaves.
            rounds: the most trees where the ranker does not say it itself.
        """
        largest_leaf = min(1000, max(10, len(train) // 20))
        spans = {
            "learning_rate": Span(0.02, 0.3, log=True),
            "num_leaves": Span(4, 255, log=True, whole=True),
            "min_data_in_leaf": Span(5, largest_leaf, log=True, whole=True),
            # in steps, so that all features and all rows are often enough a choice
            "feature_fraction": Span(0.4, 1.0, step=0.1),
            "bagging_fraction": Span(0.5, 1.0, step=0.1),
            "bagging_freq": Span(1, 5, whole=True),
            "lambda_l1": Span(1e-4, 10, log=True),
            "lambda_l2": Span(1e-4, 100, log=True),
        }
        if spec.objective == "lambdarank":
            longest = int(train.group_sizes.max())
            most = min(100, max(4, longest))
            spans["lambdarank_truncation_level"] = Span(3, most, log=True, whole=True)
        return cls(spec, MORE_ROUNDS * (spec.parameters.rounds or rounds), spans)

    def parameters(self, trial: Suggester) -> BoosterParameters:
        """What a trial chooses; whatever is not searched stays as the policy has it."""
        chosen: dict[str, Any] = {
            name: span.suggested(trial, name) for name, span in self.spans.items()
        }
        if chosen["bagging_fraction"] == 1:
            chosen["bagging_freq"] = 0
        own = self.spec.parameters.model_dump()
        return BoosterParameters(**{**own, **chosen, **self._stopping})

    def known_as(self, parameters: BoosterParameters, least_leaf: int) -> dict[str, float]:
        """Parameters as a point of the space: the nearest that it has.

        Args:
            parameters: any.
            least_leaf: min_data_in_leaf where they leave it open.
        """
        values = {"min_data_in_leaf": least_leaf} | {
            name: value for name, value in parameters.model_dump().items() if value is not None
        }
        return {name: span.nearest(values[name]) for name, span in self.spans.items()}

    @property
    def _stopping(self) -> dict[str, int]:
        patience = self.spec.parameters.early_stopping_rounds or _PATIENCE
        return {"rounds": self.rounds, "early_stopping_rounds": patience}


def as_yaml(spec: RankerSpec, parameters: BoosterParameters) -> str:
    """A ranker's lines for a policy file, under ``rankers:``."""
    keys = _in_one_line(spec.model_dump(exclude_defaults=True, exclude={"parameters"}))
    return f"  - {{{keys[1:-1]},\n     parameters: {_in_one_line(parameters.said())}}}"


def _in_one_line(content: dict[str, Any]) -> str:
    text = yaml.safe_dump(content, default_flow_style=True, sort_keys=False, width=10**6)
    return text.strip()
