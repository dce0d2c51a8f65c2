"""What ``var`` gives in the SQL models: the problem file's values, and only those a model reads.

They stand in recipes: what a table does not read must not make it stale.
"""

from collections.abc import Iterable
from datetime import date
from typing import Any

from label_platform.lake import Partition, load_models
from label_platform.logs.contract import Wanted
from label_platform.logs.privacy import UserKeys
from label_platform.pipeline.context import Context
from label_platform.policy import click_signal
from label_platform.problem import BotRules, Problem

NO_LIMIT = "9999-12-31 00:00:00+00"


def as_of(_context: Context) -> str:
    """What was ingested later is left out."""
    return NO_LIMIT


def matching_variables(context: Context) -> dict[str, Any]:
    """What decides which impression an event belongs to."""
    problem = context.problem
    return {
        "signals": [
            {
                "name": name,
                "window_s": int(signal.window.total_seconds()),
                "reversed_by": signal.reversed_by,
            }
            for name, signal in problem.signals.items()
        ],
        "touch": problem.attribution.touch,
        "clock_skew_s": int(problem.attribution.clock_skew.total_seconds()),
        "features": [],
        "as_of": as_of(context),
    }


def signal_variables(context: Context, day: date) -> dict[str, Any]:
    """What decides which signals the impressions of a day get, and which of them count."""
    problem = context.problem
    wanted = Wanted("impressions", problem.features)
    columns = context.require(Partition("impressions", day)).columns
    return {
        "signals": [
            {"name": name, "of": signal.of, "reversed_by": signal.reversed_by}
            for name, signal in problem.signals.items()
        ],
        "click_signal": click_signal(problem),
        "features": [name for name in columns if wanted.is_feature(name)],
        "session_gap_s": int(problem.attribution.session_gap.total_seconds()),
        "bots": _bot_rules(problem),
        "as_of": as_of(context),
    }


def statistics_variables(context: Context) -> dict[str, Any]:
    """What impressions and clicks are counted by."""
    return {
        "context": list(context.problem.context),
        "click_signal": click_signal(context.problem),
    }


def model_versions(names: Iterable[str]) -> dict[str, str]:
    """The versions of SQL models, for recipes."""
    models = load_models()
    return {name: models[name].version for name in names}


def _bot_rules(problem: Problem) -> dict[str, Any]:
    """The rules as the tables know people: the problem file has user ids, these have keys.

    Raises:
        ConfigurationError: there are user ids to be keyed and the environment holds no secret.
    """
    rules = problem.bots or BotRules(clicks_per_minute=None)
    known = sorted(map(UserKeys(problem).key, rules.users)) if rules.users else []
    return {
        "users": known,
        "sessions": sorted(rules.sessions),
        "user_agents": sorted(rules.user_agents),
        "clicks_per_minute": rules.clicks_per_minute,
        "lists_per_session": rules.lists_per_session,
    }
