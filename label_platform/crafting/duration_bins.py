"""Bins of equal frequency over durations, so that videos are compared with others as long."""

from label_platform.lake import quote_literal
from label_platform.policy import WatchTime

BIN = "duration_bin"
"""The statistic's name in ``label_statistics``."""


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


def stored_bins_sql(statistics: str) -> str:
    """The bins as they stand in ``label_statistics``."""
    return f"""(select bucket, "at" as upper from {statistics} where statistic = '{BIN}')"""
