"""The columns that slices are made of, and whether their parts came together as they should."""

from collections.abc import Iterable
from typing import Any

from label_platform.evaluation import (
    COMPUTED,
    NEW_ITEMS,
    QUERY_FREQUENCY,
    LogCheck,
    mix_check,
    query_frequencies,
    randomized_share_check,
)
from label_platform.examples import Split
from label_platform.lake import Partition, quote_identifier
from label_platform.logs.contract import is_named_by, layout
from label_platform.pipeline.context import Context
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError, nearest

_ADDED = ("list_length", "first_clicked_position", "last_clicked_position", "excluded_reason")
"""The columns that impressions get beside those of their log."""
_DROPPED = {"ingested_at"}
_PARTS_SHOWN = 100
"""Of a column's values, or of days, those with the most lists are looked at."""


def slices_recipe(context: Context, split: Split) -> dict[str, Any]:
    """What slices are made from, beside the evaluation days' impressions.

    Raises:
        ConfigurationError: a slice is no column of the impressions.
    """
    slices = context.problem.evaluation.slices
    known = context.require(Partition("impression_signals", split.evaluate[-1])).columns
    wrong = wrong_slices(context.problem, known)
    if wrong:
        raise ConfigurationError("\n".join(wrong))
    learned = set(slices) & set(COMPUTED)
    return {
        "columns": slices,
        "learned_from": context.contents("impression_signals", split.train) if learned else {},
    }


def declared_columns(problem: Problem) -> list[str]:
    """The columns that impressions will have by what the problem says, its patterns left out."""
    logged = set(layout("impressions", problem.ids, {})) - _DROPPED
    signals = [each for name in problem.signals for each in (name, f"{name}_delay_s")]
    return sorted({*logged, *_ADDED, *problem.context, *signals})


def wrong_slices(problem: Problem, columns: Iterable[str] = ()) -> list[str]:
    """The slices that a comparison refuses, a line each.

    Args:
        problem: with its slices.
        columns: of the impressions. Without any, those that the problem says they will have, by
            patterns too: what only a log can say passes.
    """
    known, patterns = list(columns), problem.features
    if known:
        patterns = ()
    else:
        known = declared_columns(problem)
    slices, wrong = problem.evaluation.slices, []
    key = f"{problem.name}: evaluation: slices"
    for number, name in enumerate(slices):
        if name not in {*known, *COMPUTED} and not is_named_by(name, patterns):
            hint = nearest(name, [*known, *COMPUTED])
            wrong.append(
                f"{key}: entry {number + 1}: {name!r} is no column of the impressions; {hint}"
            )
        elif name in slices[:number]:
            wrong.append(f"{key}: {name!r} stands twice")
    return wrong


def with_segments(context: Context, split: Split, shown: str) -> str:
    """SQL of the evaluation days' impressions, with the slices that training days decide."""
    slices = context.problem.evaluation.slices
    train = f"{context.lake.scan('impression_signals', split.train)} where excluded_reason is null"
    columns, joins = [], []
    if QUERY_FREQUENCY in slices:
        counted = context.engine.frame(
            f"select query_id, count(*) as impressions from {train} group by query_id"
        )
        counts = counted["impressions"].to_numpy(dtype=float)
        context.engine.register(
            "query_frequencies", counted.assign(frequency=query_frequencies(counts))
        )
        columns.append(f"coalesce(frequent.frequency, 'tail') as {QUERY_FREQUENCY}")
        joins.append(
            "left join query_frequencies as frequent on frequent.query_id = shown.query_id"
        )
    if NEW_ITEMS in slices:
        known = f"(select distinct item_id from {train})"
        columns.append(f"known.item_id is null as {NEW_ITEMS}")
        joins.append(f"left join {known} as known on known.item_id = shown.item_id")
    if not columns:
        return shown
    return f"select shown.*, {', '.join(columns)} from ({shown}) as shown {' '.join(joins)}"


def sample_ratio_checks(context: Context, split: Split) -> list[LogCheck]:
    """Whether lists in random order, and parts of the traffic, are as many as they should be."""
    relation = context.lake.scan("impression_signals", (*split.train, *split.evaluate))
    names = [name for name in context.problem.evaluation.slices if name not in COMPUTED]
    chosen = "".join(
        f", coalesce(any_value({quote_identifier(name)})::varchar, 'null') as part{number}"
        for number, name in enumerate(names)
    )
    lists = (
        f"(select any_value(randomized) as randomized, min(shown_at)::date as day{chosen} "
        f"from {relation} where excluded_reason is null group by request_id)"
    )
    found = [randomized_share_check("randomized_share_by_day", _counts(context, "day", lists))]
    first = f"date '{split.evaluate[0]}'"
    for number, name in enumerate(names):
        before = _counts(context, f"part{number}", f"{lists} where day < {first}")
        after = _counts(context, f"part{number}", f"{lists} where day >= {first}")
        mixes = ({part: lists for part, (_, lists) in of.items()} for of in (before, after))
        found += [
            randomized_share_check(f"randomized_share_by_{name}", after),
            mix_check(f"mix_of_{name}", *mixes),
        ]
    return found


def _counts(context: Context, column: str, lists: str) -> dict[str, tuple[int, int]]:
    """Of each value, the lists in random order and all lists."""
    rows = context.engine.rows(f"""
select {column} as part, count(*) filter (where randomized) as random, count(*) as lists
from {lists}
group by part
order by lists desc, part
limit {_PARTS_SHOWN}""")
    return {str(part): (random, lists) for part, random, lists in rows}
