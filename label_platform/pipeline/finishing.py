"""Fits what a policy's training rows need of each other: predictions, priors, grades, scales."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from label_platform.crafting import fit_empirical_bayes
from label_platform.examples import (
    BASE,
    PREDICTED,
    TAUGHT,
    Fitted,
    base_sql,
    bounds_of,
    bounds_sql,
    dense_scale,
    dense_weights_sql,
    finished_sql,
)
from label_platform.lake import Engine
from label_platform.policy import (
    DualPositives,
    Policy,
    PriorRefusedError,
    Quantiles,
    examples_need_predictions,
    falls_back,
)
from label_platform.ranking import (
    FeatureCodes,
    cross_fitted_labels,
    load_teacher,
    read_features,
    teacher_scores,
)

_FEWEST_QUERIES = 20
_DIGITS = 6

Floats = NDArray[np.float64]


def finished_examples(
    engine: Engine, policy: Policy, examples: str, features: tuple[str, ...]
) -> tuple[str, Fitted]:
    """SQL of a policy's training rows, over tables that this makes, and what was fitted.

    Args:
        engine: holds the tables until the rows are published.
        policy: a checked policy for which ``needs_finish``.
        examples: SQL of the base rows.
        features: their feature columns.

    Raises:
        PriorRefusedError: an empirical Bayes prior would mislead.
    """
    engine.execute(f"create or replace temp table {BASE} as {base_sql(examples)}")
    rows = engine.arrow(f"from {BASE} order by row_id")
    if examples_need_predictions(policy):
        _keep(engine, PREDICTED, "prediction", _predictions(policy, rows, features))
    if policy.teacher is not None:
        teacher = load_teacher(policy.path.parent / policy.teacher.model, features)
        _keep(engine, TAUGHT, "score", teacher_scores(teacher, rows))
    fitted = _fit(engine, policy, rows)
    return finished_sql(policy, fitted), fitted


def _keep(engine: Engine, name: str, column: str, values: Floats) -> None:
    row_id = pa.array(np.arange(1, len(values) + 1))
    # rounded here, so that what is stored gives the label that it gave
    engine.register(name, pa.table({"row_id": row_id, column: np.round(values, _DIGITS)}))


def _predictions(policy: Policy, rows: pa.Table, features: tuple[str, ...]) -> Floats:
    """Of each row's label, or of whether it was rewarded where unclicked rows are weighed by it."""
    label, examined = _floats(rows, "label"), _floats(rows, "expected_examinations")
    if policy.grain == "impression":
        examined = np.maximum(np.nan_to_num(examined, nan=1.0), policy.debias.clip)
    if policy.debias.method in {"none", "posterior", "ips"}:
        label = (label > 0) / examined
    shown = ~_is(rows, "origin", "random")
    # a row that was kept of several stands for them all
    sampled = _floats(rows, "weight" if policy.grain == "query_item" else "raw_weight")
    weight = np.where(_is(rows, "part", "train") & shown, examined * sampled, 0.0)
    matrix = read_features(rows, features, codes=FeatureCodes.of(rows, features))
    return cross_fitted_labels(matrix.astype(np.float64), label, weight, _units(rows))


def _units(rows: pa.Table) -> NDArray[np.str_]:
    """Queries; lists where a log hardly tells queries apart."""
    for column in ("query_id", "group_id"):
        texts = np.asarray(rows.column(column).cast(pa.string()).to_pylist(), dtype=np.str_)
        if len(np.unique(texts)) >= _FEWEST_QUERIES:
            break
    return texts


def _fit(engine: Engine, policy: Policy, rows: pa.Table) -> Fitted:
    fitted = Fitted()
    prior = policy.debias.prior
    if prior is not None and prior.toward == "empirical_bayes":
        trains = _is(rows, "part", "train")
        examined = _floats(rows, "expected_examinations")[trains]
        (signal,) = policy.signals.values()
        counts = _floats(rows, "label")[trains] * examined / signal.gain
        found = fit_empirical_bayes(counts, examined)
        if found.refusal and not falls_back(policy):
            raise PriorRefusedError(policy, found.refusal)
        # in decimals that SQL and people write alike
        mean = round(found.mean * signal.gain, 12)
        fitted = Fitted(mean, round(found.strength, _DIGITS), prior_refusal=found.refusal)
    if isinstance(policy.combine, DualPositives):
        dense, primary = (float(each) for each in engine.row(dense_weights_sql()))
        scale = dense_scale(dense, primary, policy.combine.dense_share)
        fitted = replace(fitted, dense_scale=scale)
    if isinstance(policy.grading, Quantiles):
        lowest, above = engine.row(bounds_sql(policy, fitted))
        fitted = replace(fitted, bounds=bounds_of(policy, lowest, tuple(above or ())))
    return fitted


def _is(rows: pa.Table, name: str, value: str) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = pc.equal(rows.column(name), value).to_numpy().astype(np.bool_)
    return found


def _floats(rows: pa.Table, name: str) -> Floats:
    found: Floats = rows.column(name).cast(pa.float64(), safe=False).to_numpy()
    return found
