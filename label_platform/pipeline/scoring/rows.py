"""Files of rows to score, read in chunks of bounded size."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from label_platform.strict_yaml import ConfigurationError, nearest

ROWS_AT_ONCE = 65_536
BYTES_AT_ONCE = 8 << 20
_KINDS = {".parquet": "Parquet", ".csv": "CSV", ".jsonl": "JSONL", ".ndjson": "JSONL"}


class RowFile(Protocol):
    """A file of rows.

    Attributes:
        columns: the names of its columns.
        total: what ``chunks`` counts up to: rows or bytes.
    """

    @property
    def columns(self) -> Sequence[str]:
        """The names of its columns."""

    @property
    def total(self) -> int:
        """What ``chunks`` counts up to: rows or bytes."""

    def chunks(
        self, numbers: Sequence[str], others: Sequence[str]
    ) -> Iterator[tuple[pa.Table, int]]:
        """The rows of some columns, in the file's order, and how far the file was read.

        Args:
            numbers: columns to read as numbers where the file itself does not say.
            others: columns to read as they are.
        """


@contextmanager
def open_rows(path: Path) -> Iterator[RowFile]:
    """Open a file by its name's ending: .parquet, .csv, .jsonl, the latter two also .gz.

    Raises:
        ConfigurationError: no such file, or not of these formats; says what was found where.
    """
    if not path.is_file():
        siblings = [each.name for each in path.parent.glob("*") if each.is_file()]
        hint = f"; {nearest(path.name, siblings)}" if siblings else ""
        raise ConfigurationError(f"{path}: found no such file, expected rows to score{hint}")
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    kind = _KINDS.get(plain.suffix)
    if kind is None or (kind == "Parquet" and plain != path):
        raise ConfigurationError(
            f"{path}: found a name ending in {''.join(path.suffixes[-2:])!r}, expected .parquet, "
            ".csv, .jsonl, .csv.gz or .jsonl.gz"
        )
    try:
        if kind == "Parquet":
            with pq.ParquetFile(path) as file:
                yield ParquetRows(file)
        else:
            yield CsvRows(path) if kind == "CSV" else JsonRows(path)
    except pa.ArrowInvalid as error:
        raise ConfigurationError(f"{path}: found no readable {kind}: {error}") from error


@dataclass(frozen=True)
class ParquetRows:
    """A Parquet file, a batch of rows at a time."""

    file: pq.ParquetFile

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""
        return list(self.file.schema_arrow.names)

    @property
    def total(self) -> int:
        """Rows."""
        return int(self.file.metadata.num_rows)

    def chunks(
        self, numbers: Sequence[str], others: Sequence[str]
    ) -> Iterator[tuple[pa.Table, int]]:
        """Rows and how many were read."""
        names, done = list(dict.fromkeys([*others, *numbers])), 0
        schema = pa.schema([self.file.schema_arrow.field(name) for name in names])
        yield schema.empty_table(), 0
        for batch in self.file.iter_batches(ROWS_AT_ONCE, columns=names):
            done += len(batch)
            yield pa.table(batch).select(names), done


class CsvRows:
    """A CSV file with a header."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as raw, self._reader(raw, {}) as reader:
            self.columns: list[str] = list(reader.schema.names)
        self.total = path.stat().st_size

    def chunks(
        self, numbers: Sequence[str], others: Sequence[str]
    ) -> Iterator[tuple[pa.Table, int]]:
        """Rows and the bytes read so far; columns that are no numbers are texts."""
        types = dict.fromkeys(others, pa.string()) | dict.fromkeys(numbers, pa.float64())
        try:
            with self._path.open("rb") as raw, self._reader(raw, types) as reader:
                yield reader.schema.empty_table(), 0
                for batch in reader:
                    yield pa.table(batch), raw.tell()
        except pa.ArrowInvalid as error:
            raise ConfigurationError(f"{self._path}: {self._where(str(error))}") from error

    def _reader(self, raw: BinaryIO, types: dict[str, pa.DataType]) -> Any:  # noqa: ANN401 - Arrow's
        return pa.csv.open_csv(
            _unpacked(self._path, raw),
            # one thread knows the number of a row that it cannot read
            read_options=pa.csv.ReadOptions(use_threads=False, block_size=BYTES_AT_ONCE),
            convert_options=pa.csv.ConvertOptions(column_types=types, include_columns=list(types)),
        )

    def _where(self, message: str) -> str:
        found = re.match(r"In CSV column #(\d+): (.*)", message, re.DOTALL)
        if found is None:
            return message
        return f"column {self.columns[int(found[1])]!r}: {found[2]}"


class JsonRows:
    """A file of JSON objects, one a line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        first = next(self._blocks(), None)
        if first is None:
            raise ConfigurationError(f"{path}: found an empty file, expected a JSON object a line")
        block, line, _ = first
        self._types = {field.name: field.type for field in self._parsed(block, line, None).schema}
        self.total = path.stat().st_size

    @property
    def columns(self) -> list[str]:
        """The keys of the objects in its first megabytes."""
        return list(self._types)

    def chunks(
        self, numbers: Sequence[str], others: Sequence[str]
    ) -> Iterator[tuple[pa.Table, int]]:
        """Rows and the bytes read so far; a key that an object lacks is missing there."""
        fields = {name: _kept_type(self._types[name]) for name in others}
        fields |= dict.fromkeys(numbers, pa.float64())
        schema = pa.schema(list(fields.items()))
        yield schema.empty_table(), 0
        for block, line, done in self._blocks():
            yield self._parsed(block, line, schema).select(list(fields)), done

    def _blocks(self) -> Iterator[tuple[bytes, int, int]]:
        """Whole lines, the number of the first of them, and the bytes read of the file."""
        rest, line = b"", 1
        with self._path.open("rb") as raw:
            stream = _unpacked(self._path, raw)
            while block := stream.read(BYTES_AT_ONCE):
                whole, newline, rest = (rest + block).rpartition(b"\n")
                if whole.strip():
                    yield whole + newline, line, raw.tell()
                line += whole.count(b"\n") + len(newline)
        if rest.strip():
            yield rest, line, self._path.stat().st_size

    def _parsed(self, block: bytes, line: int, schema: pa.Schema | None) -> pa.Table:
        behaviour = "infer" if schema is None else "ignore"
        try:
            return pa.json.read_json(
                pa.BufferReader(block),
                pa.json.ReadOptions(use_threads=False, block_size=len(block) + 1),
                pa.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior=behaviour),
            )
        except pa.ArrowInvalid as error:
            raise ConfigurationError(
                f"{self._path}: {_where_in_json(block, line, error)}"
            ) from error


def _where_in_json(block: bytes, line: int, error: pa.ArrowInvalid) -> str:
    """Arrow counts the rows of a block; people count lines of a file."""
    found = re.fullmatch(r"JSON parse error: (.*) in row (\d+)", str(error), re.DOTALL)
    if found is None:
        return str(error)
    rows = [number for number, text in enumerate(block.split(b"\n")) if text.strip()]
    row = int(found[2])
    at = f"line {line + rows[row]}: " if row < len(rows) else ""
    column = re.match(r"Column\(/([^)]*)\) changed from (\w+) to (\w+)", found[1])
    if column is None:
        return f"{at}{found[1]}"
    return f"{at}column {column[1]!r}: found a {column[3]}, expected a {column[2]}"


def _kept_type(kind: pa.DataType) -> pa.DataType:
    """What looks like a time stays the text that it was; so does what the beginning lacks."""
    textual = pa.types.is_timestamp(kind) or pa.types.is_null(kind)
    return pa.string() if textual else kind


def _unpacked(path: Path, raw: BinaryIO) -> Any:  # noqa: ANN401 - Arrow's stream, which has no types
    source = pa.PythonFile(raw, mode="r")
    return pa.CompressedInputStream(source, "gzip") if path.suffix == ".gz" else source
