"""What a program's limits depend on, counted in one pass over the rows of a part."""

from collections.abc import Sequence
from dataclasses import dataclass

from label_platform.lake import Engine, quote_identifier


@dataclass(frozen=True)
class Facts:
    """Of the rows of a part that have weight.

    Attributes:
        rows: how many.
        groups: how many lists, or queries at query-item grain.
        largest_group: the rows of the largest of them.
        lowest: label.
        highest: label.
        weights: different weights.
        groups_of_mixed_weights: groups whose rows differ in weight.
        repeated_items: rows of an item that its group has already.
        ids_with_spaces: rows whose item or group id has white space in it.
        missing: rows without a value, of each feature that has such rows.
    """

    rows: int
    groups: int
    largest_group: int
    lowest: float
    highest: float
    weights: int
    groups_of_mixed_weights: int
    repeated_items: int
    ids_with_spaces: int
    missing: dict[str, int]


def gather_facts(engine: Engine, rows: str, features: Sequence[str]) -> Facts:
    """Count what the limits depend on.

    Args:
        engine: reads the rows.
        rows: relation in the layout of ``examples``, of one part, without rows of weight 0.
        features: the feature columns.
    """
    counted = "".join(
        f", count(*) filter ({column} is null or isnan(cast({column} as double)))"
        for column in map(quote_identifier, features)
    )
    found = engine.row(
        "select count(*), coalesce(min(label), 0), coalesce(max(label), 0),"
        " count(distinct weight), count(*) - count(distinct (group_id, item_id)),"
        r" count(*) filter (regexp_matches(concat(group_id, item_id), '\s'))"
        f"{counted} from {rows} as rows"
    )
    count, lowest, highest, weights, repeated, spaces, *missing = found
    groups, largest, mixed = engine.row(
        "select count(*), coalesce(max(size), 0), count(*) filter (low < high) from (select"
        " count(*) as size, min(weight) as low, max(weight) as high"
        f" from {rows} as rows group by group_id)"
    )
    return Facts(
        rows=count,
        groups=groups,
        largest_group=largest,
        lowest=lowest,
        highest=highest,
        weights=weights,
        groups_of_mixed_weights=mixed,
        repeated_items=repeated,
        ids_with_spaces=spaces,
        missing={name: n for name, n in zip(features, missing, strict=True) if n},
    )
