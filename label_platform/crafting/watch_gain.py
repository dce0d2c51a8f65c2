"""Watch time against the mean of videos of like duration (dvr).

Source: Zheng et al., DVR: Micro-Video Recommendation Optimizing Watch-Time-Gain under Duration
Bias, MM 2022, equation 1.
"""

from label_platform.crafting.duration_bins import BUCKET, binned_sql, buckets_sql
from label_platform.lake import quote_literal
from label_platform.policy import WatchTime

MEAN = "watch_mean"
DEVIATION = "watch_sd"

_NUMERATOR = (
    3.52624965998911e-02,
    0.700383064443688,
    6.37396220353165,
    33.912866078383,
    112.079291497871,
    221.213596169931,
    220.206867912376,
)
_DENOMINATOR = (
    8.83883476483184e-02,
    1.75566716318264,
    16.064177579207,
    86.7807322029461,
    296.564248779674,
    637.333633378831,
    793.826512519948,
    440.413735824752,
)


def gain_rows_sql(spec: WatchTime, watched: str, bins: str) -> str:
    """Rows of ``label_statistics``: mean and standard deviation of w in each bin.

    Sums are of decimals: they do not depend on the order in which threads add them.

    Args:
        spec: names the signal.
        watched: the impressions to fit on.
        bins: made of them.
    """
    return f"""with binned as (
    select buckets.bucket, watched.w
    from {watched} as watched
    inner join {buckets_sql(watched, bins)} as buckets on watched.d = buckets.d
),

means as (
    select bucket, cast(sum(cast(w as decimal(18, 6))) as double) / count(*) as mean_w
    from binned
    group by bucket
),

moments as (
    select
        bucket,
        mean_w,
        sqrt(cast(sum(cast((w - mean_w) * (w - mean_w) as decimal(38, 9))) as double) / count(*))
            as sd_w
    from binned
    inner join means using (bucket)
    group by bucket, mean_w
)

select moment as statistic, {quote_literal(spec.watch_s)} as name, bucket, upper as at, value
from (
    select '{MEAN}' as moment, bucket, mean_w as value from moments
    union all
    select '{DEVIATION}' as moment, bucket, sd_w as value from moments
)
inner join {bins} as bins using (bucket)"""


def gain_label_sql(spec: WatchTime, watched: str, statistics: str) -> str:
    """The impressions with their ``label``.

    Args:
        spec: says how many bins there are at most.
        watched: the impressions to label.
        statistics: ``label_statistics``.
    """
    # where all were watched alike everyone is at the mean
    deviation = "case when value = 0 then cast('infinity' as double) else value end"
    return f"""(
    select * exclude (z), {normal_cdf_sql("z")} as label
    from (
        select binned.*, (binned.w - moments.mean_w) / moments.sd_w as z
        from {binned_sql(spec, watched, statistics)} as binned
        inner join (
            select
                cast(bucket as {BUCKET}) as bucket,
                max(case when statistic = '{MEAN}' then value end) as mean_w,
                max(case when statistic = '{DEVIATION}' then {deviation} end) as sd_w
            from {statistics}
            where statistic in ('{MEAN}', '{DEVIATION}')
            group by bucket
        ) as moments on binned.bucket = moments.bucket
    )
)"""


def normal_cdf_sql(z: str) -> str:
    """The standard normal distribution function, to 11 digits: the engine has no erf.

    Source: Hart et al., Computer Approximations, 1968, algorithm 5666: the upper tail is
    exp(-z^2/2) times a ratio of two polynomials in the size of z. Meant up to 7; beyond, the
    exponential alone makes the tail 0 to 11 digits.

    Args:
        z: the name of a column.
    """
    size = f"abs({z})"
    ratio = f"{_polynomial(_NUMERATOR, size)} / {_polynomial(_DENOMINATOR, size)}"
    tail = f"exp(-{size} * {size} / 2) * ({ratio})"
    # 1 - tail or tail: each branch of a condition would compute its own tail, on rows picked out
    return f"abs(cast({z} > 0 as integer) - {tail})"


def _polynomial(coefficients: tuple[float, ...], at: str) -> str:
    """By Horner's rule, the highest power's coefficient first; as an expression."""
    text = repr(coefficients[0])
    for coefficient in coefficients[1:]:
        text = f"({text} * {at} + {coefficient!r})"
    return text
