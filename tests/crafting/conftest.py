"""Impressions with a duration and a watch time, as a table of the engine."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from label_platform.crafting import compile_watch_time, fit_watch_time, needs_watch_statistics
from label_platform.lake import Engine
from label_platform.policy import LabelInputs, Policy, compile_labels
from label_platform.problem import load_problem

KUAIRAND = Path(__file__).parents[2] / "data" / "problems" / "kuairand.yaml"
Impressions = Sequence[tuple[float | None, float]]
"""Duration and watch time of each, in seconds."""


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(threads=2) as engine:
        yield engine


@pytest.fixture
def impressions(engine: Engine) -> Callable[..., str]:
    """Registers impressions, numbered from 0, and returns the table's name."""

    def register(rows: Impressions, name: str = "impressions", **columns: Sequence[Any]) -> str:
        table = {
            "impression_id": pa.array(range(len(rows)), pa.int64()),
            "duration_ms": pa.array(
                [None if d is None else d * 1000 for d, _ in rows], pa.float32()
            ),
            "watch_s": pa.array([w for _, w in rows], pa.float64()),
            "excluded_reason": pa.array([None] * len(rows), pa.string()),
        }
        engine.register(name, pa.table(table | columns))
        return name

    return register


def policy(label: str, **keys: object) -> Policy:
    """A policy of one watch-time label over milliseconds."""
    own = {key: keys.pop(key) for key in ("bins", "unit_s") if key in keys}
    watch_time = {"label": label, "duration": "duration_ms", "duration_unit": "ms", **own}
    content: dict[str, object] = {"name": "mine", "grain": "impression", "watch_time": watch_time}
    return Policy.model_validate(content | {"rankers": [{"objective": "pointwise"}]} | keys)


def labels(
    engine: Engine, spec: Policy, labelled: str, fitted: str | None = None
) -> dict[int, float]:
    """Label by impression; fitted on the labelled impressions if on no others."""
    statistics = None
    if needs_watch_statistics(spec):
        engine.register("statistics", fit_watch_time(spec, engine, fitted or labelled))
        statistics = "statistics"
    sql = compiled(spec, LabelInputs(labelled, statistics=statistics))
    rows = engine.rows(f"select impression_id, label, weight from ({sql})")
    assert {weight for _, _, weight in rows} <= {1.0}
    assert len(rows) == len({key for key, _, _ in rows})
    return {key: label for key, label, _ in rows}


def compiled(spec: Policy, inputs: LabelInputs) -> str:
    """SQL of a feed's labels, of watch time or of signals."""
    if spec.watch_time is not None:
        return compile_watch_time(spec, inputs)
    return compile_labels(spec, load_problem(KUAIRAND), inputs)
