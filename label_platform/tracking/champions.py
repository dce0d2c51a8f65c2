"""Who was champion, in which order and why: read from the registry's tags, without MLflow."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, Self

How = Literal["verdict", "by hand", "release", "rollback", "retirement"]
_STEPS_BACK = ("rollback", "retirement")


@dataclass(frozen=True)
class TitleChange:
    """One change of champion.

    Attributes:
        at: when, in UTC.
        version: the champion from then on; empty if there was none.
        before: the champion up to then; empty if there was none.
        how: by a comparison's verdict, by hand, by giving up the one before; a release changes
            nobody's title, it ends what was decided by hand.
        reason: in words.
    """

    at: str
    version: str
    before: str
    how: How
    reason: str

    def to_json(self) -> str:
        """As a tag holds it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """From a tag."""
        return cls(**json.loads(text))


def earlier_champion(changes: Sequence[TitleChange], barred: Collection[str] = ()) -> str:
    """The champion to go back to; empty if there is none.

    Going back twice goes back two champions: what was given up is not gone back to.

    Args:
        changes: the oldest first.
        barred: versions that shall not be champion again.
    """
    stack: list[str] = []
    for change in changes:
        if change.how in _STEPS_BACK:
            # what was given up, and what came after what is gone back to
            known = change.version in stack
            stack = stack[: stack.index(change.version)] if known else []
        if change.version:
            stack = [*(each for each in stack if each != change.version), change.version]
    return next((each for each in reversed(stack[:-1]) if each not in barred), "")


def held_by_hand(changes: Sequence[TitleChange]) -> str:
    """Why somebody gave the title by hand, while that stands; empty where verdicts decide.

    Args:
        changes: the oldest first. Verdicts in between only passed the title to a newer ranker of
            the same arm.
    """
    last = next((each for each in reversed(changes) if each.how != "verdict"), None)
    return last.reason if last and last.how == "by hand" else ""
