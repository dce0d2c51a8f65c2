"""Finds the next document after a damaged one, in arrays and in documents that span lines.

A quote or a bracket too many, or one that is missing, changes what all that follows seems to be.
Here documents are parsed one after the other, and what cannot be parsed ends where something
begins that looks like the file's other documents and is one.
"""

import json
import re
from collections.abc import Iterable
from contextlib import suppress

from label_platform.logs.lines import LARGEST_RECORD

BETWEEN = b" \t\r\n,"
"""What stands between documents."""

_DECODER = json.JSONDecoder(strict=False, parse_int=str, parse_float=str)
"""Only says where a document ends; whether it is sound JSON is judged with all other records."""

_DECODED_BYTES = (64 * 1024, 2 * LARGEST_RECORD)
"""How far a document is looked for: one whose array never closes would take in all the others."""

_MOST_BEGINNINGS = 1_000
_BEGINNING = re.compile(r'\{(?=([ \t\r\n]*"(?:[^"\\]|\\.)*"))', re.DOTALL)
_SEPARATORS = (
    re.compile(r"[ \t\r\n,]*"),
    re.compile(r"[ \t\r\n,\]]*(?:\[[ \t\r\n]*(?=\{))?"),
)
"""What stands between documents that are no elements of an array, and between those that are: an
array may also end, and another one begin."""


class KnownDocuments:
    """How the documents of a file begin, and which keys they have.

    The first key with the blanks before it tells most documents from the objects within them: those
    have other keys, or stand further to the right.
    """

    def __init__(self) -> None:
        self._shared: dict[str, set[str]] = {}
        self._keys: set[str] = set()

    def learn(self, documents: Iterable[bytes]) -> None:
        """Note what some sound documents are like."""
        for document in documents:
            text = document.decode("latin-1")
            self.note(text, 0, _decoded(text, 0)[0])

    def note(self, text: str, at: int, document: object) -> None:
        """Note what the sound document at a place of a text is like."""
        found = _BEGINNING.match(text, at)
        if found is None or not isinstance(document, dict):
            return
        if found[1] in self._shared:
            self._shared[found[1]] &= document.keys()
        elif len(self._shared) < _MOST_BEGINNINGS:
            self._shared[found[1]] = set(document)
            self._keys.update(document)

    def is_beginning(self, beginning: str) -> bool:
        """Whether a document is known that begins with these blanks and this key."""
        return beginning in self._shared

    def shares_keys(self, beginning: str, document: object) -> bool:
        """Whether a document has half of what all known ones share that begin as it does."""
        shared = self._shared[beginning]
        return isinstance(document, dict) and 2 * len(shared & document.keys()) >= len(shared)

    def has_keys_of(self, document: object) -> bool:
        """Whether half of a document's keys are known; any are where no document is."""
        keys = set(document) if isinstance(document, dict) else set()
        return not self._keys or 2 * len(keys & self._keys) >= max(len(keys), 1)


def is_document(text: bytes) -> bool:
    """Whether a text is one JSON value and nothing else."""
    with suppress(ValueError, RecursionError):
        return _DECODER.raw_decode(text.decode("latin-1"))[1] == len(text)
    return False


def resynchronised(
    data: bytes, known: KnownDocuments, level: int, left_over: int, *, is_lost: bool
) -> tuple[list[bytes], bytes]:
    """Cut a text whose brackets and quotes cannot be trusted.

    Args:
        data: the text.
        known: the documents of the file; learns those that are found.
        level: in how many brackets the documents stand, 0 or 1.
        left_over: what may go on after the text: so many bytes at its end are not given up.
        is_lost: whether the text begins with the rest of something that was refused.

    Returns:
        Documents, and as one piece each what lies between them; and the end of the text, in which
        no document was found.
    """
    text = data.decode("latin-1")  # a letter per byte: damaged letters are judged with the record
    pieces: list[bytes] = []
    at = 0
    while (at := _after_separators(text, at, level)) < len(text):
        document, end = (None, 0) if is_lost else _sound(text, at, level)
        if end:
            known.note(text, at, document)
            pieces.append(data[at:end])
            at = end
            continue
        if len(text) - at <= left_over:
            break
        following = _next_document(text, at if is_lost else at + 1, known, level)
        if following < 0:
            break
        if not is_lost:
            pieces.append(data[at:following].strip(BETWEEN))
        at, is_lost = following, False
    return pieces, data[at:]


def _after_separators(text: str, at: int, level: int) -> int:
    found = _SEPARATORS[level].match(text, at)
    return found.end() if found else at


def _decoded(text: str, at: int) -> tuple[object, int]:
    """The JSON value at a place and where it ends; 0 if there is none."""
    for size in _DECODED_BYTES:
        with suppress(ValueError, RecursionError):
            document, length = _DECODER.raw_decode(text[at : at + size])
            return document, at + length
        if at + size >= len(text):
            break
    return None, 0


def _sound(text: str, at: int, level: int) -> tuple[object, int]:
    """The document at a place and where it ends; 0 if none is there, or none follows it."""
    document, end = _decoded(text, at)
    following = _after_separators(text, end, level)
    return document, end if following == len(text) or text[following] == "{" else 0


def _next_document(text: str, at: int, known: KnownDocuments, level: int) -> int:
    """Where the next document begins: one that begins like others, else one with their keys."""
    for found in _BEGINNING.finditer(text, at):
        if known.is_beginning(found[1]):
            document, end = _sound(text, found.start(), level)
            if end and known.shares_keys(found[1], document):
                return found.start()
    for found in _BEGINNING.finditer(text, at):
        document, end = _sound(text, found.start(), level)
        if end and known.has_keys_of(document):
            return found.start()
    return -1
