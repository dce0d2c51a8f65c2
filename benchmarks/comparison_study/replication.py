"""One replication: a world drawn anew, judged by the product's own comparison."""

from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pandas as pd
from comparison_study.policies import EQUAL, labels_of, rows_of
from comparison_study.world import (
    DEVICES,
    FEATURES,
    MOBILE_SHARE,
    Floats,
    Log,
    Sizes,
    Universe,
    examples,
    impressions,
    theta,
    true_curve,
    truth,
)

from label_platform.evaluation import (
    Arm,
    ArmEvaluation,
    Lists,
    Measurement,
    Panel,
    ShownLists,
    SideCache,
    click_yardsticks,
    compare,
    evaluate_arm,
    ndcg_at_k,
    rank_discounts,
    sliced_yardsticks,
    true_ndcg_yardsticks,
)
from label_platform.evaluation.estimates import FitValues, estimate, holm
from label_platform.policy import RankerSpec
from label_platform.ranking import Ranker, TrainingData

DEPTH = 10
MANY_QUERIES = 500
"""Of the universe that true nDCG is known on: beside it, 120 queries are a sample."""


@dataclass(frozen=True)
class Study:
    """What its replications have in common.

    Attributes:
        name: for people, and what its random numbers depend on.
        objective: of all rankers.
        policies: that are compared with the baseline, at once.
        stops_early: whether another log decides when to stop.
        rounds: the most trees.
        fits: resampled ones.
        sizes: of the logs.
    """

    name: str
    objective: str = "pointwise"
    policies: tuple[str, ...] = EQUAL
    stops_early: bool = False
    rounds: int = 10
    fits: int = 5
    sizes: Sizes = field(default_factory=Sizes)


def replicate(study: Study, seed: int) -> pd.DataFrame:
    """The comparison of one drawn log, beside what is true.

    Returns:
        The columns of ``compare`` that a study needs; ``true_value`` and ``true_baseline``, what
        the yardstick would say of the two main fits if it had no noise; and ``p_queries_alone``,
        Holm's p value if the interval knew of queries only, and nothing of training.
    """
    rng = np.random.default_rng([*study.name.encode(), seed])
    universe, other = (Universe.drawn(study.sizes, rng) for _ in range(2))
    panel = _panel(study, universe, other, rng)
    spec = RankerSpec.model_validate({"objective": study.objective})
    log = universe.log(study.sizes.training_lists, 0.0, rng)
    rows, labels = _rows(universe, log, spec), labels_of(log, rng)
    validation, held_labels = None, labels
    if study.stops_early:
        held = universe.log(study.sizes.training_lists // 2, 0.0, rng)
        validation, held_labels = _rows(universe, held, spec), labels_of(held, rng)
    in_first = rng.random(study.sizes.queries) < 0.5
    first = np.repeat(in_first[log.query], study.sizes.items)
    cache, evaluated = SideCache(), []
    for policy in study.policies:
        validate = None
        if validation is not None:
            whole = np.ones(len(validation), dtype=np.bool_)
            name = "raw" if policy == "other_half" else policy
            validate = rows_of(name, validation, held_labels, whole)
        evaluated.append(
            evaluate_arm(
                rows_of(policy, rows, labels, first),
                validate,
                Arm(policy, "impression", spec),
                panel,
                rounds=study.rounds,
                fits=study.fits,
                seed=seed,
                cache=cache,
            )
        )
    table = compare(pd.concat([arm.to_frame() for arm in evaluated]))
    return _beside_truth(table, evaluated, universe).assign(study=study.name, seed=seed)


def _panel(study: Study, universe: Universe, other: Universe, rng: np.random.Generator) -> Panel:
    """Clicks of the evaluation days by device, and true relevance of unseen queries."""
    log = universe.log(study.sizes.judged_lists, study.sizes.randomized_share, rng)
    table = impressions(universe, log, log.clicks(rng))
    curve = true_curve(study.sizes.items)
    shown = ShownLists.from_impressions(table, FEATURES, "click", curve, ("device",))
    of_clicks = sliced_yardsticks(shown, lambda part: click_yardsticks(part, curve))
    _, of_truth = true_ndcg_yardsticks(truth(other), FEATURES)
    return Panel((*of_clicks, of_truth))


def _rows(universe: Universe, log: Log, spec: RankerSpec) -> TrainingData:
    frame = examples(universe, log, "train").assign(label=0.0, raw_label=0.0)
    return TrainingData.from_examples(frame, spec, FEATURES)


def _beside_truth(
    table: pd.DataFrame, evaluated: list[ArmEvaluation], universe: Universe
) -> pd.DataFrame:
    found, of_baselines = {}, {}
    for arm in evaluated:
        if arm.baseline is None or arm.baseline.ranker is None or arm.contender.ranker is None:
            raise RuntimeError(f"{arm.arm.policy}: a side could not be trained")
        ours = without_noise(arm.contender.ranker, universe)
        # policies with the same rows share one baseline
        shared = id(arm.baseline)
        if shared not in of_baselines:
            of_baselines[shared] = without_noise(arm.baseline.ranker, universe)
        theirs = of_baselines[shared]
        for key, value in ours.items():
            found[(arm.arm.policy, *key)] = (value, theirs[key])
    keys = list(zip(table["policy"], table["yardstick"], table["slice"], strict=True))
    true = np.array([found[key] for key in keys])
    names = ["policy", "yardstick", "slice", "value", "ci_low", "ci_high", "difference"]
    names += ["difference_low", "difference_high", "p_value", "p_value_holm", "verdict"]
    p_values = _over_queries_alone(evaluated)
    table = table[names].assign(true_value=true[:, 0], true_baseline=true[:, 1])
    table["p_queries_alone"] = [p_values.get(key, np.nan) for key in keys]
    return table


def _over_queries_alone(evaluated: list[ArmEvaluation]) -> dict[tuple[str, str, str], float]:
    """Holm's p values of the main fits alone, as if training on another log changed nothing."""
    found = {}
    for arm in evaluated:
        if arm.baseline is None:
            continue
        theirs = arm.baseline.fits[0]
        for key, measured in arm.contender.fits[0].items():
            if not (measured.refused or theirs[key].refused):
                sides = map(_as_if_all_fits_agreed, (measured, theirs[key]))
                found[(arm.arm.policy, *key)] = estimate(*sides).p_value
    return dict(zip(found, holm(np.array(list(found.values()))).tolist(), strict=True))


def _as_if_all_fits_agreed(measured: Measurement) -> FitValues:
    order = np.argsort(measured.units)
    parts = (measured.numerator, measured.denominator)
    numerator, denominator = (np.repeat(part[order, None], 3, axis=1) for part in parts)
    return FitValues(measured.units[order], numerator, denominator)


def without_noise(ranker: Ranker, universe: Universe) -> dict[tuple[str, str], float]:
    """What each yardstick would say of a ranker on endless traffic of the universe's queries.

    True nDCG is that of many unseen queries, the same ones in all replications.
    """
    scores, lists = _scored(ranker, universe)
    discounts = rank_discounts(scores, lists, DEPTH).reshape(universe.relevance.shape)
    gain = float(universe.popularity @ (discounts * universe.relevance).sum(axis=1))
    positions = universe.relevance.shape[1]
    shares = dict(zip(DEVICES, (1 - MOBILE_SHARE, MOBILE_SHARE), strict=True))
    examined = {device: float(theta(device, positions).mean()) for device in DEVICES}
    everywhere = sum(shares[device] * examined[device] for device in DEVICES)
    of_slices = {"all": everywhere, **{f"device={name}": examined[name] for name in DEVICES}}
    found = {("randomized_click_dcg", name): gain * mean for name, mean in of_slices.items()}
    found |= {("off_policy_dcg", name): gain for name in of_slices}
    found["true_ndcg_at_10_unseen", "all"] = _true_ndcg(ranker)
    return found


def _true_ndcg(ranker: Ranker) -> float:
    many = _many_queries()
    scores, lists = _scored(ranker, many)
    return float(np.mean(ndcg_at_k(many.relevance.ravel(), scores, lists, DEPTH)))


@cache
def _many_queries() -> Universe:
    return Universe.drawn(Sizes(queries=MANY_QUERIES), np.random.default_rng(0))


def _scored(ranker: Ranker, universe: Universe) -> tuple[Floats, Lists]:
    queries, items = universe.relevance.shape
    rows = universe.features.reshape(-1, len(FEATURES))
    return ranker.score(rows), Lists.of_sorted(np.repeat(np.arange(queries), items))
