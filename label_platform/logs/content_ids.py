"""Ids that follow from what a record says: sent again, it has the same; another has another."""

_SEPARATOR = "chr(31)"
"""The unit separator, which stands in no id; a character that does would make two texts one."""


def joined(*parts: str) -> str:
    """SQL: the text that an id is the digest of; an absent part keeps its place.

    Args:
        parts: expressions of any type; empty text counts as absent.
    """
    return f"concat({f', {_SEPARATOR}, '.join(parts)})"
