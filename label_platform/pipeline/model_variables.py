"""What ``var`` gives in the SQL models: the problem file's values."""

from datetime import date, timedelta
from typing import Any

from label_platform.lake import Partition, quote_literal
from label_platform.logs import UserKeys
from label_platform.logs.contract import Wanted
from label_platform.pipeline.context import Context
from label_platform.policy import click_signal
from label_platform.problem import BotRules, Problem, Signal

_NO_RULE = 2**31 - 1


def matching_variables(context: Context, day: date) -> dict[str, Any]:
    """The values that decide which impression an event of a day belongs to."""
    attribution = context.problem.attribution
    return {
        "signals": _signals(context.problem),
        "first_event_day": day.isoformat(),
        "last_event_day": day.isoformat(),
        "touch": attribution.touch,
        "clock_skew_s": int(attribution.clock_skew.total_seconds()),
        "features": [],
        "as_of": context.as_of,
    }


def signal_variables(context: Context, day: date) -> dict[str, Any]:
    """The values that decide what an impression led to, and whether it counts."""
    problem = context.problem
    wanted = Wanted("impressions", problem.features)
    columns = context.require(Partition("impressions", day)).columns
    return {
        "signals": _signals(problem),
        "click_signal": click_signal(problem),
        "viewed_signal": problem.propensity.viewed_signal,
        "context": list(problem.context),
        "features": [name for name in columns if wanted.is_feature(name)],
        "session_gap_s": int(problem.attribution.session_gap.total_seconds()),
        **_exclusions(problem, problem.bots or BotRules(clicks_per_minute=None)),
        "as_of": context.as_of,
    }


def reversal_window(problem: Problem, signal: Signal) -> timedelta:
    """How long after a signal another event may take it back; zero if none does.

    As long as the signal itself has after its impression, unless the other event is a signal of
    the problem, too, with a window of its own.
    """
    if signal.reversed_by is None:
        return timedelta(0)
    return problem.signals.get(signal.reversed_by, signal).window


def _signals(problem: Problem) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "window_s": int(signal.window.total_seconds()),
            "of": signal.of,
            "reversed_by": signal.reversed_by,
            "reversal_window_s": int(reversal_window(problem, signal).total_seconds()),
        }
        for name, signal in problem.signals.items()
    ]


def _exclusions(problem: Problem, rules: BotRules) -> dict[str, Any]:
    users = [UserKeys(problem).key(user) for user in rules.users]
    return {
        "bot_clicks_per_minute": rules.clicks_per_minute or _NO_RULE,
        "bot_lists_per_session": rules.lists_per_session or _NO_RULE,
        "bot_users": _listed(users),
        "bot_sessions": _listed(rules.sessions),
        # each stands within quotation marks
        "bot_user_agents": [part.lower().replace("'", "''") for part in rules.user_agents],
    }


def _listed(values: list[str] | tuple[str, ...]) -> str:
    """What stands between the brackets of an ``in``; nothing is in null."""
    return ", ".join(map(quote_literal, values)) or "null"
