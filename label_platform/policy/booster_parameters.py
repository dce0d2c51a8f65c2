"""What a policy may set of LightGBM: names that change trees, and nothing of how they are made."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from label_platform.strict_yaml import StrictModel

_OF_REPRODUCIBILITY = (
    "seed",
    "data_random_seed",
    "bagging_seed",
    "feature_fraction_seed",
    "objective_seed",
    "extra_seed",
    "drop_seed",
    "deterministic",
    "force_col_wise",
    "force_row_wise",
    "use_quantized_grad",
)
_OF_THREADS = ("num_threads", "num_thread", "nthread", "nthreads", "n_jobs", "device_type")
_OF_THE_RANKER = {
    "objective": "objective and loss",
    "loss": "loss, beside objective",
    "metric": "objective, which decides what early stopping looks at",
    "label_gain": "gain",
    "weight": "weight, beside objective",
    "position": "position, beside objective",
}
_REFUSED = {
    **dict.fromkeys(_OF_REPRODUCIBILITY, "two fits would differ; the platform sets it"),
    **dict.fromkeys(_OF_THREADS, "trees must not depend on the machine; the platform sets it"),
    **{name: f"the ranker says it by {key}" for name, key in _OF_THE_RANKER.items()},
}
_ONLY_LAMBDARANK = (
    "lambdarank_truncation_level",
    "lambdarank_norm",
    "lambdarank_position_bias_regularization",
)


class BoosterParameters(StrictModel):
    """LightGBM's parameters, under its names.

    Attributes:
        rounds: the most trees; None: what the problem says.
        early_stopping_rounds: trees without progress on the validation rows after which training
            stops; 0: all rounds are trained.
        min_data_in_leaf: None: 50, and fewer for less than 2,500 rows.
        lambdarank_truncation_level: of the pairs that lambdarank compares, one is above this rank.
        lambdarank_position_bias_regularization: of position: lightgbm_bias.
    """

    rounds: int | None = Field(default=None, ge=1, le=100_000)
    early_stopping_rounds: int = Field(default=20, ge=0)
    learning_rate: float = Field(default=0.1, gt=0, le=1)
    num_leaves: int = Field(default=31, ge=2, le=131_072)
    max_depth: int = Field(default=-1, ge=-1)
    min_data_in_leaf: int | None = Field(default=None, ge=1)
    min_sum_hessian_in_leaf: float = Field(default=1e-3, ge=0, allow_inf_nan=False)
    min_gain_to_split: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    feature_fraction: float = Field(default=1.0, gt=0, le=1)
    bagging_fraction: float = Field(default=1.0, gt=0, le=1)
    bagging_freq: int = Field(default=0, ge=0)
    lambda_l1: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    lambda_l2: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    max_bin: int = Field(default=255, ge=2, le=65_535)
    max_cat_threshold: int = Field(default=32, ge=1)
    cat_smooth: float = Field(default=10.0, ge=0, allow_inf_nan=False)
    cat_l2: float = Field(default=10.0, ge=0, allow_inf_nan=False)
    lambdarank_truncation_level: int = Field(default=20, ge=1)
    lambdarank_norm: bool = True
    lambdarank_position_bias_regularization: float = Field(default=0.0, ge=0, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _leaves_training_to_the_platform(cls, content: object) -> object:
        if isinstance(content, Mapping):
            for name in content:
                if name in _REFUSED:
                    raise ValueError(f"{name} cannot be set: {_REFUSED[name]}")
        return content

    @model_validator(mode="after")
    def _bags(self) -> "BoosterParameters":
        if (self.bagging_fraction < 1) != (self.bagging_freq > 0):
            raise ValueError(
                f"bagging_fraction {self.bagging_fraction:g} and bagging_freq {self.bagging_freq} "
                "have no effect: rows are drawn if the first is below 1 and the second above 0"
            )
        return self

    def said(self) -> dict[str, Any]:
        """What is not as by default."""
        return self.model_dump(exclude_defaults=True)

    def said_of_lambdarank(self) -> list[str]:
        """The names that mean something to lambdarank alone and are not as by default."""
        said = self.said()
        return [name for name in _ONLY_LAMBDARANK if name in said]

    def of_trees(self) -> dict[str, Any]:
        """What a fit is given, without what only decides how many trees there are."""
        content = self.model_dump(exclude={"rounds", "early_stopping_rounds", *_ONLY_LAMBDARANK})
        return {name: value for name, value in content.items() if value is not None}

    def of_lambdarank(self) -> dict[str, Any]:
        """What lambdarank is given beside that."""
        return self.model_dump(include=set(_ONLY_LAMBDARANK))
