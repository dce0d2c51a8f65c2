"""What a policy file may say of training: negatives, rankers, and when its labels look ill."""

from typing import Literal

from pydantic import Field, field_validator

from label_platform.policy.booster_parameters import BoosterParameters
from label_platform.strict_yaml import StrictModel


class SkipAbove(StrictModel):
    """Unclicked items above the list's last click: seen and passed over."""

    weight: float = Field(default=1.0, gt=0)


class SkipNext(StrictModel):
    """The unclicked items right below a click: the next ones that were passed over.

    Attributes:
        depth: how many positions below each click.
        weight: of each.
    """

    depth: int = Field(default=1, ge=1)
    weight: float = Field(default=1.0, gt=0)


class Examined(StrictModel):
    """Unclicked items just below the list's last click.

    Attributes:
        depth: how many positions below the last click.
        weight: theta (probability of examination), posterior (that it was examined though it was
            not clicked) or a constant.
    """

    depth: int = Field(default=2, ge=1)
    weight: Literal["theta", "posterior"] | float = "theta"


class Unexamined(StrictModel):
    """Unclicked items further below, and all items of lists without a click.

    Attributes:
        rate: the share kept, chosen by md5 of the impression.
        weight: inverse_rate (1/rate, keeps their mass) or a constant.
    """

    rate: float = Field(gt=0, le=1)
    weight: Literal["inverse_rate"] | float = "inverse_rate"


class RandomCatalogue(StrictModel):
    """Items of the catalogue that were not shown, behind a guard against positives.

    At grain impression those that the list did not show; at grain query_item those that no list
    of the query showed in the training days.

    Attributes:
        per_positive: how many for each positive.
        weight: of each; a ranker's weight, such as expected_examinations, does not change it.
        draw: uniform, or by how often items were shown.
        log_q: with draw: popularity, weigh each by (uniform chance)/(chance it was drawn with),
            which is the logQ correction of a sampled softmax as a row weight.
    """

    per_positive: int = Field(default=1, ge=1, le=100)
    weight: float = Field(default=1.0, gt=0)
    draw: Literal["uniform", "popularity"] = "uniform"
    log_q: bool = True


class Hard(StrictModel):
    """Unrewarded items of the list that are easily taken for its positive.

    Attributes:
        per_positive: how many for each positive, the nearest first.
        by: features: the least distance over standardised features; rank: the nearest position,
            which is how the logging ranker's score ordered them, so not in lists in random order;
            score: the least difference of the logging ranker's score.
        score: with by: score, the number logged with the impression that is this score.
        weight: of each.
    """

    per_positive: int = Field(default=1, ge=1, le=100)
    by: Literal["features", "rank", "score"] = "features"
    score: str | None = None
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
    """Which unrewarded rows train; without this key at impression grain, all that were shown.

    Attributes:
        near_duplicates: a random or hard negative is refused if each of its standardised features
            is within this of those of a positive of the same query.
        at_most_per_list: the most negatives of a list that train, the surest blocks first.
    """

    skip_above: SkipAbove | None = None
    skip_next: SkipNext | None = None
    examined: Examined | None = None
    unexamined: Unexamined | None = None
    random: RandomCatalogue | None = None
    hard: Hard | None = None
    never_examined: NeverExamined | None = None
    near_duplicates: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    at_most_per_list: int | None = Field(default=None, ge=1)


class RankerSpec(StrictModel):
    """One ranker to train on the policy's examples.

    Attributes:
        objective: pointwise (each label by itself), lambdarank (pairs of a list, label gains
            quantised finely) or rank_xendcg (cross entropy of a list's gains and scores).
        loss: of pointwise: squared error; binary (labels 0 and 1); cross_entropy (labels from 0
            to 1).
        gain: what a label gains in a list: linear, the label itself, whatever it is; exponential,
            2^grade - 1, for grades 0, 1, 2 ... 30.
        weight: what multiplies a row's own weight; sqrt_expected_examinations is the square root
            of sum theta; information is the inverse variance of an affine label up to a constant,
            sum theta^2/(theta m + beta), m the mean of such labels of clicks.
        position: none: position is not used at all; feature: position is a feature, fixed to 1
            when scoring; debias_only: position only enters through propensities; both;
            lightgbm_bias: lambdarank learns one score per position beside the trees, which is left
            out when scoring.
        auxiliary: combine: a second ranker learns the policy's auxiliary label, and scores are
            z(s1) + lambda z(s2); transfer: training starts on the auxiliary label and goes on
            with the label.
        parameters: of LightGBM.
    """

    objective: Literal["pointwise", "lambdarank", "rank_xendcg"]
    weight: Literal[
        "one", "impressions", "expected_examinations", "sqrt_expected_examinations", "information"
    ] = "one"
    position: Literal["none", "feature", "debias_only", "both", "lightgbm_bias"] = "none"
    auxiliary: Literal["none", "combine", "transfer"] = "none"
    loss: Literal["squared", "binary", "cross_entropy"] = "squared"
    gain: Literal["linear", "exponential"] = "linear"
    parameters: BoosterParameters = BoosterParameters()

    @property
    def title(self) -> str:
        """What tells the ranker from the policy's others, for people: never twice in a policy."""
        said = [
            f"{name} {getattr(self, name)}"
            for name, silent in (
                ("position", ("none", "debias_only")),
                ("weight", ("one",)),
                ("auxiliary", ("none",)),
                ("loss", ("squared",)),
                ("gain", ("linear",)),
            )
            if getattr(self, name) not in silent
        ]
        parameters = [f"{name} {value:g}" for name, value in self.parameters.said().items()]
        return ", ".join([self.objective, *said, *parameters])

    @property
    def uses_position_feature(self) -> bool:
        """Whether position is among the features."""
        return self.position in {"feature", "both"}

    @property
    def compares_within_lists(self) -> bool:
        """Whether only the order within each list is learned."""
        return self.objective != "pointwise"


class LabelHealth(StrictModel):
    """When a day's labels deserve a look: warnings, that change no label and no version.

    Attributes:
        positive_share: the least and the most of labels above 0, as a share of all.
        clip_share: the most of impressions whose propensity is raised to the clip.
        effective_share: the least effective sample size, (sum of pulls)^2 / sum of squared pulls,
            as a share of the rows with a label above 0. A row pulls by label times weight.
        psi: the most population stability index against the trailing window. That of rare
            positives is small: clicks that halve from 5% to 2.5% of impressions make .018.
        drift_p_value: the least p value of the test against the trailing window, whatever the
            size of the change; 0 for no test.
        immature_share: the most of impressions whose windows have not closed.
    """

    positive_share: tuple[float, float] = (0.0, 1.0)
    clip_share: float = Field(default=0.5, ge=0, le=1)
    effective_share: float = Field(default=0.05, ge=0, le=1)
    psi: float = Field(default=0.25, gt=0)
    drift_p_value: float = Field(default=0.001, ge=0, lt=1)
    immature_share: float = Field(default=1.0, ge=0, le=1)

    @field_validator("positive_share")
    @classmethod
    def _ascends(cls, limits: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= limits[0] <= limits[1] <= 1:
            raise ValueError("expected the least and the most share, between 0 and 1")
        return limits
