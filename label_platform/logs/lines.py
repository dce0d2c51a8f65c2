"""Text files as numbered lines, in blocks: one bad line is one bad record, not a bad file.

An engine's own CSV reader gives up on a file with one invalid byte or one oversized line and
miscounts blank lines. Here lines are cut out of the bytes as arrays, at the speed of the
decompression, and a line that is no text only marks itself.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from label_platform.logs.contract import RejectionReason
from label_platform.logs.records import UnreadableFileError, broken

BLOCK_BYTES = 32 * 1024 * 1024
LARGEST_RECORD = 16 * 1024 * 1024
KEPT_OF_LARGE = 1000
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
_BATCH_ROWS = 8_192
_IS_SPACE = np.isin(np.arange(256), list(b" \t\n\v\f\r"))
_SCHEMA = pa.schema([("line", pa.int64()), ("text", pa.string()), ("broken", pa.string())])


def read_blocks(path: Path, block_bytes: int = BLOCK_BYTES) -> Iterator[pa.Table]:
    """The lines of a text file, plain or compressed, without blank ones.

    Yields:
        Tables of line (from 1, blank lines counted), text and broken (null where the line is
        fine).

    Raises:
        UnreadableFileError: the bytes cannot be read or decompressed.
    """
    number = 1
    for block in _whole_lines(path, block_bytes):
        if block.endswith(b"\n"):
            yield _table(block, number)
            number += block.count(b"\n")
        else:
            yield _oversized(block, number)
            number += 1


def _whole_lines(path: Path, block_bytes: int) -> Iterator[bytes]:
    """Blocks that end with a line's end; an oversized line comes as its beginning, without one."""
    rest = b""
    skipping = False
    for position, chunk in enumerate(_chunks(path, block_bytes)):
        data = rest + (chunk.removeprefix(b"\xef\xbb\xbf") if position == 0 else chunk)
        if skipping:
            end = data.find(b"\n") + 1
            if end == 0:
                rest = b""
                continue
            data, skipping = data[end:], False
        cut = data.rfind(b"\n") + 1
        if cut:
            yield data[:cut]
        rest = data[cut:]
        if len(rest) > LARGEST_RECORD:
            yield rest[:KEPT_OF_LARGE]
            rest, skipping = b"", True
    if rest:
        yield rest + b"\n"


def _chunks(path: Path, block_bytes: int) -> Iterator[bytes]:
    compression = _COMPRESSIONS.get(path.suffix.lower())
    try:
        with pa.input_stream(str(path), compression=compression) as stream:
            while chunk := stream.read(block_bytes):
                yield chunk
    except (OSError, pa.ArrowException) as error:
        raise UnreadableFileError(f"{path}: cannot be read: {error}") from error


def _table(block: bytes, first: int) -> pa.Table:
    data = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    starts = np.concatenate([[0], ends[:-1] + 1])
    has_return = (ends > starts) & (data[np.maximum(ends - 1, 0)] == ord("\r"))
    lengths = ends - starts - has_return
    kept = np.ones(len(data), dtype=bool)
    kept[ends] = False
    kept[ends[has_return] - 1] = False
    filled = np.logical_or.reduceat(~_IS_SPACE[data], starts)
    for blank in np.flatnonzero(~filled & (lengths > 0)):
        kept[starts[blank] : ends[blank]] = False
    numbers = first + np.flatnonzero(filled)
    lengths = lengths[filled]
    text = data[kept].tobytes()
    # the block, not the text: two halves of a letter around a line's end would join to a letter
    if _is_clean(block) and (not len(lengths) or lengths.max() <= LARGEST_RECORD):
        return _in_batches(_from_buffers(numbers, text, lengths))
    return _in_batches(_one_by_one(numbers, text, lengths))


def _is_clean(block: bytes) -> bool:
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True


def _from_buffers(
    numbers: npt.NDArray[np.int64], text: bytes, lengths: npt.NDArray[np.int64]
) -> pa.Table:
    offsets = np.zeros(len(lengths) + 1, dtype=np.int32)
    np.cumsum(lengths, out=offsets[1:])
    texts = pa.StringArray.from_buffers(len(lengths), pa.py_buffer(offsets), pa.py_buffer(text))
    nothing = pa.nulls(len(lengths), pa.string())
    return pa.Table.from_arrays([pa.array(numbers), texts, nothing], schema=_SCHEMA)


def _one_by_one(
    numbers: npt.NDArray[np.int64], text: bytes, lengths: npt.NDArray[np.int64]
) -> pa.Table:
    texts, refusals = [], []
    start = 0
    for length in lengths.tolist():
        line, refusal = _line(text[start : start + length])
        texts.append(line)
        refusals.append(refusal)
        start += length
    return pa.table([pa.array(numbers), texts, refusals], schema=_SCHEMA)


def _line(line: bytes) -> tuple[str, str | None]:
    if len(line) > LARGEST_RECORD:
        return _large(line)
    try:
        return line.decode(), None
    except UnicodeDecodeError as error:
        found = f"found byte 0x{line[error.start]:02x} at {error.start + 1}, expected UTF-8"
        return line.decode(errors="replace"), broken(RejectionReason.INVALID_UTF8, found)


def _large(line: bytes) -> tuple[str, str | None]:
    limit = f"expected at most {LARGEST_RECORD} bytes in one record"
    kept = line[:KEPT_OF_LARGE].decode(errors="replace")
    return kept, broken(RejectionReason.RECORD_TOO_LARGE, f"found a longer line, {limit}")


def _oversized(beginning: bytes, number: int) -> pa.Table:
    text, refusal = _large(beginning)
    return pa.table([[number], [text], [refusal]], schema=_SCHEMA)


def _in_batches(table: pa.Table) -> pa.Table:
    """The same table in pieces that the engine's threads share."""
    return pa.Table.from_batches(table.to_batches(max_chunksize=_BATCH_ROWS), schema=_SCHEMA)
