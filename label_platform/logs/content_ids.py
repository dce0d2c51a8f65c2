"""Ids that follow from what a record says: sent again, it has the same; another has another.

Whoever knows all but one of the values that an id is made of could try out the last one. Where that
is a user, a session or what somebody typed, the digest takes in a secret too: the pepper.
"""

from label_platform.lake import Engine, quote_literal

_SEPARATOR = "chr(31)"
"""The unit separator, which stands in no id; a character that does would make two texts one."""
_PEPPER = "content_pepper"


def prepare_pepper(engine: Engine, pepper: str) -> None:
    """Give the engine what :func:`peppered` reads.

    It is a macro, which is a constant to whoever uses it and stands in no statement but this.

    Args:
        engine: computes ids.
        pepper: text; without any, ids are digests of what the records say and nothing else.
    """
    text = quote_literal(f"{pepper}\x1f" if pepper else "")
    engine.execute(f"create or replace macro {_PEPPER}() as {text}")


def peppered(text: str) -> str:
    """SQL: the text with the pepper before it; null where there is none."""
    return f"({_PEPPER}() || {text})"


def joined(*parts: str) -> str:
    """SQL: the text that an id is the digest of; an absent part keeps its place.

    Args:
        parts: expressions of any type; empty text counts as absent.
    """
    return f"concat({f', {_SEPARATOR}, '.join(parts)})"
