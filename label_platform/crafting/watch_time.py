"""Labels made of how long a video was watched (METHODS, section 6).

With w the seconds watched (at least 0, at most 10^7) and D the duration in seconds:

    wt    w / unit_s
    pc    1[w >= D]
    pcr   min(w / D, 1)
    d2q   percentile of w among the fitted impressions of like duration
    dvr   normal CDF of (w - mean)/sd among those, of 0 where sd = 0
    d2co  expm1(a (w' - q)) / expm1(a (p - q)) within [0, 1], w' = min(w, D), a = 0.3 per second

Impressions with an ``excluded_reason``, or whose D is not known, not above 0 or above 10^7, have no
label and are not fitted on. Labels are rounded to 6 digits.

What is fitted stands in ``label_statistics``, one row each. ``name`` is the column it is about.

    statistic         bucket  at                        value
    duration_bin      bin     its longest duration, s   impressions it was fitted on  d2q dvr d2co
    watch_percentile  bin     w, s                      percentile of w               d2q
    watch_mean        bin     its longest duration, s   mean of w, s                  dvr
    watch_sd          bin     its longest duration, s   sd of w (divided by n), s     dvr
    skipped_mean      bin     its mean duration, s      q, s                          d2co
    watched_mean      bin     its mean duration, s      p, s                          d2co

Bins are numbered from 0 by duration. D belongs to the first bin whose longest duration is D or
more, to the last bin if none is.

- d2q: the percentile of a row ``at`` w is ((impressions of the bin that watched less) + half of
  those that watched as long) / (impressions of the bin). w takes that of its row; between two rows
  the line between them; outside all rows the nearest. A bin with up to 4,096 different w has a row
  for each, so the labels of what was fitted are exact. Of more, 4,096 at most are kept, evenly
  spaced by percentile: labels between them are off by less than 1/4,095.
- dvr: as the bin's two rows say.
- d2co: q and p of D lie on the line between the rows whose ``at`` is nearest below and above D,
  outside all rows they are those of the nearest. p is then at most D, so that who saw all of a
  video has label 1. In this order: w' = 0 gives 0, w' >= p gives 1, w' <= q gives 0.
"""

import pyarrow as pa

from label_platform.crafting.duration_bins import bin_rows_sql, fitted_bins_sql
from label_platform.crafting.duration_mixture import (
    cells_sql,
    fitted_means,
    mean_rows,
    mixture_label_sql,
)
from label_platform.crafting.watch_gain import gain_label_sql, gain_rows_sql
from label_platform.crafting.watch_percentiles import percentile_label_sql, percentile_rows_sql
from label_platform.crafting.watched import watched_sql
from label_platform.lake import Engine
from label_platform.policy import LabelInputs, Policy, WatchTime, combined_gain_sql
from label_platform.policy.gains import rounded_sql

_OWN = {
    "wt": "w / {unit}",
    "pc": "case when w >= d then 1 else 0 end",
    "pcr": "case when w < d then w / d else 1 end",
}
_FITTED_ROWS = {"d2q": percentile_rows_sql, "dvr": gain_rows_sql}
_FITTED_LABELS = {
    "d2q": percentile_label_sql,
    "dvr": gain_label_sql,
    "d2co": mixture_label_sql,
}
STATISTICS_LAYOUT = pa.schema(
    [
        ("statistic", pa.string()),
        ("name", pa.string()),
        ("bucket", pa.int64()),
        ("at", pa.float64()),
        ("value", pa.float64()),
    ]
)


class NothingWatchedError(ValueError):
    """The days to fit on have no impression with a duration."""


def needs_watch_statistics(policy: Policy) -> bool:
    """Whether the label needs what is fitted on other days."""
    return policy.watch_time is not None and policy.watch_time.label not in _OWN


def fit_watch_time(policy: Policy, engine: Engine, impression_signals: str) -> pa.Table:
    """What a policy's watch-time label needs to know of other days, as ``label_statistics``.

    Args:
        policy: with ``watch_time``.
        engine: reads the relation.
        impression_signals: the days to fit on.

    Returns:
        statistic, name, bucket, "at", value, as this module says; in the order of these.

    Raises:
        ValueError: the policy's label needs nothing of other days.
        NothingWatchedError: no impression of those days can be fitted on. Labels would be null,
            or compare with nothing, so there are none.
    """
    spec = policy.watch_time
    if spec is None or not needs_watch_statistics(policy):
        raise ValueError(f"{policy.name} needs nothing of other days")
    watched = watched_sql(spec, impression_signals)
    bins = engine.arrow(f"from {fitted_bins_sql(spec, watched)} order by bucket")
    if bins.num_rows == 0:
        raise NothingWatchedError(
            f"{policy.name}: {spec.label} compares watch times at like durations, but no impression"
            f" of the days to fit on has a duration above 0 in {spec.duration!r}"
        )
    engine.register("fitted_bins", bins)
    found = [engine.arrow(bin_rows_sql(spec, "fitted_bins"))]
    if spec.label == "d2co":
        found.append(_mixture_rows(spec, engine, watched, bins))
    else:
        found.append(engine.arrow(_FITTED_ROWS[spec.label](spec, watched, "fitted_bins")))
    table = pa.concat_tables([each.cast(STATISTICS_LAYOUT) for each in found])
    return table.sort_by([(column, "ascending") for column in ("statistic", "bucket", "at")])


def compile_watch_time(policy: Policy, inputs: LabelInputs) -> str:
    """SQL of the labels of a policy with ``watch_time``, in the layout of the ``labels`` table.

    Impressions with an ``excluded_reason`` or without a duration above 0 get no label.

    Args:
        policy: a checked policy.
        inputs: the relations; the statistics may be None where ``needs_watch_statistics`` is not.

    Raises:
        ValueError: the policy has no ``watch_time``, or lacks statistics that it needs.
    """
    spec = policy.watch_time
    if spec is None:
        raise ValueError(f"{policy.name} has no watch_time")
    more = auxiliary = ""
    if policy.auxiliary is not None:
        gain = combined_gain_sql(policy.auxiliary.signals, policy.auxiliary.combine)
        more = f", {rounded_sql(gain)} as auxiliary_label"
        auxiliary = ",\n    auxiliary_label"
    source = watched_sql(spec, inputs.impression_signals, more)
    label = "label"
    if not needs_watch_statistics(policy):
        label = _OWN[spec.label].format(unit=repr(spec.unit_s))
    elif inputs.statistics is None:
        raise ValueError(f"{policy.name} cannot be compiled without label_statistics")
    else:
        source = _FITTED_LABELS[spec.label](spec, source, inputs.statistics)
    return f"""select
    impression_id,
    {rounded_sql(label)} as label,
    cast(1 as double) as weight{auxiliary}
from {source}"""


def _mixture_rows(spec: WatchTime, engine: Engine, watched: str, bins: pa.Table) -> pa.Table:
    cells = engine.arrow(cells_sql(watched, "fitted_bins"))
    longest, durations, sizes = (
        bins.column(name).to_numpy() for name in ("upper", "mean_d", "impressions")
    )
    counted = (
        cells.column("bucket").to_numpy(),
        cells.column("w").to_numpy(),
        cells.column("n").to_numpy().astype("float64"),
    )
    skipped, seen = fitted_means((longest, durations, sizes), counted)
    return pa.Table.from_pylist(mean_rows(spec, durations, skipped, seen), schema=STATISTICS_LAYOUT)
