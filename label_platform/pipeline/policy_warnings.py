"""Tells people what their policies may say, and perhaps do not mean."""

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape

from label_platform.policy import Policy, warnings_of
from label_platform.problem import Problem


def print_policy_warnings(console: Console, policies: Iterable[Policy], problem: Problem) -> None:
    """Each warning once, with the policies that it is about."""
    about: dict[str, list[str]] = {}
    for policy in policies:
        for line in warnings_of(policy, problem):
            about.setdefault(line, []).append(policy.name)
    for line, names in about.items():
        console.print(
            f"[yellow]warning:[/] {', '.join(names)}: {escape(line)}",
            highlight=False,
            soft_wrap=True,
        )
