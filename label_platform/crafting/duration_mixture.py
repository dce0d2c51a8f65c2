"""Watch time against what skipping and watching look like at a duration (d2co).

In each bin of durations, w truncated at D is a mixture of two normal distributions, of those who
skip (mean q) and of those who watch (mean p). With q and p smoothed over D,

    label = expm1(a (w - q)) / expm1(a (p - q)), within [0, 1], a = 0.3 per second

The unit of a is what makes it: a second, as that of w, q and p everywhere here. So the label of
who stops t seconds before p is about exp(-0.3 t), whatever the duration: .41 at 3 s, .05 at 10 s.

Source: Zhao et al., Uncovering User Interest from Biased and Noised Watch Time in Video
Recommendation, RecSys 2023.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from label_platform.crafting.duration_bins import BUCKET, buckets_sql, numbered_sql
from label_platform.policy import WatchTime

SKIPPED = "skipped_mean"
WATCHED = "watched_mean"
SHARPNESS_PER_S = 0.3
CELLS = 1000
"""Cells that a bin's watch times are counted in, each a share of its longest duration."""

_LEAST_DEVIATION = 0.02
"""Of the longest duration: full plays all end at one second, which would take a component."""
_MOST_STEPS = 1000
_REACH = 2
"""Bins on either side that smooth one."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Mixture:
    """Two normal distributions of one bin.

    Attributes:
        skipped_mean: the lower mean.
        watched_mean: the higher one.
        skipped_share: of the lower component.
    """

    skipped_mean: float
    watched_mean: float
    skipped_share: float


def cells_sql(watched: str, bins: str) -> str:
    """How often each watch time came: ``bucket``, ``w`` (the mean of a cell) and ``n``.

    Args:
        watched: the impressions to fit on.
        bins: made of them.
    """
    return f"""select
    bucket,
    cast(sum(cast(w as decimal(18, 6))) as double) / count(*) as w,
    count(*) as n
from (
    select
        bins.bucket,
        least(watched.w, watched.d) as w,
        round(least(watched.w, watched.d) / bins.upper * {CELLS}) as cell
    from {watched} as watched
    inner join {buckets_sql(watched, bins)} as buckets on watched.d = buckets.d
    inner join {bins} as bins on buckets.bucket = bins.bucket
)
group by bucket, cell
order by bucket, cell"""


def fit_mixture(values: Floats, counts: Floats, longest: float) -> Mixture:
    """Expectation maximisation from a split at the mean, until the means stand still.

    Args:
        values: different watch times, shape (values,).
        counts: how often each came, above 0.
        longest: the greatest value that can come; deviations are at least 2% of it.

    Returns:
        Equal means where all values are the same.
    """
    total = counts.sum()
    mean = float((values * counts).sum() / total)
    low = values <= mean
    if low.all():
        return Mixture(mean, mean, 1.0)
    belongs = np.where(low, [[1.0], [0.0]], [[0.0], [1.0]])
    means = np.zeros(2)
    for _ in range(_MOST_STEPS):
        mass = belongs * counts
        sizes = mass.sum(axis=1)
        previous, means = means, (mass * values).sum(axis=1) / sizes
        if np.abs(means - previous).max() < 1e-9 * longest:
            break
        squares = (mass * (values - means[:, None]) ** 2).sum(axis=1) / sizes
        deviations = np.maximum(np.sqrt(squares), _LEAST_DEVIATION * longest)[:, None]
        log_density = (
            np.log(sizes / total)[:, None]
            - np.log(deviations)
            - ((values - means[:, None]) / deviations) ** 2 / 2
        )
        belongs = np.exp(log_density - np.logaddexp(*log_density))
    skipped = int(means.argmin())
    return Mixture(float(means[skipped]), float(means[1 - skipped]), float(sizes[skipped] / total))


def smoothed(durations: Floats, values: Floats, sizes: Floats) -> Floats:
    """Each bin's value on the straight line through it and its neighbours.

    The line is that of least squares over up to two bins on either side, each weighted by its
    size times 3, 2 or 1 by nearness: what is linear in the duration stays as it is, at both ends
    too, where a moving average would bend it.

    Args:
        durations: the mean duration of each bin, ascending.
        values: of each bin.
        sizes: its impressions.
    """
    lines = np.empty(len(values))
    for number in range(len(values)):
        near = slice(max(0, number - _REACH), number + _REACH + 1)
        apart = np.abs(np.arange(len(values))[near] - number)
        weights = sizes[near] * (_REACH + 1 - apart)
        x = durations[near] - durations[number]
        y = values[near]
        mean_x, mean_y = np.average(x, weights=weights), np.average(y, weights=weights)
        spread = (weights * (x - mean_x) ** 2).sum()
        slope = (weights * (x - mean_x) * (y - mean_y)).sum() / spread if spread > 0 else 0.0
        lines[number] = mean_y - slope * mean_x
    return lines


def fitted_means(
    bins: tuple[Floats, Floats, Floats], cells: tuple[NDArray[np.int64], Floats, Floats]
) -> tuple[Floats, Floats]:
    """Means q and p of each bin, smoothed over durations.

    Args:
        bins: longest duration, mean duration and impressions of each.
        cells: bucket, watch time and count of each cell, as ``cells_sql`` gives them.
    """
    longest, durations, sizes = bins
    buckets, values, counts = cells
    found = [
        fit_mixture(values[buckets == bucket], counts[buckets == bucket], float(longest[bucket]))
        for bucket in range(len(longest))
    ]
    skipped = smoothed(durations, np.array([each.skipped_mean for each in found]), sizes)
    watched = smoothed(durations, np.array([each.watched_mean for each in found]), sizes)
    skipped = np.clip(skipped, 0.0, longest)
    return skipped, np.clip(watched, skipped, longest)


def mixture_label_sql(spec: WatchTime, watched: str, statistics: str) -> str:
    """The impressions with their ``label``.

    Args:
        spec: says how many bins there are at most.
        watched: the impressions to label.
        statistics: ``label_statistics``.
    """
    # the same ratio, of exponentials of what is below 0: those of long videos would overflow
    left, whole = (f"(1 - exp({SHARPNESS_PER_S!r} * ({of} - p)))" for of in ("seen", "q"))
    return f"""(
    select
        * exclude (seen, q, p),
        case when seen >= p and seen > 0 then 1 when seen <= q then 0
            else 1 - {left} / {whole} end as label
    from (
        select * replace (case when p < d then p else d end as p),
            case when w < d then w else d end as seen
        from {_means_sql(spec, watched, statistics)}
    )
)"""


def _means_sql(spec: WatchTime, watched: str, statistics: str) -> str:
    """The impressions with means q and p: on a line between the bins' mean durations."""
    mean_durations = f"""select list_slice(list("at" order by bucket), 2, -1)
        from {statistics} where statistic = '{SKIPPED}'"""
    lines = ", ".join(
        f'case when d > "at" then {of} + {of}_per_s * (d - "at") else {of} end as {of}'
        for of in ("q", "p")
    )
    slopes = ", ".join(
        f"""coalesce((lead({of}) over by_at - {of}) / (lead("at") over by_at - "at"), 0)
            as {of}_per_s"""
        for of in ("q", "p")
    )
    return f"""(
    select * exclude (bucket, "at", q, p, q_per_s, p_per_s), {lines}
    from {numbered_sql(watched, mean_durations, spec.bins)} as binned
    inner join (
        select *, {slopes}
        from (
            select
                cast(bucket as {BUCKET}) as bucket,
                max("at") as "at",
                max(case when statistic = '{SKIPPED}' then value end) as q,
                max(case when statistic = '{WATCHED}' then value end) as p
            from {statistics}
            where statistic in ('{SKIPPED}', '{WATCHED}')
            group by bucket
        )
        window by_at as (order by bucket)
    ) as points using (bucket)
)"""


def mean_rows(spec: WatchTime, durations: Floats, q: Floats, p: Floats) -> list[dict[str, object]]:
    """Rows of ``label_statistics``."""
    return [
        {
            "statistic": statistic,
            "name": spec.watch_s,
            "bucket": bucket,
            "at": float(durations[bucket]),
            "value": float(values[bucket]),
        }
        for statistic, values in ((SKIPPED, q), (WATCHED, p))
        for bucket in range(len(durations))
    ]
