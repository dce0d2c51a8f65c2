"""Which columns a problem file names as features, format by format."""

from collections.abc import Sequence

from label_platform.first_contact.guess.features import (
    as_globs,
    feature_names,
    numeric_columns,
    numeric_fields,
)
from label_platform.first_contact.guess.metarank import metarank_fields
from label_platform.first_contact.guess.recognition import Recognition
from label_platform.first_contact.guess.samples import Sample
from label_platform.first_contact.guess.statements import Option
from label_platform.lake import Engine
from label_platform.logs.contract import Table

_OUTCOMES_OF_BANDIT = ("click", "propensity_score", "timestamp")


def choose_features(
    engine: Engine, recognition: Recognition, samples: Sequence[Sample]
) -> tuple[Option, Option, tuple[str, ...]]:
    """The features of impressions, those of items, and what was left out as an outcome."""
    kind = recognition.format
    lists = recognition.samples("impressions") if kind == "native" else list(samples)
    logged: list[str] = []
    stored: list[str] = []
    outcomes: list[str] = []
    if kind in {"native", "open_bandit"}:
        taken = _OUTCOMES_OF_BANDIT if kind == "open_bandit" else ()
        logged, outcomes = numeric_columns(engine, lists, "impressions", taken)
    elif kind == "kuairand":  # all other numbers came of the impression
        found, _ = numeric_columns(engine, lists, "impressions")
        logged = [name for name in found if name == "duration_ms"]
    elif kind == "metarank":
        logged, stored = _metarank(engine, lists)
    items = [*recognition.samples("items"), *recognition.samples("beside")]
    if items:
        more, doubtful = numeric_columns(engine, items, "items", taken=logged)
        stored, outcomes = [*stored, *more], [*outcomes, *doubtful]
    return (
        _option("features", logged, lists, "impressions"),
        _option("item_features", stored, items, "items"),
        tuple(outcomes),
    )


def _metarank(engine: Engine, samples: Sequence[Sample]) -> tuple[list[str], list[str]]:
    both = [metarank_fields(sample) for sample in samples]
    logged = numeric_fields(engine, " union all ".join(pairs for pairs, _ in both))
    stored = numeric_fields(engine, " union all ".join(pairs for _, pairs in both))
    return logged, [name for name in stored if name not in logged]


def _option(key: str, names: list[str], samples: Sequence[Sample], table: Table) -> Option:
    if not names:
        what = "logged with the impression" if key == "features" else "of the items"
        return Option(key, [], f"no numbers {what} were seen that could be features")
    globs = as_globs(names, feature_names(samples, table))
    return Option(key, globs, f"{len(names):,} columns that hold only numbers")
