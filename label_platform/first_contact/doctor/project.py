"""The problem file, and what it refers to: policies, logs, a secret."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from label_platform.first_contact.doctor.finding import Finding
from label_platform.strict_yaml import ConfigurationError

if TYPE_CHECKING:
    from label_platform.problem import Problem

NEW_SECRET = "python3 -c 'import secrets; print(secrets.token_hex(32))'"  # noqa: S105 - a command
"""Prints a secret that nobody can guess."""

SHORTEST_SECRET = 16
"""Characters; a shorter secret can be found by trying."""


def project(problem_file: Path, *, is_default: bool) -> Iterator[Finding]:
    """Whether a problem file and all that it names can be read.

    Args:
        problem_file: the file.
        is_default: whether nobody named it: then it need not be there.
    """
    from label_platform.problem import load_problem

    if is_default and not problem_file.is_file():
        advice = "label-platform init LOGS writes one"
        yield Finding("problem file", "ok", f"none yet at {problem_file}", advice=advice)
        return
    try:
        problem = load_problem(problem_file)
    except ConfigurationError as error:
        yield _refused("problem file", error)
        return
    yield Finding("problem file", "ok", f"{problem_file} is sound")
    yield from _policies(problem)
    yield from _logs(problem, simulates=is_default)
    yield from _secret(problem)


def _policies(problem: "Problem") -> Iterator[Finding]:
    from label_platform.policy import load_policies

    try:
        names = [policy.name for policy in load_policies(problem)]
    except ConfigurationError as error:
        yield _refused("policies", error)
        return
    yield Finding("policies", "ok", f"{', '.join(names)} are sound")


def _logs(problem: "Problem", *, simulates: bool) -> Iterator[Finding]:
    from label_platform.logs.sources import log_files

    if simulates and not problem.resolve(".").exists():
        yield Finding("log files", "ok", "none yet; label-platform run simulates some")
        return
    try:
        files = log_files(problem)
    except ConfigurationError as error:
        yield _refused("log files", error)
        return
    unreadable = [file.path for file in files if not os.access(file.path, os.R_OK)]
    if unreadable:
        advice = f"chmod or chown {unreadable[0]}"
        found = f"{len(unreadable):,} files that this user cannot read"
        yield Finding("log files", "problem", found, "files that can be read", advice)
        return
    yield Finding("log files", "ok", f"{len(files):,} match the patterns")


def _secret(problem: "Problem") -> Iterator[Finding]:
    from label_platform.logs.privacy import SECRET_VARIABLE

    if problem.user_ids == "public":
        yield Finding("user secret", "ok", "not needed, user_ids are public")
        return
    secret = os.environ.get(SECRET_VARIABLE, "")
    if not secret:
        advice = f'export {SECRET_VARIABLE}="$({NEW_SECRET})", or the one of earlier runs'
        expected = "a secret, as user_ids are keyed"
        yield Finding("user secret", "problem", f"no {SECRET_VARIABLE}", expected, advice)
    elif len(secret) < SHORTEST_SECRET:
        found = f"{len(secret)} characters in {SECRET_VARIABLE}"
        advice = "choose a longer one before the first run: another secret gives other keys"
        yield Finding("user secret", "warning", found, f"at least {SHORTEST_SECRET}", advice)
    else:
        yield Finding("user secret", "ok", f"{SECRET_VARIABLE} is set")


def _refused(check: str, error: ConfigurationError) -> Finding:
    first, *rest = str(error).split("\n")
    more = f" (and {len(rest)} more)" if rest else ""
    return Finding(check, "problem", f"{first}{more}", advice="correct the file")
