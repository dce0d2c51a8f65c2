"""The part of a problem file that says by what rankers are judged."""

from typing import Literal

from pydantic import Field

from label_platform.strict_yaml import StrictModel

Metric = Literal[
    "ndcg",
    "dcg",
    "map",
    "mrr",
    "recall",
    "precision",
    "average_relevant_position",
    "expected_reciprocal_rank",
]

OffPolicyEstimator = Literal["ips", "clipped", "snips", "doubly_robust"]

ENOUGH_FITS = 5
"""Trainings on resampled logs from which on their spread says something."""


class EvaluationSettings(StrictModel):
    """What a comparison measures, beside the yardsticks that it always has.

    Each further metric, slice and estimator is one more chance to find a difference that is not
    there, and Holm's correction counts it: a comparison of few things sees smaller differences.

    Attributes:
        cutoff: the rank below which nothing counts. The nDCG of a simulation's true relevance is
            always that of the first ten.
        metrics: of the clicks on randomised lists, beside their DCG.
        slices: columns of the impression, each of whose values is judged by itself too, up to
            the 8 most frequent ones; ``query_frequency`` means head, torso and tail queries,
            ``new_items`` the items that training days did not show.
        off_policy: how clicks on all lists are turned into the value of another ranking; the
            first decides.
        outcomes: a CSV of online tests, relative to the problem file, that the yardsticks are
            held against.
        checks: whether the baseline is also fitted on two halves of its queries, which must not
            be found to differ; about as much work as one more ranker.
    """

    cutoff: int = Field(default=10, ge=1)
    metrics: tuple[Metric, ...] = ()
    slices: tuple[str, ...] = ()
    off_policy: tuple[OffPolicyEstimator, ...] = Field(default=("snips",), min_length=1)
    outcomes: str | None = None
    checks: bool = True
