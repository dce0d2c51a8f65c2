"""A proposal as the text of a problem file, its guesses marked as such."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from label_platform.first_contact.guess.proposal import NO_CLICK, Proposal
from label_platform.first_contact.guess.signals import SignalGuess
from label_platform.first_contact.guess.statements import Option

_WIDTH = 100
_PLAIN = (
    "What is marked as guessed was told from that; what is marked as please check could not be."
)


def problem_text(proposal: Proposal) -> str:
    """The text of a problem file."""
    opening = [*proposal.opening, _PLAIN]
    lines = [line for words in opening for line in _comment(words, "")]
    lines += [
        f"name: {proposal.name}",
        *_entry(proposal.start_date),
        *_end_date(proposal),
        *_entry(proposal.ids),
        f"logs_folder: {_scalar(proposal.logs_folder)}",
        "logs:",
        *(line for source in proposal.sources for line in _source(source, proposal)),
        "signals:",
        *(line for signal in proposal.signals for line in _signal(signal)),
        *_entry(proposal.context),
        *_entry(proposal.features),
        *_outcomes(proposal.outcomes),
        *_entry(proposal.item_features),
        *_entry(proposal.training),
        "policies:",
        *_entry(proposal.policies_folder, "  "),
        *_entry(proposal.policies, "  "),
        "  allow_refused: true               # a refused policy does not fail the run",
        *_entry(proposal.user_ids),
        *(line for words in proposal.notes for line in _comment(words, "")),
    ]
    return "\n".join(lines) + "\n"


def _entry(option: Option, indent: str = "") -> list[str]:
    mark = "please check" if option.is_doubtful else "guessed"
    line = f"{indent}{option.name}: {_value(option.value)}"
    return _with_comment(line, f"{mark}: {option.evidence}", indent)


def _end_date(proposal: Proposal) -> list[str]:
    if proposal.end_date is not None:
        return _entry(proposal.end_date)
    words = "guessed: no end_date, because the log goes on; its last day so far is"
    return _comment(f"{words} {proposal.last_day}", "")


def _source(source: Mapping[str, Any], proposal: Proposal) -> Iterator[str]:
    indent = "    "
    first = "  - "
    for key, value in source.items():
        yield f"{first}{key}: {_value(value)}"
        first = indent
    if proposal.time_zone is not None:
        yield from _entry(proposal.time_zone, indent)
    if proposal.options:
        yield f"{indent}options:"
    for option in proposal.options:
        yield from _entry(option, indent + "  ")


def _signal(signal: SignalGuess) -> list[str]:
    if not signal.is_possible:
        words = f"{signal.name!r} was seen {signal.events:,} times, but is no name of a signal"
        return _comment(f"{words}: those have lower-case letters, digits and _", "  ")
    line = f"{_scalar(signal.name)}: {_value(signal.settings)}"
    if not signal.is_taken:
        # a comment of its own, so that the line is right without its first mark
        return _with_comment(f"  # {line}", f"seen {signal.events:,} times, not taken", "  ")
    if not signal.events:
        return _with_comment(f"  {line}", f"please check: {NO_CLICK}", "  ")
    return _with_comment(f"  {line}", f"guessed: seen {signal.events:,} times", "  ")


def _outcomes(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    found = ", ".join(names[:10])
    return _comment(f"left out of the features, as they look like an outcome: {found}", "")


def _with_comment(line: str, words: str, indent: str) -> list[str]:
    beside = f"{line:<35} # {_printable(words)}"
    if len(beside) <= _WIDTH and "\n" not in line:
        return [beside]
    return [*_comment(words, indent), *line.split("\n")]


def _comment(words: str, indent: str) -> list[str]:
    start = f"{indent}# "
    return textwrap.wrap(
        _printable(words),
        _WIDTH,
        initial_indent=start,
        subsequent_indent=start,
        break_on_hyphens=False,
    )


def _printable(words: str) -> str:
    """Names in logs may hold anything; a comment ends where its line does."""
    return "".join(letter if letter.isprintable() else " " for letter in words)


def _value(value: Any) -> str:  # noqa: ANN401 - any YAML
    """A value in YAML's flow style, as people write it: {window: 30m}."""
    if isinstance(value, Mapping):
        return (
            "{" + ", ".join(f"{_scalar(key)}: {_value(each)}" for key, each in value.items()) + "}"
        )
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:  # noqa: ANN401 - any YAML
    # within a list, so that it is quoted wherever a flow style needs it
    text = yaml.safe_dump([value], default_flow_style=True, width=10**6, allow_unicode=True)
    return text.strip()[1:-1]
