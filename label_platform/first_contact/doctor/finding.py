"""What one check found."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """The answer of one check.

    Attributes:
        check: what was looked at.
        status: a warning may bite later; a problem keeps a run from working.
        found: what is there.
        expected: what should be, where that is something else.
        advice: what to do about it.
    """

    check: str
    status: Status
    found: str
    expected: str = ""
    advice: str = ""

    def __str__(self) -> str:
        words = [f"found {self.found}" if self.expected else self.found]
        words += [f"expected {self.expected}"] if self.expected else []
        return "; ".join([", ".join(words), *([self.advice] if self.advice else [])])


Check = Callable[[], Iterator[Finding]]


def answers(name: str, check: Check) -> list[Finding]:
    """What a check found; one that fails in a way that nobody foresaw says so."""
    try:
        return list(check())
    except Exception as error:  # noqa: BLE001 - the next check may still tell why
        words = f"{type(error).__name__}: {error}".split("\n", maxsplit=1)[0]
        return [Finding(name, "problem", f"the check itself failed with {words}")]
