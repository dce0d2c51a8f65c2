"""The percentile of watch time among videos of like duration (d2q).

Source: Zhan et al., Deconfounding Duration Bias in Watch-time Prediction for Video Recommendation,
KDD 2022, section 4; mid-ranks are what ties get.
"""

from label_platform.crafting.duration_bins import BUCKET, binned_sql, buckets_sql
from label_platform.lake import quote_literal
from label_platform.policy import WatchTime

PERCENTILE = "watch_percentile"
MOST_POINTS = 4096
"""Of a bin."""


def percentile_rows_sql(spec: WatchTime, watched: str, bins: str) -> str:
    """Rows of ``label_statistics``: the mid-rank percentile of each w that a bin has seen.

    Of a bin with more than ``MOST_POINTS`` different w, those are kept whose percentile is the
    first in one of ``MOST_POINTS - 1`` slots of equal frequency, and the longest.

    Args:
        spec: names the signal.
        watched: the impressions to fit on.
        bins: made of them.
    """
    name = quote_literal(spec.watch_s)
    return f"""select '{PERCENTILE}' as statistic, {name} as name, bucket, w as at,
    cast(2 * below + n as double) / cast(2 * total as double) as value
from (
    select *, lag(slot) over by_w as slot_before, lead(w) over by_w is null as is_longest
    from (
        select
            *,
            ({MOST_POINTS - 1} * below) // total as slot,
            count(*) over (partition by bucket) as points
        from (
            select bucket, w, n, sum(n) over (partition by bucket order by w) - n as below,
                sum(n) over (partition by bucket) as total
            from (
                select bucket, w, count(*) as n
                from {watched} as watched
                inner join {buckets_sql(watched, bins)} as buckets on watched.d = buckets.d
                group by bucket, w
            )
        )
    )
    window by_w as (partition by bucket order by w)
)
where points <= {MOST_POINTS} or slot_before is null or slot <> slot_before or is_longest"""


def percentile_label_sql(spec: WatchTime, watched: str, statistics: str) -> str:
    """The impressions with their ``label``: on a line between the w that were seen.

    A join as of w sorts all rows. So where a bin has few points rows are first looked up by w
    itself. Nearly all are found if logs have whole or tenths of seconds; only others are sorted.

    Args:
        spec: says how many bins there are at most.
        watched: the impressions to label.
        statistics: ``label_statistics``.
    """
    return f"""(
    with points as materialized (
        select
            cast(bucket as {BUCKET}) as bucket, "at", value,
            case when lag("at") over by_w is null then cast('-infinity' as double)
                else "at" end as start,
            lead("at") over by_w as next_at,
            lead(value) over by_w as next_value,
            count(*) over (partition by bucket) <= {MOST_POINTS // 2} as is_coarse
        from {statistics}
        where statistic = '{PERCENTILE}'
        window by_w as (partition by bucket order by "at")
    ),

    looked_up as materialized (
        select binned.* exclude (d), points.value as label
        from {binned_sql(spec, watched, statistics)} as binned
        left join (select bucket, "at", value from points where is_coarse) as points
            on binned.bucket = points.bucket and binned.w = points."at"
    )

    select * from looked_up where label is not null
    union all
    select
        binned.* replace (
            case when binned.w <= points.at or points.next_at is null then points.value
                else points.value + (points.next_value - points.value)
                    * ((binned.w - points.at) / (points.next_at - points.at)) end as label
        )
    from (select * from looked_up where label is null) as binned
    asof join points on binned.bucket = points.bucket and binned.w >= points.start
)"""
