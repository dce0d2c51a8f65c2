"""What samples of any format say, in SQL: who was shown what, and what people did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from label_platform.first_contact.guess.samples import Sample
from label_platform.lake import Engine

NOTHING = "null::varchar"


@dataclass(frozen=True)
class Option:
    """A value that the problem file needs and a sample suggests.

    Attributes:
        name: the key.
        value: what it is set to.
        evidence: what was seen that says so.
        is_doubtful: whether a person should look at it, because a sample cannot prove it.
    """

    name: str
    value: Any
    evidence: str
    is_doubtful: bool = False


@dataclass(frozen=True)
class Statements:
    """Queries over one sample, made by :func:`shown` and :func:`said`; empty where it has none."""

    shown: str = ""
    said: str = ""


class FormatGuess(Protocol):
    """How one format's samples are understood."""

    @property
    def name(self) -> str:
        """The format's name in a problem file."""

    @property
    def names_feedback(self) -> bool:
        """Whether every event with an item is feedback; else only known names are taken."""

    @property
    def clocks(self) -> Mapping[str, int]:
        """Columns that hold the time, and how many of their units make a millisecond."""

    def options(self, engine: Engine, samples: Sequence[Sample]) -> list[Option]:
        """The log source's options that are not left at their defaults."""

    def statements(self, sample: Sample, options: Mapping[str, Any]) -> Statements:
        """What a sample says."""


def shown(
    relation: str,
    *,
    request: str,
    item: str,
    moment: str,
    query: str = NOTHING,
    person: str = NOTHING,
    device: str = NOTHING,
    shuffled: str = "null::boolean",
) -> str:
    """One row per item shown. Values are text, but for the moment and whether it was shuffled."""
    return (
        f"select {request} as request, {query} as query, {item} as item, {person} as person,"
        f" {device} as device, {shuffled} as shuffled, {moment} from {relation}"
    )


def said(
    relation: str,
    *,
    signal: str,
    item: str,
    moment: str,
    request: str = NOTHING,
    person: str = NOTHING,
) -> str:
    """One row per event; those without an item are about nothing that was ranked."""
    return (
        f"select {signal} as signal, {request} as request, {item} as item, {person} as person,"
        f" {moment} from {relation}"
    )


def first_given(*values: str) -> str:
    """SQL: the first value that is not null."""
    return f"coalesce({', '.join(values)})"


def snake_case(text: str) -> str:
    """SQL: a text as the name of a signal: addToCart and "Add to cart" are add_to_cart."""
    words = f"regexp_replace({text}, '([a-z0-9])([A-Z])', '\\1_\\2', 'g')"
    return f"lower(trim(regexp_replace({words}, '[^A-Za-z0-9]+', '_', 'g'), '_'))"
