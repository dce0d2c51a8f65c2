"""Labels made of how long a video was watched (METHODS, section 6).

With w the seconds watched and D the duration in seconds:

    wt    w / unit_s
    pc    1[w >= D]
    pcr   min(w / D, 1)
"""

import pyarrow as pa

from label_platform.lake import Engine, quote_identifier
from label_platform.policy import LabelInputs, Policy, WatchTime, combined_gain_sql

_OWN = {"wt": "w / {unit}", "pc": "case when w >= d then 1 else 0 end", "pcr": "least(w / d, 1)"}


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
        statistic, name, bucket, at, value.
    """
    raise NotImplementedError(f"{policy.name}: {engine}, {impression_signals}")


def compile_watch_time(policy: Policy, inputs: LabelInputs) -> str:
    """SQL of the labels of a policy with ``watch_time``, in the layout of the ``labels`` table.

    Impressions with an ``excluded_reason`` or without a duration above 0 get no label.

    Args:
        policy: a checked policy.
        inputs: the relations; the statistics may be None where ``needs_watch_statistics`` is not.

    Raises:
        ValueError: the policy has no ``watch_time``.
    """
    spec = policy.watch_time
    if spec is None:
        raise ValueError(f"{policy.name} has no watch_time")
    more = ""
    if policy.auxiliary is not None:
        auxiliary = combined_gain_sql(policy.auxiliary.signals, policy.auxiliary.combine)
        more = f",\n    round(cast({auxiliary} as double), 6) as auxiliary_label"
    return f"""select
    impression_id,
    round(cast({_OWN[spec.label].format(unit=repr(spec.unit_s))} as double), 6) as label,
    cast(1 as double) as weight{more}
from {_watched(spec, inputs.impression_signals)}"""


def _watched(spec: WatchTime, impression_signals: str) -> str:
    """Impressions that count, with w and d in seconds."""
    unit = 1000 if spec.duration_unit == "ms" else 1
    duration = f"cast({quote_identifier(spec.duration)} as double) / {unit}"
    return f"""(
    select *, cast({quote_identifier(spec.watch_s)} as double) as w, {duration} as d
    from {impression_signals}
    where excluded_reason is null and {duration} > 0
)"""
