"""Feature tables' rows that would be joined to what was shown before they were known."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from label_platform.examples import (
    ExampleRelations,
    JoinedTable,
    absence_sql,
    absences,
    drawn_sql,
    leaks_sql,
)
from label_platform.policy import Policy

if TYPE_CHECKING:
    from label_platform.pipeline.context import Context


class FeatureLeakError(RuntimeError):
    """Rows would see what was only known after the impression, or how a table was made."""


def refuse_leaks(context: "Context", days: Sequence[date]) -> None:
    """Look at each day's impressions once, whatever number of policies they train.

    Raises:
        FeatureLeakError: an impression would see what was only known after it.
    """
    found = context.feature_tables
    for day in days:
        checked = (found.version, context.content("impression_signals", day))
        if checked in context.project.checked_days:
            continue
        for table in found.tables:
            if table.says_when_known:
                signals = context.lake.scan("impression_signals", [day])
                _refuse_leak(context, signals, table, f"impressions of {day}")
        context.project.checked_days.add(checked)


def refuse_leaks_of_draws(context: "Context", policy: Policy, relations: ExampleRelations) -> None:
    """Look at what random items of the catalogue would see, which no list showed.

    What they would see of queries and users is what their lists' own impressions see.

    Raises:
        FeatureLeakError: an item's row would be joined to a list before it was known.
    """
    block = policy.negatives.random
    if block is None:
        return
    for table in relations.feature_tables:
        if table.of == "item" and table.says_when_known:
            drawn = drawn_sql(policy, block, relations)
            words = f"items that {policy.name} draws for negatives.random"
            _refuse_leak(context, drawn, table, words)


def refuse_absence_in_draws(
    context: "Context", policy: Policy, relations: ExampleRelations, examples: str
) -> None:
    """Look whether features of items are missing in random rows, and in no others (or reversed).

    Args:
        context: the problem and the engine.
        policy: has ``negatives.random``.
        relations: what its examples are made from.
        examples: a relation of its training rows.

    Raises:
        FeatureLeakError: over half of the random rows lack a feature and under a tenth of the
            shown ones, or the other way round.
    """
    if not relations.columns_of_items:
        return
    shares = context.engine.row(absence_sql(examples, relations))
    lines = [
        f"{context.problem.name}: {found.source}: leak by absence: {found.column!r} is missing in "
        f"{found.random:.1%} of the rows that {policy.name} draws for negatives.random and in "
        f"{found.shown:.1%} of the shown ones, so its absence gives random items away; expected "
        "values for all items of the catalogue alike, such as 0 for what was never counted: add "
        "them, or leave the column out"
        for found in absences(relations, shares)
        if found.gives_away
    ]
    if lines:
        raise FeatureLeakError("\n".join(lines))


def _refuse_leak(context: "Context", signals: str, table: JoinedTable, words: str) -> None:
    facts: tuple[Any, ...] = context.engine.row(leaks_sql(signals, table))
    impressions, leaks, key, valid_from, known_at, shown_at = facts
    if leaks:
        settings = context.problem.feature_tables[table.name]
        whose = "a user" if table.of == "user" else f"{settings.key_column} {key}"
        raise FeatureLeakError(
            f"{context.problem.name}: feature_tables.{table.name}: leak: {leaks:,} of "
            f"{impressions:,} {words} would see what was only known after them: the row of "
            f"{whose} valid from {valid_from} was known at {known_at}, the item was shown at "
            f"{shown_at}; write {settings.valid_from} so that no row holds before it is known"
        )
