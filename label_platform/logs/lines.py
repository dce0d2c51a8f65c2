"""Text files as numbered lines, in blocks: one bad line is one bad record, not a bad file.

An engine's own reader gives up on a file with one invalid byte or one oversized line and miscounts
blank lines. Here lines are cut out of the bytes as arrays, at the speed of the decompression, and
a line that is no sound text only marks itself.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from label_platform.logs.contract import RejectionReason
from label_platform.logs.records import UnreadableFileError, broken

BLOCK_BYTES = 30 * 1024 * 1024
"""Enough lines for the engine's row groups; of 32 MiB, the C library would reuse no memory."""
LARGEST_RECORD = 1024 * 1024
DEEPEST_NESTING = 100
KEPT_OF_LARGE = 1000
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
_BATCH_ROWS = 8_192
_SCAN_BYTES = 512 * 1024
_FLAT, _READ, _ENDED = b"flat", b"read", b"ended"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NOT_ASCII = 128
_IS_SPACE = np.isin(np.arange(256), list(b" \t\n\v\f\r"))
_SCHEMA = pa.schema([("line", pa.int64()), ("text", pa.string()), ("broken", pa.string())])

Bytes = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]


def read_blocks(path: Path, block_bytes: int = BLOCK_BYTES) -> Iterator[pa.Table]:
    """The lines of a text file, plain or compressed, without blank ones.

    A block is cut while the one before it is in use.

    Yields:
        Tables of line (from 1, blank lines counted), text (with its end of line, or without) and
        broken (null where the line is fine); :func:`is_flat` tells more of a table.

    Raises:
        UnreadableFileError: the bytes cannot be read or decompressed.
    """
    blocks = _blocks(path, block_bytes)
    with ThreadPoolExecutor(max_workers=1) as thread:
        coming = thread.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = thread.submit(next, blocks, None)
            yield block


def _blocks(path: Path, block_bytes: int) -> Iterator[pa.Table]:
    number = 1
    is_plain = path.suffix.lower() not in _COMPRESSIONS
    for data, ends, read, is_ended in _whole_lines(path, block_bytes):
        if len(ends):
            table = _table(data, ends, number)
            number += len(ends)
        else:
            table = _oversized(data.tobytes(), number)
            number += 1
        end = {_READ: str(read if is_plain else 0), _ENDED: str(is_ended)}
        yield table.replace_schema_metadata({**(table.schema.metadata or {}), **end})


def read_bytes(path: Path, block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The bytes of a file, decompressed, without a byte order mark.

    Raises:
        UnreadableFileError: the bytes cannot be read or decompressed.
    """
    first = True
    with _opened(path) as stream:
        while chunk := stream.read(block_bytes):
            yield chunk.removeprefix(_BYTE_ORDER_MARK) if first else chunk
            first = False


@contextmanager
def _opened(path: Path) -> Iterator[pa.NativeFile]:
    compression = _COMPRESSIONS.get(path.suffix.lower())
    try:
        with pa.input_stream(str(path), compression=compression) as stream:
            yield stream
    except (OSError, pa.ArrowException) as error:
        raise UnreadableFileError(f"{path}: cannot be read: {error}") from error


def _whole_lines(path: Path, block_bytes: int) -> Iterator[tuple[Bytes, Integers, int, bool]]:
    """Blocks of whole lines and their ends; of an oversized line its beginning, without an end.

    With each the bytes that were read so far, and whether its last line has its end in the file.
    """
    rest = np.empty(0, np.uint8)
    skipping, first, read = False, True, 0
    with _opened(path) as stream:
        while len(data := _after(rest, stream, block_bytes)) > len(rest):
            read += len(data) - len(rest)
            if first and data[:3].tobytes() == _BYTE_ORDER_MARK:
                data = data[3:]
            first = False
            ends = _line_ends(data)
            if skipping and len(ends):
                start = ends[0] + 1
                data, ends, skipping = data[start:], ends[1:] - start, False
            cut = ends[-1] + 1 if len(ends) else 0
            if cut:
                yield data[:cut], ends, read, True
            rest = data[:0] if skipping else data[cut:]
            if len(rest) > LARGEST_RECORD:
                yield rest[:KEPT_OF_LARGE], ends[:0], read, True
                rest, skipping = data[:0], True
    if len(rest):
        yield np.append(rest, np.uint8(ord("\n"))), np.array([len(rest)]), read, False


def _after(rest: Bytes, stream: pa.NativeFile, size: int) -> Bytes:
    """What is left of the block before, and the next bytes of a file, in memory of their own."""
    data = np.empty(len(rest) + size, np.uint8)  # of large pages, unlike the bytes of a read()
    data[: len(rest)] = rest
    filled = len(rest)
    while filled < len(data) and (count := stream.readinto(data[filled:])):
        filled += count
    return data[:filled]


def _table(data: Bytes, ends: Integers, first: int) -> pa.Table:
    """A block's lines, without blank ones."""
    starts = np.concatenate([[0], ends[:-1] + 1])
    numbers = first + np.arange(len(ends))
    objects, arrays = _count(data, "{"), _count(data, "[")
    is_short = objects + arrays <= len(ends) + DEEPEST_NESTING
    if not _IS_SPACE[data[starts]].any() and _is_sound(data, starts, ends, is_short=is_short):
        offsets = np.append(starts, len(data)).astype(np.int32)
        table = _in_batches(_from_buffers(numbers, data, offsets))
        flat = objects == len(ends) and arrays == 0 and not _holds_booleans(data)
        return table.replace_schema_metadata({_FLAT: str(flat)})
    block = data.tobytes()
    kept = [place for place in range(len(ends)) if block[starts[place] : ends[place]].strip()]
    lines = [block[starts[place] : ends[place]].removesuffix(b"\r") for place in kept]
    return _in_batches(from_records(numbers[kept], lines))


def is_flat(block: pa.Table) -> bool:
    """Whether a block is sure to hold no nested JSON, no true and no false: values are scalars."""
    return (block.schema.metadata or {}).get(_FLAT) == b"True"


def end_of(block: pa.Table) -> tuple[int, bool]:
    """Where a file was read to with a block, and whether the block's last line has its end there.

    Returns:
        The bytes that were read, 0 of a compressed file, which grows in no way that shows here.
        A line without its end is a block of its own.
    """
    facts = block.schema.metadata
    return int(facts[_READ]), facts[_ENDED] == b"True"


def _line_ends(data: Bytes) -> Integers:
    found = [np.flatnonzero(piece == ord("\n")) + at for at, piece in _pieces(data)]
    return np.concatenate(found)


def _count(data: Bytes, letter: str) -> int:
    return sum(int(np.count_nonzero(piece == ord(letter))) for _, piece in _pieces(data))


def _holds_booleans(data: Bytes) -> bool:
    """Whether "true" or "false" stand in a block; most blocks do without their rarer pairs."""
    for word, first, second in ((b"true", "r", "u"), (b"false", "l", "s")):
        pairs = (
            (piece[:-1] == ord(first)) & (piece[1:] == ord(second))
            for _, piece in _pieces(data, overlap=1)
        )
        if any(pair.any() for pair in pairs) and word in data.tobytes():
            return True
    return False


def _pieces(data: Bytes, overlap: int = 0) -> Iterator[tuple[int, Bytes]]:
    """The bytes piece by piece, each with its place: a piece stays in the processor's cache."""
    for at in range(0, len(data), _SCAN_BYTES):
        yield at, data[at : at + _SCAN_BYTES + overlap]


def _is_sound(data: Bytes, starts: Integers, ends: Integers, *, is_short: bool) -> bool:
    """Whether no line of a block needs a closer look; the few lines that do are looked at singly.

    The block and not its lines is decoded: two halves of a letter around a line's end would join.
    """
    smallest, largest = _extremes(data)
    if int((ends - starts).max()) > LARGEST_RECORD or smallest == 0:
        return False
    if _count(data, "\\") and _escapes_nul(data.tobytes()):
        return False
    if not is_short and _most_opened(data, starts) > DEEPEST_NESTING:
        return False
    if largest < _NOT_ASCII:
        return True
    try:
        data.tobytes().decode()
    except UnicodeDecodeError:
        return False
    return True


def _extremes(data: Bytes) -> tuple[int, int]:
    found = [(int(piece.min()), int(piece.max())) for _, piece in _pieces(data)]
    return min(low for low, _ in found), max(high for _, high in found)


def _escapes_nul(text: bytes) -> bool:
    return b"\\" in text and b"\\u0000" in text


def _most_opened(data: Bytes, starts: Integers) -> int:
    """The most brackets that a single line opens: it cannot be nested deeper than that."""
    opens = (data == ord("{")) | (data == ord("["))
    return int(np.add.reduceat(opens.view(np.int8), starts, dtype=np.int32).max())


def _from_buffers(numbers: Integers, text: Bytes, offsets: npt.NDArray[np.int32]) -> pa.Table:
    texts = pa.StringArray.from_buffers(len(numbers), pa.py_buffer(offsets), pa.py_buffer(text))
    nothing = pa.nulls(len(numbers), pa.string())
    return pa.Table.from_arrays([pa.array(numbers), texts, nothing], schema=_SCHEMA)


def from_records(numbers: Integers, records: list[bytes]) -> pa.Table:
    """Records that have been cut out one by one, each looked at.

    Args:
        numbers: their places in the file, from 1.
        records: their bytes.
    """
    looked_at = [_record(record) for record in records]
    texts, refusals = zip(*looked_at, strict=True) if looked_at else ((), ())
    return pa.table([pa.array(numbers, pa.int64()), texts, refusals], schema=_SCHEMA)


def _record(record: bytes) -> tuple[str, str | None]:
    if len(record) > LARGEST_RECORD:
        return _large(record)
    try:
        text = record.decode()
    except UnicodeDecodeError as error:
        found = f"found byte 0x{record[error.start]:02x} at {error.start + 1}, expected UTF-8"
        text = record.decode(errors="replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
        return text, broken(RejectionReason.INVALID_UTF8, found)
    if "\x00" in text or _escapes_nul(record):
        found = "found a NUL byte, expected text"
        text = text.replace("\x00", "\N{REPLACEMENT CHARACTER}")
        return text, broken(RejectionReason.NUL_BYTE, found)
    depth = _nesting(record)
    if depth > DEEPEST_NESTING:
        found = f"found {depth} levels, expected at most {DEEPEST_NESTING}"
        return text[:KEPT_OF_LARGE], broken(RejectionReason.NESTED_TOO_DEEPLY, found)
    return text, None


def _nesting(record: bytes) -> int:
    """How deep brackets stand in each other; those within quoted text count too, as the deepest."""
    if record.count(b"{") + record.count(b"[") <= DEEPEST_NESTING:
        return 0
    data = np.frombuffer(record, dtype=np.uint8)
    steps = np.isin(data, list(b"[{")).astype(np.int32) - np.isin(data, list(b"]}"))
    return int(np.cumsum(steps).max())


def _large(record: bytes) -> tuple[str, str | None]:
    limit = f"expected at most {LARGEST_RECORD} bytes in one record"
    kept = record[:KEPT_OF_LARGE].decode(errors="replace").replace("\x00", "")
    return kept, broken(RejectionReason.RECORD_TOO_LARGE, f"found a longer one, {limit}")


def _oversized(beginning: bytes, number: int) -> pa.Table:
    text, refusal = _large(beginning)
    return pa.table([[number], [text], [refusal]], schema=_SCHEMA)


def _in_batches(table: pa.Table) -> pa.Table:
    """The same table in pieces that the engine's threads share."""
    return pa.Table.from_batches(table.to_batches(max_chunksize=_BATCH_ROWS), schema=_SCHEMA)
