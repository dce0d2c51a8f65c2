"""JSON files cut into documents: lines, arrays, or documents that span lines.

What a file holds is told from its beginning. Where each document stands on a line of its own, a
broken one breaks nothing else; an array or a document that spans lines is cut where its brackets
close, in one vectorised pass, and one by one from where a piece turns out to be no document.
"""

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from label_platform.logs.contract import RejectionReason
from label_platform.logs.lines import (
    BLOCK_BYTES,
    LARGEST_RECORD,
    Integers,
    from_records,
    read_blocks,
    read_bytes,
)
from label_platform.logs.records import broken
from label_platform.logs.resynchronisation import (
    BETWEEN,
    KnownDocuments,
    is_document,
    resynchronised,
)

Layout = Literal["lines", "lines_of_array", "array", "spanning"]
ARRAY_PUNCTUATION = " \t\r\n,[]"
"""What stands around an element that has a line of an array to itself."""

_BEGINNING = 2 * LARGEST_RECORD
_LEARNT_DOCUMENTS = 1_000


def layout_of(beginning: bytes) -> Layout:
    """How the documents of a file lie in it, told from the file's first bytes.

    Anything but lines needs a sound first document as its proof: a broken first line must not
    change how all the others are read.
    """
    text = beginning.decode(errors="replace").lstrip()
    is_array = text.startswith("[")
    if is_array:
        text = text[1:].lstrip()
    if not text.startswith("{"):
        return "lines"
    end = _document_end(text)
    if end == 0:
        return "lines"
    spans = "\n" in text[:end]
    if not is_array:
        return "spanning" if spans else "lines"
    rest = text[end:].lstrip(" \t\r,")
    following = rest.lstrip()
    spans = spans or "\n" in following[: _document_end(following)]
    return "lines_of_array" if rest.startswith("\n") and not spans else "array"


def _document_end(text: str) -> int:
    """Where the document that a text begins with ends; 0 if there is none."""
    try:
        return json.JSONDecoder().raw_decode(text)[1]
    except (ValueError, RecursionError):
        return 0


def read_documents(path: Path, block_bytes: int = BLOCK_BYTES) -> tuple[Layout, Iterator[pa.Table]]:
    """The documents of a JSON file, plain or compressed.

    Returns:
        How they lie, and blocks of line (for arrays and spanning documents the document's number,
        from 1), text and broken (null where the document can be looked at).

    Raises:
        UnreadableFileError: the bytes cannot be read or decompressed.
    """
    layout = layout_of(next(read_bytes(path, _BEGINNING), b""))
    if layout in {"lines", "lines_of_array"}:
        return layout, read_blocks(path, block_bytes)
    return layout, _cut(read_bytes(path, block_bytes), 1 if layout == "array" else 0, block_bytes)


def _cut(chunks: Iterator[bytes], level: int, block_bytes: int) -> Iterator[pa.Table]:
    """Documents that stand in ``level`` brackets; what lies between them is a refused record."""
    rest, number, opened, is_lost = b"", 1, level == 0, False
    known = KnownDocuments()
    for chunk in chain(chunks, [None]):
        data = rest + (chunk or b"")
        if not opened:  # the array's own bracket
            data, opened = data.lstrip()[1:], True
        documents, rest, is_sound = _whole(data, level, is_last=chunk is None, is_lost=is_lost)
        if number == 1 or not is_sound:
            known.learn(documents[:_LEARNT_DOCUMENTS])
        if not is_sound or len(rest) > block_bytes:
            left_over = 0 if chunk is None else block_bytes
            found, rest = resynchronised(rest, known, level, left_over, is_lost=is_lost)
            is_lost = is_lost and not found
            documents += found
        if documents:
            yield from_records(np.arange(number, number + len(documents)), documents)
            number += len(documents)
        refusal = _refusal(rest, block_bytes, is_last=chunk is None)
        if refusal and not is_lost:
            yield _uncut(number, rest.strip(BETWEEN), refusal)
            number, is_lost = number + 1, True
        if is_lost:
            rest = rest[-block_bytes:]


def _refusal(rest: bytes, block_bytes: int, *, is_last: bool) -> str:
    """What is wrong with what no document was found in; nothing, where one may still end."""
    if is_last and _bare(rest):
        return "found something that never ends, expected a whole document"
    return f"found no end of a document within {block_bytes} bytes" * (len(rest) > block_bytes)


def _whole(
    data: bytes, level: int, *, is_last: bool, is_lost: bool
) -> tuple[list[bytes], bytes, bool]:
    """A text's documents up to the first that is none, the text from there, and if all are sound.

    A piece is only parsed if it may be more than one document, or does not look like one.
    """
    if is_lost:
        return [], data, False
    ends, suspects = _document_ends(data, level)
    if is_last:
        ends = np.append(ends, len(data))
    documents: list[bytes] = []
    before = start = 0
    for place, end in enumerate(ends.tolist()):
        text = _bare(data[start:end])
        looks_sound = text.startswith(b"{") and text.endswith(b"}") and place not in suspects
        if text and not looks_sound and not is_document(text):
            if documents and not text.startswith(b"{"):  # the rest of the document before
                documents.pop()
                start = before
            return documents, data[start:], False
        if text:
            documents.append(text)
            before = start
        start = end
    return documents, data[start:], True


def _bare(piece: bytes) -> bytes:
    return piece.strip(BETWEEN).removesuffix(b"]").strip() if piece else piece


def _uncut(number: int, text: bytes, found: str) -> pa.Table:
    table = from_records(np.array([number]), [text[:1000]])
    refusal = broken(RejectionReason.BROKEN_ARRAY, found)
    return table.set_column(2, "broken", pa.array([refusal], pa.string()))


def _document_ends(data: bytes, level: int) -> tuple[Integers, set[int]]:
    """Where documents end: after a comma at the array's level, or after a closing bracket.

    Returns:
        The ends, and which pieces hold an object after an object: in a list, or where two
        documents were not told apart.
    """
    characters = np.frombuffer(data, np.uint8)
    places = np.flatnonzero(np.isin(characters, list(b'"{}[],')))
    found = characters[places]
    quotes = (found == ord('"')) & ~_is_escaped(characters, places)
    outside = np.cumsum(quotes) % 2 == 0
    opens = np.isin(found, list(b"{[")) & outside
    closes = np.isin(found, list(b"}]")) & outside
    depth = np.cumsum(opens.astype(np.int32) - closes)
    is_end = (found == ord(",")) & outside if level else closes
    ends: Integers = places[is_end & (depth == 0)] + 1
    marks = np.flatnonzero(np.isin(found, list(b'"{}')))  # within texts, too: quotes may be wrong
    follows = (found[marks[:-1]] == ord("}")) & (found[marks[1:]] == ord("{"))
    first = np.searchsorted(ends, places[marks[:-1][follows]], side="right")
    second = np.searchsorted(ends, places[marks[1:][follows]], side="right")
    return ends, set(first[first == second].tolist())


def _is_escaped(characters: npt.NDArray[np.uint8], places: Integers) -> npt.NDArray[np.bool_]:
    """Whether an odd number of backslashes stands before a place."""
    escaped = np.zeros(len(places), dtype=bool)
    suspects = np.flatnonzero((places > 0) & (characters[places - 1] == ord("\\")))
    for suspect in suspects.tolist():
        before = int(places[suspect]) - 1
        run = 0
        while before >= 0 and characters[before] == ord("\\"):
            run, before = run + 1, before - 1
        escaped[suspect] = run % 2 == 1
    return escaped
