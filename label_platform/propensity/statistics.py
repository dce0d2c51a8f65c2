"""What estimators read of ``position_statistics``."""

from collections.abc import Sequence

from label_platform.lake import quote_identifier


def randomized_statistics_sql(relation: str, context: Sequence[str]) -> str:
    """SQL that sums the randomised lists of ``position_statistics`` for ``estimate_randomized``.

    One row per context, list length and position that was shown at all. Rows that only lists of
    the ranker's own showed have zero impressions and clicks: they tell the estimator which
    contexts and positions no randomised list covers.

    Args:
        relation: the days of ``position_statistics`` to sum: a table's name or a scan.
        context: the context columns; they come back as text.
    """
    columns = [quote_identifier(column) for column in context]
    selected = "".join(f"cast({column} as varchar) as {column},\n    " for column in columns)
    grouped = ", ".join([*(f"cast({column} as varchar)" for column in columns), "list_length"])
    ordered = "".join(f"{number} nulls last, " for number in range(1, len(columns) + 1))
    return f"""select
    {selected}list_length,
    position,
    cast(sum(case when randomized then impressions else 0 end) as bigint) as impressions,
    cast(sum(case when randomized then clicks else 0 end) as bigint) as clicks
from {relation}
group by {grouped}, position
order by {ordered}list_length, position"""
