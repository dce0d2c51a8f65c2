"""Features that are kept beside the logs, joined as they stood when an item was shown.

An impression at time t gets, of the rows about its item, query or user, the one with the latest
``valid_from <= t``. Where a row also says when it was known, it leaks if it is joined to an
impression before that: a count of Monday's clicks holds from Monday, and is known on Tuesday.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from label_platform.lake import quote_identifier

_KEYS = {"item": "item_id", "query": "query_id", "user": "user_key"}


@dataclass(frozen=True)
class JoinedTable:
    """A feature table that was looked at.

    Attributes:
        name: of the table in the problem file.
        of: what its rows are about.
        relation: SQL with the columns key_ (of the type of the impressions' ids), from_ and
            known_ (times with a zone; known_ is null where the table does not say), and features.
        columns: the features.
        max_age: older rows count as missing.
        says_when_known: whether known_ is ever filled.
    """

    name: str
    of: Literal["item", "query", "user"]
    relation: str
    columns: tuple[str, ...]
    max_age: timedelta | None = None
    says_when_known: bool = False


def with_feature_tables_sql(signals: str, tables: Sequence[JoinedTable]) -> str:
    """SQL of impressions with the columns of all feature tables; rows and their number stay.

    Args:
        signals: a relation with shown_at and the ids.
        tables: whose columns' names are all different.
    """
    if not tables:
        return signals
    columns, joins = [], []
    for number, table in enumerate(tables):
        rows = f"features_{number}"
        columns += [_value(table, rows, name) for name in table.columns]
        joins.append(_join(table, rows, "left"))
    selected = "".join(f",\n    {column}" for column in columns)
    return f"""(select
    signals.*{selected}
from {signals} as signals{"".join(joins)})"""


def leaks_sql(signals: str, table: JoinedTable) -> str:
    """SQL of one row: impressions, how many see what was not known yet, and one of them.

    Columns: impressions, leaks, key_, from_, known_, shown_at; the last four are null without a
    leak.

    Args:
        signals: a relation with shown_at and the ids.
        table: says when its rows were known.
    """
    late = "features.known_ > signals.shown_at"
    examples = ",\n    ".join(
        f"min_by({column}, signals.shown_at) filter ({late}) as {name}"
        for name, column in (
            ("key_", "cast(features.key_ as varchar)"),
            ("from_", "cast(features.from_ as varchar)"),
            ("known_", "cast(features.known_ as varchar)"),
            ("shown_at", "cast(signals.shown_at as varchar)"),
        )
    )
    return f"""select
    count(*) as impressions,
    count(*) filter ({late}) as leaks,
    {examples}
from {signals} as signals{_join(table, "features", "inner")}
where signals.excluded_reason is null"""


def wrong_rows_sql(relation: str) -> str:
    """SQL of one row: rows without a usable key, without a time, and rows of the same key and time.

    Args:
        relation: of a ``JoinedTable``.
    """
    return f"""select
    count(*) filter (key_ is null) as without_key,
    count(*) filter (from_ is null) as without_time,
    count(*) - count(distinct {{'key': key_, 'from': from_}}) as doubled
from {relation} as rows"""


def _join(table: JoinedTable, rows: str, kind: Literal["left", "inner"]) -> str:
    return f"""
asof {kind} join {table.relation} as {rows}
    on signals.{_KEYS[table.of]} = {rows}.key_ and signals.shown_at >= {rows}.from_"""


def _value(table: JoinedTable, rows: str, name: str) -> str:
    column = f"{rows}.{quote_identifier(name)}"
    if table.max_age is None:
        return column
    oldest = f"signals.shown_at - interval '{int(table.max_age.total_seconds())} seconds'"
    return f"case when {rows}.from_ >= {oldest} then {column} end as {quote_identifier(name)}"
