"""Warns where an unusual share of a day's impressions counts for nothing.

A rule that fits too many is as bad as a crawler that no rule fits, and neither breaks anything.
"""

from datetime import date, timedelta
from statistics import median

import dagster as dg

from label_platform.lake import Partition, days_between
from label_platform.pipeline.attribution import EXCLUDED
from label_platform.pipeline.context import Context
from label_platform.problem import BotRules

_TIMES_MEDIAN = 3
_WORTH_A_WARNING = 0.01
_DAYS_TO_COMPARE = 3
_REASONS_SHOWN = 3
_DAY = timedelta(days=1)


def excluded_share(context: Context, day: date) -> float | None:
    """The share of a day's impressions that are excluded; None where there are none."""
    manifest = context.lake.manifest(Partition("impression_signals", day))
    if manifest is None or not manifest.rows:
        return None
    reasons: dict[str, int] = manifest.attributes.get(EXCLUDED, {})
    return sum(reasons.values()) / manifest.rows


def unusual_share(context: Context, day: date) -> str:
    """What is unusual about the share of a day that is excluded; empty if nothing is."""
    share = excluded_share(context, day)
    if share is None:
        return ""
    limit = (context.problem.bots or BotRules()).warn_share
    if share > limit:
        return f"above bots.warn_share, {limit:.1%}"
    days = days_between(day - context.problem.training.window, day - _DAY)
    known = [other for each in days if (other := excluded_share(context, each)) is not None]
    if len(known) < _DAYS_TO_COMPARE or share <= _WORTH_A_WARNING:
        return ""
    usual = median(known)
    if share <= _TIMES_MEDIAN * usual:
        return ""
    return f"more than {_TIMES_MEDIAN} times the median of {len(known)} days before, {usual:.1%}"


def excluded_share_is_usual(
    context: Context, name: str, partitions: list[Partition]
) -> dg.AssetCheckResult:
    """Whether no more is excluded than the problem file allows, and than was on the days before."""
    unusual = {
        partition.day: words
        for partition in partitions
        if (words := unusual_share(context, partition.day))
    }
    lines = [f"{_words(context, day)}: {words}" for day, words in unusual.items()]
    return dg.AssetCheckResult(
        check_name=name,
        passed=not unusual,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"share": excluded_share(context, partitions[-1].day) or 0.0},
        description="; ".join(lines) or _words(context, partitions[-1].day),
    )


def _words(context: Context, day: date) -> str:
    manifest = context.require(Partition("impression_signals", day))
    reasons = manifest.attributes.get(EXCLUDED, {})
    top = sorted(reasons.items(), key=lambda reason: (-reason[1], reason[0]))[:_REASONS_SHOWN]
    named = ", ".join(f"{reason} {rows:,}" for reason, rows in top)
    share = sum(reasons.values()) / manifest.rows if manifest.rows else 0.0
    of_rows = f"{day}: {share:.1%} of {manifest.rows:,} impressions are excluded"
    return f"{of_rows} ({named})" if named else of_rows
