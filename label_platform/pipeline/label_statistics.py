"""impression_signals of other days -> what a policy's labels are scaled by: bins, delays."""

from datetime import date, datetime, timedelta
from math import ceil
from typing import Any

import pyarrow as pa

from label_platform.crafting import STATISTICS_LAYOUT, fit_watch_time, needs_watch_statistics
from label_platform.lake import Manifest, Partition, recipe_hash
from label_platform.pipeline.as_of import end_of
from label_platform.pipeline.context import Context
from label_platform.pipeline.delays import arrival_curves
from label_platform.policy import ARRIVED, Policy, label_version, reweighted_signals, used_signals

_DAY = timedelta(days=1)


def needs_statistics(policy: Policy) -> bool:
    """Whether a policy's labels are scaled by what was fitted on other days."""
    return needs_watch_statistics(policy) or policy.delay.immature == "reweight"


def fitting_days(context: Context, day: date) -> tuple[date, ...]:
    """The days that a day's labels are scaled by: a trailing window that ends before the day.

    It ends as many days before as validate, so that none of those is fitted on. At the beginning
    of a log, where a full window does not exist yet, it reaches forward to the last training day.
    """
    days = context.log_days
    length = max(1, ceil(context.problem.training.window / _DAY))
    last_training_day = context.last_training_day(days[-1])
    full_window = days[0] + timedelta(days=length - 1)
    lag = max(1, ceil(context.problem.training.validation / _DAY))
    last = max(day - lag * _DAY, min(full_window, last_training_day))
    first = max(days[0], last - timedelta(days=length - 1))
    return tuple(known for known in days if first <= known <= last)


def as_of_if_immature(context: Context, policy: Policy, day: date) -> datetime | None:
    """The end of what is known, where a policy reweights and a day's windows were open then."""
    if policy.delay.immature != "reweight":
        return None
    known = context.known_until
    window = max(context.problem.signals[name].window for name in used_signals(policy))
    return known if end_of(day) + window > known else None


def label_statistics_recipe(context: Context, partition: Partition) -> dict[str, Any]:
    """What a day's statistics are made from."""
    policy = context.project.policy(partition.policy)
    days = fitting_days(context, partition.day) if needs_watch_statistics(policy) else ()
    moment = as_of_if_immature(context, policy, partition.day)
    followed = tuple(context.event_days) if moment else ()
    read = {*days, *(context.log_days if moment else ())}
    return {
        "impression_signals": {
            str(day): context.content("impression_signals", day) for day in sorted(read)
        },
        "followed": context.contents("matched_interactions", followed),
        "as_of": str(moment),
        "label_version": label_version(policy, context.problem),
    }


def build_label_statistics(context: Context, partition: Partition) -> Manifest:
    """Fit what a day's labels are scaled by, on other days."""
    policy = context.project.policy(partition.policy)
    found = [STATISTICS_LAYOUT.empty_table()]
    attributes = {}
    if needs_watch_statistics(policy):
        days = fitting_days(context, partition.day)
        attributes = {"first_day": str(days[0]), "last_day": str(days[-1])}
        signals = context.lake.scan("impression_signals", days)
        found.append(fit_watch_time(policy, context.engine, signals).cast(STATISTICS_LAYOUT))
    if as_of_if_immature(context, policy, partition.day):
        found.append(_arrived_shares(context, policy))
    context.engine.register("fitted_statistics", pa.concat_tables(found))
    return context.lake.publish(
        context.engine,
        partition,
        "from fitted_statistics",
        recipe=recipe_hash(label_statistics_recipe(context, partition)),
        attributes=attributes,
    )


def _arrived_shares(context: Context, policy: Policy) -> pa.Table:
    """By signal and age, the share of its feedback that has come."""
    curves = arrival_curves(context, reweighted_signals(policy))
    rows = [
        {"statistic": ARRIVED, "name": signal, "bucket": 0, "at": float(at), "value": float(share)}
        for signal, (ages_s, shares) in curves.items()
        for at, share in zip(ages_s, shares, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=STATISTICS_LAYOUT)
