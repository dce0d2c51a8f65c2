"""The SQL of what estimators read: counts whose size does not grow with the log."""

from collections.abc import Sequence

from label_platform.lake import quote_identifier
from label_platform.propensity.log_statistics import FEWEST_QUERIES

_BUCKETS = 200
"""Groups of queries or items that a bootstrap draws from where items are pooled."""


def randomized_statistics_sql(relation: str, context: Sequence[str]) -> str:
    """SQL that sums the randomised lists of ``position_statistics`` for ``estimate_randomized``.

    One row per context, length of the list and position that was shown at all. Rows that only
    lists of the ranker's own showed have zero impressions and clicks: they tell the estimator
    which contexts and positions no randomised list covers.

    Args:
        relation: the days of ``position_statistics`` to sum: a table's name or a scan.
        context: the context columns; they come back as text.
    """
    columns = [quote_identifier(column) for column in context]
    selected = "".join(f"cast({column} as varchar) as {column},\n    " for column in columns)
    grouped = ", ".join([*(f"cast({column} as varchar)" for column in columns), "list_length"])
    ordered = "".join(f"{number} nulls last, " for number in range(1, len(columns) + 1))
    return f"""select
    {selected}list_length as length,
    position,
    cast(sum(case when randomized then impressions else 0 end) as bigint) as impressions,
    cast(sum(case when randomized then clicks else 0 end) as bigint) as clicks
from {relation}
group by {grouped}, position
order by {ordered}length, position"""


def position_counts_sql(relation: str, context: Sequence[str]) -> str:
    """SQL of impressions, clicks and views of all lists by context, length of the list, position.

    ``viewable`` are the impressions of days that log views at all; only they are compared, and
    only within lists of one ``length``: who is shown long lists may look at less of each.
    """
    return f"""select
    {_as_text(context)}list_length as length,
    position,
    cast(sum(impressions) as bigint) as impressions,
    cast(sum(clicks) as bigint) as clicks,
    cast(sum(viewed) as bigint) as viewed,
    cast(sum(case when viewed is not null then impressions else 0 end) as bigint) as viewable
from {relation}
group by all
order by all"""


def cell_statistics_sql(
    relation: str,
    context: Sequence[str],
    *,
    pooled: bool = False,
    max_cells: int | None = None,
    by_day: bool = False,
    with_ids: bool = False,
) -> str:
    """SQL of the (context, query, item, position) cells of lists that rankers made.

    Columns: the context, query and item (codes; an item's is unique over contexts and queries),
    position, impressions, clicks, impressions_below_click, clicks_below_click.

    Args:
        relation: the days of ``position_statistics`` to sum.
        context: the context columns; they come back as text.
        pooled: sum items of equal exposure, and leave out those seen at one position. Two items
            with the same impressions at the same positions have the same place in the likelihoods
            of ``pbm`` and of the harvests, whatever their relevance, so that these lose nothing;
            a query's code is then that of one of 200 groups of queries, chosen by md5; of fewer
            than 20 queries, of items.
        max_cells: where pooling leaves more cells, the sums that come first by md5 are taken up to
            so many. Exposure chooses them, not clicks, so that this biases nothing.
        by_day: with a column ``day``, and only items seen at several positions of a day.
        with_ids: with query_id and item_id too, for ``features_sql``.
    """
    day = "day, " if by_day else ""
    shown = f"""with shown as (
    select
        {day}{_as_text(context)}query_id,
        item_id,
        position,
        {_sums("impressions", "clicks", "impressions_below_click", "clicks_below_click")}
    from {relation}
    where not randomized
    group by all
),
several as (
    select * from shown
    qualify count(*) over (partition by {day}{_quoted(context)}query_id, item_id) > 1
)"""
    if pooled:
        return _pooled(shown, context, max_cells)
    return f"""{shown}
select
    {day}{_quoted(context)}dense_rank() over (order by query_id) as query,
    dense_rank() over (order by {_quoted(context)}query_id, item_id) as item,
    position,
    impressions,
    clicks,
    impressions_below_click,
    clicks_below_click{", query_id, item_id" if with_ids else ""}
from {"several" if by_day else "shown"}
order by {day}query, item, position"""


def swap_statistics_sql(relation: str, context: Sequence[str]) -> str:
    """SQL of the cells of lists that rankers made by chance, each probability known.

    Impressions and clicks are sums of 1/probability over what chance placed: known, below 1 and
    at least .0001. ``counted_impressions`` and ``counted_clicks`` are how many these are; those
    of the same item and position that stood there for certain are none of them.
    """
    return f"""with shown as (
    select
        {_as_text(context)}query_id,
        item_id,
        position,
        sum(weighted_impressions) as impressions,
        sum(weighted_clicks) as clicks,
        cast(sum(chance_impressions) as bigint) as counted_impressions,
        cast(sum(chance_clicks) as bigint) as counted_clicks
    from {relation}
    where not randomized and chance_impressions > 0
    group by all
)
select
    {_quoted(context)}dense_rank() over (order by query_id) as query,
    dense_rank() over (order by {_quoted(context)}query_id, item_id) as item,
    position,
    impressions,
    clicks,
    counted_impressions,
    counted_clicks
from shown
order by query, item, position"""


def count_cells_sql(relation: str, context: Sequence[str]) -> str:
    """SQL of how many rows ``cell_statistics_sql`` gives unpooled."""
    keys = f"{_as_text(context)}query_id, item_id, position"
    return f"select count(*) from (select distinct {keys} from {relation} where not randomized)"


def list_statistics_sql(relation: str, context: Sequence[str], max_lists: int) -> str:
    """SQL of whole lists with their clicks, one row per place of a list.

    Columns: the context, list, query and item (codes), position, clicked. Where there are more
    lists than ``max_lists``, the queries that come first by md5 are taken whole. Where fewer than
    20 queries fit whole, as in a feed, whose lists are all of one query, the lists that come first
    by md5 are taken, whatever their query.

    Args:
        relation: the days of ``impression_signals``, with a column ``clicked``.
        context: the context columns; they come back as text.
        max_lists: how many lists to take at most.
    """
    return f"""with lists as (select distinct request_id, query_id from {relation}),
ordered as (
    select
        query_id,
        sum(count(*)) over (
            order by md5(cast(query_id as varchar)), query_id rows unbounded preceding
        ) as up_to
    from lists
    group by query_id
),
fitting as (select query_id from ordered where up_to <= {max_lists}),
first_lists as (
    select distinct request_id
    from lists
    order by md5(cast(request_id as varchar)), request_id
    limit {max_lists}
),
kept as (
    select request_id
    from lists
    semi join fitting using (query_id)
    where (select count(*) from fitting) >= {FEWEST_QUERIES}
    union all
    select request_id
    from first_lists
    where (select count(*) from fitting) < {FEWEST_QUERIES}
),
shown as (
    select
        {_as_text(context)}request_id, query_id, item_id, position, max(clicked) as clicked
    from {relation}
    semi join kept using (request_id)
    group by all
)
select
    {_quoted(context)}dense_rank() over (order by request_id) as list,
    dense_rank() over (order by query_id) as query,
    dense_rank() over (order by {_quoted(context)}query_id, item_id) as item,
    query_id,
    item_id,
    position,
    clicked
from shown
order by list, position"""


def features_sql(coded: str, signals: str, context: Sequence[str], features: Sequence[str]) -> str:
    """SQL of the features of coded items: those of the last impression, as numbers.

    Args:
        coded: a relation with the context, query_id, item_id and item (the code).
        signals: the days of ``impression_signals``.
        context: the context columns.
        features: the columns; what is not a number becomes null.
    """
    same = " and ".join(
        f"cast(signals.{name} as varchar) is not distinct from codes.{name}"
        for name in map(quote_identifier, context)
    )
    values = ", ".join(
        f"arg_max(try_cast(signals.{name} as double), signals.shown_at) as {name}"
        for name in map(quote_identifier, features)
    )
    return f"""with codes as (
    select distinct {_quoted(context)}query_id, item_id, item from {coded}
)
select codes.item, {values}
from {signals} as signals
inner join codes
    on signals.query_id = codes.query_id and signals.item_id = codes.item_id
    {f"and {same}" if same else ""}
group by codes.item
order by codes.item"""


def _pooled(shown: str, context: Sequence[str], max_cells: int | None) -> str:
    keys = _quoted(context)
    same = " and ".join(
        f"several.{name} is not distinct from exposures.{name}"
        for name in (*map(quote_identifier, context), "query_id", "item_id")
    )
    few = f"(select count(distinct query_id) from shown) < {FEWEST_QUERIES}"
    drawn = f"case when {few} then concat(query_id, ' ', item_id) else concat(query_id) end"
    first = f"where up_to <= {max_cells}" if max_cells is not None else ""
    return f"""{shown},
exposures as (
    select
        {keys}query_id,
        item_id,
        cast(concat('0x', substr(md5({drawn}), 1, 8)) as bigint) % {_BUCKETS} as bucket,
        string_agg(concat(position, ':', impressions), ',' order by position) as exposure
    from several
    group by all
),
summed as (
    select
        {"".join(f"several.{name}, " for name in map(quote_identifier, context))}bucket,
        exposure,
        position,
        {_sums("impressions", "clicks", "impressions_below_click", "clicks_below_click")}
    from several
    inner join exposures on {same}
    group by all
),
coded as (
    select *, dense_rank() over (order by {keys}bucket, exposure) as item from summed
),
sized as (
    select
        item,
        sum(count(*)) over (
            order by md5(concat(bucket, ' ', exposure)), item rows unbounded preceding
        ) as up_to
    from coded
    group by item, bucket, exposure
)
select
    {keys}bucket as query,
    item,
    position,
    impressions,
    clicks,
    impressions_below_click,
    clicks_below_click
from coded
semi join (select item from sized {first}) as kept using (item)
order by query, item, position"""


def _sums(*columns: str) -> str:
    return ", ".join(f"cast(sum({column}) as bigint) as {column}" for column in columns)


def _quoted(context: Sequence[str]) -> str:
    return "".join(f"{quote_identifier(column)}, " for column in context)


def _as_text(context: Sequence[str]) -> str:
    names = [quote_identifier(column) for column in context]
    return "".join(f"cast({name} as varchar) as {name}, " for name in names)
