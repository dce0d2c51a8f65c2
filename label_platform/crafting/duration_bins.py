"""Bins of equal frequency over durations, so that videos are compared with others as long."""

from label_platform.lake import quote_literal
from label_platform.policy import WatchTime

BIN = "duration_bin"
"""The statistic's name in ``label_statistics``."""
BUCKET = "usmallint"
"""The type of a bin's number where labels are looked up by it."""


def fitted_bins_sql(spec: WatchTime, watched: str) -> str:
    """The bins of a relation: ``bucket`` from 0, ``upper``, ``mean_d`` and ``impressions``.

    A duration stands in bin floor(bins * (impressions of shorter ones) / (all impressions)), so
    all impressions of one duration share a bin; bins that this leaves empty are not numbered.

    Args:
        spec: says how many bins.
        watched: a relation with ``d``.
    """
    return f"""(
    select
        row_number() over (order by slot) - 1 as bucket,
        max(d) as upper,
        cast(sum(cast(d * n as decimal(28, 6))) as double) / cast(sum(n) as double) as mean_d,
        cast(sum(n) as double) as impressions
    from (
        select d, n, ({spec.bins} * (sum(n) over (order by d) - n)) // sum(n) over () as slot
        from (select d, count(*) as n from {watched} group by d)
    )
    group by slot
)"""


def bin_rows_sql(spec: WatchTime, bins: str) -> str:
    """Rows of ``label_statistics`` that say where each bin ends and how many it was fitted on."""
    name = quote_literal(spec.duration)
    return f"""select '{BIN}' as statistic, {name} as name, bucket, upper as at,
    impressions as value
from {bins}"""


def buckets_sql(watched: str, bins: str) -> str:
    """Each duration of a relation, ``d``, with its ``bucket``.

    That is the first bin that reaches up to it, and the last one for what is longer than all.
    Looked up once for each distinct duration: a join of all rows by an inequality sorts them.

    Args:
        watched: a relation with ``d``.
        bins: a relation with ``bucket`` and ``upper``.
    """
    return f"""(
    select durations.d, bins.bucket
    from (select distinct d from {watched}) as durations
    asof join (
        select
            bucket,
            case when lead(upper) over (order by upper) is null then cast('infinity' as double)
                else upper end as upper
        from {bins}
    ) as bins on durations.d <= bins.upper
)"""


def binned_sql(spec: WatchTime, watched: str, statistics: str) -> str:
    """The impressions with their ``bucket``, by the bins that stand in ``label_statistics``.

    Args:
        spec: says how many bins there are at most.
        watched: the impressions to label.
        statistics: ``label_statistics``.
    """
    ends = f"""select list_slice(list("at" order by bucket), 1, -2)
        from {statistics} where statistic = '{BIN}'"""
    return numbered_sql(watched, ends, spec.bins)


def numbered_sql(watched: str, bounds: str, most: int) -> str:
    """The rows of a relation with ``bucket``: how many bounds are below ``d``.

    Found by halving, in a list that all rows share: neither a sort of the rows nor a hash of them.

    Args:
        watched: a relation with ``d``.
        bounds: a query of one list, ascending.
        most: there are fewer bounds than that, up to 1000.
    """
    rows = f"(select *, cast(0 as bigint) as below, ({bounds}) as bounds from {watched})"
    for power in reversed(range((most - 1).bit_length())):
        step = f"cast({2**power} as bigint)"
        # beyond the list's end is null, which is no reason to go there
        found = f"case when list_extract(bounds, below + {step}) < d then {step} else 0 end"
        rows = f"(select * replace (below + {found} as below) from {rows})"
    # rows are looked up by a number of two bytes without being hashed
    return f"(select * exclude (below, bounds), cast(below as {BUCKET}) as bucket from {rows})"
