"""Each key of the language belongs to one version, to both or to none; no key is forgotten."""

from collections.abc import Iterator
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel

from label_platform.policy import Policy, label_version, policy_version
from label_platform.problem import Problem
from tests.policy.conftest import MakePolicy

Changes = dict[str, Any]
Reach = Literal["labels", "training", "neither"]

CLICK: Changes = {"click": {"gain": 1.0}}
CART: Changes = {"add_to_cart": {"gain": 1.0}}
DWELL = {"of": "dwell_s", "shape": "log", "cap": 300}
RANKER = {"objective": "pointwise"}
DUAL = {"dual": ["purchase"], "dense_share": 0.5}
ALL = {"signals": {**CLICK, **CART, "purchase": {"gain": 1.0}}}
WATCH: Changes = {"label": "d2q", "watch_s": "dwell_s", "duration": "f_seconds"}
MOBILE: Changes = {"when": {"device": "mobile"}, "signals": CLICK, "clip": 0.1}


def quality(**changed: object) -> Changes:
    return {"click": {"gain": 1.0, "quality": DWELL | changed}}


def dense(**changed: object) -> Changes:
    return {"auxiliary": {"signals": CART, "combine": "sum", **changed}}


def in_segment(**changed: object) -> Changes:
    return {"segments": [MOBILE | changed]}


def debiased(**changed: object) -> Changes:
    return {"debias": {"method": "ips", **changed}}


def prior(**changed: object) -> Changes:
    said = {"method": "coec", "prior": {"toward": "model", "strength": 1.0, **changed}}
    return {"grain": "query_item", "debias": said}


def watching(**changed: object) -> Changes:
    return {"signals": {}, "watch_time": WATCH | changed}


def graded(**grading: object) -> Changes:
    return {"grading": grading}


def teacher(**changed: object) -> Changes:
    return {"teacher": {"model": "old.txt", "share": 0.5, **changed}}


def ranker(**changed: object) -> Changes:
    return {"rankers": [RANKER | changed]}


def negatives(block: str, **said: object) -> Changes:
    return {"negatives": {block: said}}


_QUALITIES: list[Changes] = [
    {"of": "add_to_cart"},
    {"shape": "linear"},
    {"cap": 200},
]
_NEGATIVES: dict[str, tuple[Changes, Changes]] = {
    "skip_above": ({}, {"weight": 2}),
    "skip_next": ({}, {"weight": 2, "depth": 2}),
    "examined": ({}, {"weight": "posterior", "depth": 3}),
    "unexamined": ({"rate": 0.1}, {"weight": 2, "rate": 0.2}),
    "random": ({}, {"per_positive": 2, "weight": 2, "draw": "popularity", "log_q": False}),
    "hard": ({}, {"per_positive": 2, "by": "rank", "weight": 2, "score": "f_other"}),
    "never_examined": ({"rate": 0.1}, {"rate": 0.2, "below": 0.2}),
}
_BAGS: Changes = {"bagging_fraction": 0.5, "bagging_freq": 1}
_PARAMETERS: Changes = {
    "rounds": 50,
    "early_stopping_rounds": 5,
    "learning_rate": 0.05,
    "num_leaves": 63,
    "max_depth": 5,
    "min_data_in_leaf": 20,
    "min_sum_hessian_in_leaf": 0.1,
    "min_gain_to_split": 0.1,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.6,
    "bagging_freq": 2,
    "lambda_l1": 1.0,
    "lambda_l2": 1.0,
    "max_bin": 63,
    "max_cat_threshold": 16,
    "cat_smooth": 5.0,
    "cat_l2": 5.0,
    "lambdarank_truncation_level": 30,
    "lambdarank_norm": False,
    "lambdarank_position_bias_regularization": 1.0,
}
_HEALTH: Changes = {
    "positive_share": [0.1, 0.9],
    "clip_share": 0.1,
    "effective_share": 0.1,
    "psi": 0.1,
    "drift_p_value": 0.01,
    "immature_share": 0.1,
}
_WATCH: Changes = {
    "label": "dvr",
    "watch_s": "click",
    "duration": "f_other",
    "duration_unit": "ms",
    "bins": 10,
    "unit_s": 1.0,
}
_DEBIAS: Changes = {
    "method": "doubly_robust",
    "into": "weight",
    "self_normalise": True,
    "propensity": "randomized",
    "clip": 0.1,
    "on_refusal": {"fall_back_to": "none"},
}

TABLE: list[tuple[str, Reach, Changes, Changes]] = [
    ("name", "neither", {}, {"name": "other"}),
    ("description", "neither", {}, {"description": "other words"}),
    ("grain", "labels", {}, {"grain": "query_item"}),
    ("signals", "labels", {}, {"signals": CLICK | CART}),
    ("signals.gain", "labels", {}, {"signals": {"click": {"gain": 2.0}}}),
    *[
        (f"signals.quality.{key}", "labels", {"signals": quality()}, {"signals": quality(**each)})
        for each in _QUALITIES
        for key in each
    ],
    ("combine", "labels", {}, {"combine": "max"}),
    (
        "combine.first",
        "labels",
        ALL | {"combine": {"first": ["purchase", "click"]}},
        {"combine": {"first": ["click", "purchase"]}},
    ),
    ("combine.dual", "labels", ALL | {"combine": DUAL}, {"combine": DUAL | {"dual": ["click"]}}),
    (
        "combine.dense_share",
        "training",
        ALL | {"combine": DUAL},
        {"combine": DUAL | {"dense_share": 0.1}},
    ),
    *[
        (f"watch_time.{key}", "labels", watching(), watching(**{key: value}))
        for key, value in _WATCH.items()
    ],
    ("segments.when", "labels", in_segment(), in_segment(when={"device": ["mobile", "tablet"]})),
    ("segments.signals", "labels", in_segment(), in_segment(signals=CART)),
    ("segments.signals.gain", "labels", in_segment(), in_segment(signals={"click": {"gain": 2}})),
    *[
        (
            f"segments.signals.quality.{key}",
            "labels",
            in_segment(signals=quality()),
            in_segment(signals=quality(**each)),
        )
        for each in _QUALITIES
        for key in each
    ],
    ("segments.clip", "labels", in_segment(), in_segment(clip=0.2)),
    *[
        (f"debias.{key}", "labels", debiased(), debiased(**{key: value}))
        for key, value in _DEBIAS.items()
    ],
    ("debias.on_refusal.fall_back_to", "labels", debiased(), debiased(**_DEBIAS)),
    ("debias.prior.toward", "training", prior(), prior(toward="empirical_bayes")),
    ("debias.prior.strength", "training", prior(), prior(strength=2.0)),
    ("delay.immature", "training", {}, {"delay": {"immature": "provisional"}}),
    ("delay.immature", "labels", {}, {"delay": {"immature": "reweight"}}),
    (
        "decay.half_life",
        "training",
        {"decay": {"half_life": "7d"}},
        {"decay": {"half_life": "8d"}},
    ),
    ("grading", "training", {}, graded(quantiles=5)),
    ("grading.quantiles", "training", graded(quantiles=5), graded(quantiles=4)),
    ("grading.thresholds", "training", graded(thresholds=[0.5]), graded(thresholds=[0.6])),
    ("auxiliary.signals", "labels", dense(), dense(signals=CLICK)),
    ("auxiliary.signals.gain", "labels", dense(), dense(signals={"add_to_cart": {"gain": 2}})),
    *[
        (
            f"auxiliary.signals.quality.{key}",
            "labels",
            dense(signals=quality()),
            dense(signals=quality(**each)),
        )
        for each in _QUALITIES
        for key in each
    ],
    ("auxiliary.combine", "labels", dense(), dense(combine="max")),
    ("auxiliary.tune", "training", dense(), dense(tune="both")),
    ("teacher.model", "training", teacher(), teacher(model="new.txt")),
    ("teacher.share", "training", teacher(), teacher(share=0.4)),
    *[
        (
            f"negatives.{block}.{key}",
            "training",
            negatives(block, **said),
            negatives(block, **said | {key: value}),
        )
        for block, (said, changed) in _NEGATIVES.items()
        for key, value in changed.items()
    ],
    ("negatives.near_duplicates", "training", {}, {"negatives": {"near_duplicates": 0.1}}),
    ("negatives.at_most_per_list", "training", {}, {"negatives": {"at_most_per_list": 5}}),
    ("rankers.objective", "training", {}, ranker(objective="lambdarank")),
    ("rankers.weight", "training", {}, ranker(weight="impressions")),
    ("rankers.position", "training", {}, ranker(position="feature")),
    ("rankers.auxiliary", "training", {}, ranker(auxiliary="combine")),
    ("rankers.loss", "training", {}, ranker(loss="binary")),
    ("rankers.gain", "training", {}, ranker(gain="exponential")),
    *[
        (
            f"rankers.parameters.{key}",
            "training",
            ranker(parameters=_BAGS),
            ranker(parameters=_BAGS | {key: value}),
        )
        for key, value in _PARAMETERS.items()
    ],
    *[(f"health.{key}", "neither", {}, {"health": {key: v}}) for key, v in _HEALTH.items()],
]


def keys_of(model: type[BaseModel], parent: str = "") -> Iterator[str]:
    """Every key that a file may give a value to, without the names that users choose."""
    for name, field in model.model_fields.items():
        if field.exclude:
            continue
        blocks, plain = taken_apart(field.annotation)
        if plain:
            yield f"{parent}{name}"
        for block in blocks:
            yield from keys_of(block, f"{parent}{name}.")


def taken_apart(annotation: Any) -> tuple[list[type[BaseModel]], bool]:  # noqa: ANN401
    """The models that a value may be or hold, and whether its own value says something too."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation], False
    parts = [each for each in get_args(annotation) if each not in {NoneType, ...}]
    if get_origin(annotation) is Literal or not parts:
        return [], True
    found = [taken_apart(each) for each in parts]
    # of names and blocks (signals) the names count too
    return [block for blocks, _ in found for block in blocks], any(plain for _, plain in found)


def test_each_key_of_the_language_was_decided_on() -> None:
    """A new key of the language belongs into TABLE, and with it into a version or none."""
    assert set(keys_of(Policy)) == {key for key, *_ in TABLE}


@pytest.mark.parametrize(
    ("key", "reach", "base", "change"), TABLE, ids=[f"{key}-{reach}" for key, reach, *_ in TABLE]
)
def test_a_key_changes_the_versions_that_it_belongs_to(
    problem: Problem, make_policy: MakePolicy, key: str, reach: str, base: Changes, change: Changes
) -> None:
    old = make_policy(**base)
    # a file is called like its policy
    new = old.model_copy(update=change) if key == "name" else make_policy(**base | change)
    assert old != new
    assert (label_version(old, problem) != label_version(new, problem)) == (reach == "labels")
    assert (policy_version(old, problem) != policy_version(new, problem)) == (reach != "neither")
