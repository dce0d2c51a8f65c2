"""The select list and the source of compiled labels, told apart in their text.

``compile_labels`` writes ``select <columns> from <source> [group by <keys>]`` and nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

_CLOSES = {"(": ")", "{": "}", "[": "]"}
_QUOTES = "'\""


@dataclass(frozen=True)
class LabelSelect:
    """Compiled labels in parts.

    Attributes:
        columns: expressions by the name that they are given.
        source: the relation that they read.
    """

    columns: dict[str, str]
    source: str


def split_select(sql: str) -> LabelSelect:
    """Tell the parts of a compiled policy apart.

    Raises:
        ValueError: the text is not of that form.
    """
    marks = list(_outermost(sql, ("select ", "select\n", "from ", "group by ", ",")))
    starts = [(word.strip(), at) for word, at in marks]
    if [word for word, _ in starts if word != ","][:2] != ["select", "from"] or starts[0][1] != 0:
        raise ValueError(f"expected select ... from ..., found {sql[:80]!r}")
    begin = next(at for word, at in starts if word == "from")
    end = next((at for word, at in starts if word == "group by"), len(sql))
    edges = [len("select"), *(at for word, at in starts if word == "," and at < begin), begin]
    columns = {}
    for first, last in pairwise(edges):
        expression, _, name = sql[first:last].strip(" ,\n").rpartition(" as ")
        columns[name] = expression or name
    return LabelSelect(columns, sql[begin + len("from ") : end].strip())


def _outermost(sql: str, words: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """Where these words stand outside of brackets and quotes, at the beginning of a word."""
    closing: list[str] = []
    quote = ""
    for at, letter in enumerate(sql):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in _QUOTES:
            quote = letter
        elif letter in _CLOSES:
            closing.append(_CLOSES[letter])
        elif closing:
            if letter == closing[-1]:
                closing.pop()
        elif letter == "," or at == 0 or sql[at - 1].isspace():
            word = next((each for each in words if sql.startswith(each, at)), "")
            if word:
                yield word, at
