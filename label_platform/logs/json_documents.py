"""JSON files cut into documents: lines, arrays, or documents that span lines.

What a file holds is told from its beginning. Where each document stands on a line of its own, a
broken one breaks nothing else; an array or a document that spans lines is cut where its brackets
close, in one vectorised pass.
"""

import json
from collections.abc import Iterator
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

Layout = Literal["lines", "lines_of_array", "array", "spanning"]
ARRAY_PUNCTUATION = " \t\r\n,[]"
"""What stands around an element that has a line of an array to itself."""

_BEGINNING = 2 * LARGEST_RECORD


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


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _cut(chunks: Iterator[bytes], level: int, block_bytes: int) -> Iterator[pa.Table]:
    """Documents that stand in ``level`` brackets; what cannot be cut is one refused record."""
    rest, number, opened = b"", 1, level == 0
    for chunk in chunks:
        data = rest + chunk
        if not opened:  # the array's own bracket
            data, opened = data.lstrip()[1:], True
        ends = _document_ends(data, level)
        pieces = np.split(np.frombuffer(data, np.uint8), ends)
        *whole, rest = (piece.tobytes() for piece in pieces)
        documents = [text for piece in whole if (text := _bare(piece))]
        if documents:
            yield from_records(np.arange(number, number + len(documents)), documents)
            number += len(documents)
        if len(rest) > block_bytes:
            yield _uncut(number, rest, f"found no end of a document within {block_bytes} bytes")
            return
    last = _bare(rest)
    if last and _is_json(last):
        yield from_records(np.array([number]), [last])
    elif last:
        yield _uncut(number, last, "found something that never ends, expected a whole document")


def _bare(piece: bytes) -> bytes:
    return piece.strip(b" \t\r\n,").removesuffix(b"]").strip() if piece else piece


def _uncut(number: int, text: bytes, found: str) -> pa.Table:
    table = from_records(np.array([number]), [text[:1000]])
    refusal = broken(RejectionReason.BROKEN_ARRAY, found)
    return table.set_column(2, "broken", pa.array([refusal], pa.string()))


def _document_ends(data: bytes, level: int) -> Integers:
    """Where documents end: after a comma at the array's level, or after a closing bracket."""
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
    return ends


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
