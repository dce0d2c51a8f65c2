"""The rows that a change of policy moves most, each with the arithmetic of both labels."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from label_platform.lake import Engine, quote_literal
from label_platform.pipeline.context import Context
from label_platform.policy import (
    LabelDiff,
    LabelInputs,
    Policy,
    cell_words,
    evidence_sql,
    impression_words,
    used_signals,
)

Key = tuple[str, ...]
_SUMS = ("gain_sum", "expected_examinations")


@dataclass(frozen=True)
class Mover:
    """A row that moves.

    Attributes:
        ids: what tells it from others, with its query and item.
        days: on which it was shown.
        positions: at which it was shown.
        signals: their sums, those that did not come left out.
        theta: mean examination by the old and the new policy; None where it does not matter.
        labels: old and new.
        old_words: how the old label comes about.
        new_words: how the new one does.
        weights: old and new, of rows that train; else None.
    """

    ids: dict[str, str]
    days: tuple[date, ...]
    positions: tuple[int, ...]
    signals: dict[str, float]
    theta: tuple[float | None, float | None]
    labels: tuple[float, float]
    old_words: str
    new_words: str
    weights: tuple[float, float] | None = None

    def as_json(self) -> dict[str, Any]:
        """The row for programs."""
        return asdict(self)


def movers_of(
    context: Context,
    policies: tuple[Policy, Policy],
    inputs: tuple[Mapping[date, LabelInputs], Mapping[date, LabelInputs]],
    diff: LabelDiff,
) -> tuple[Mover, ...]:
    """Explain the rows that move most.

    Args:
        context: reads the impressions behind them.
        policies: old and new.
        inputs: what the labels of each day are made from, of both.
        diff: names the rows.
    """
    keys = ("impression_id",) if diff.grain == "impression" else ("query_id", "item_id")
    if not diff.movers:
        return ()
    condition = " or ".join(
        "(" + " and ".join(f"{key} = {quote_literal(str(row[key]))}" for key in keys) + ")"
        for row in diff.movers
    )
    evidence = [
        evidence_of(context, policy, of_days, condition, keys)
        for policy, of_days in zip(policies, inputs, strict=True)
    ]
    return tuple(
        _mover(policies, row, keys, (evidence[0][found], evidence[1][found]))
        for row in diff.movers
        for found in [tuple(str(row[key]) for key in keys)]
    )


def evidence_of(
    context: Context,
    policy: Policy,
    inputs: Mapping[date, LabelInputs],
    condition: str,
    keys: tuple[str, ...],
) -> dict[Key, list[dict[str, Any]]]:
    """The impressions behind some rows, as ``evidence_sql`` gives them, by the rows' keys."""
    found: dict[Key, list[dict[str, Any]]] = {}
    for day in inputs:
        for row in rows_of(
            context.engine, evidence_sql(policy, context.problem, inputs[day], condition)
        ):
            found.setdefault(tuple(str(row[key]) for key in keys), []).append(row)
    return found


def rows_of(engine: Engine, sql: str) -> list[dict[str, Any]]:
    """What a query finds, each row by its columns' names."""
    names = list(engine.schema(f"({sql})"))
    return [dict(zip(names, row, strict=True)) for row in engine.rows(sql)]


def _mover(
    policies: tuple[Policy, Policy],
    row: dict[str, Any],
    keys: tuple[str, ...],
    evidence: tuple[list[dict[str, Any]], list[dict[str, Any]]],
) -> Mover:
    old, new = evidence
    names = dict.fromkeys([*keys, "query_id", "item_id"])
    signals = {
        name: float(sum(each[name] for each in rows))
        for policy, rows in zip(policies, evidence, strict=True)
        for name in used_signals(policy)
    }
    words = [
        _words(policy, rows, row, side)
        for policy, rows, side in zip(policies, evidence, ("old", "new"), strict=True)
    ]
    return Mover(
        ids={name: str(old[0][name]) for name in names},
        days=tuple(sorted({each["day"] for each in old})),
        positions=tuple(sorted({int(each["position"]) for each in old})),
        signals={name: value for name, value in signals.items() if value},
        theta=(mean_theta(old), mean_theta(new)),
        labels=(row["old_label"], row["new_label"]),
        old_words=words[0],
        new_words=words[1],
    )


def _words(policy: Policy, rows: list[dict[str, Any]], row: dict[str, Any], side: str) -> str:
    label = float(row[f"{side}_label"])
    if f"old_{_SUMS[0]}" not in row:
        return impression_words(policy, rows[0], label)
    gain, expected = (float(row[f"{side}_{name}"]) for name in _SUMS)
    return cell_words(policy, rows, label, (gain, expected))


def mean_theta(rows: list[dict[str, Any]]) -> float | None:
    """The mean examination of some impressions; None where it does not matter."""
    known = [float(each["theta"]) for each in rows if "theta" in each]
    return sum(known) / len(known) if known else None
