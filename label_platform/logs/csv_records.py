"""CSV files as records, line by line, so that no line hides another."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from label_platform.lake import Engine, quote_literal
from label_platform.logs.contract import RejectionReason, Wanted
from label_platform.logs.lines import end_of, read_blocks
from label_platform.logs.privacy import redacted_fields
from label_platform.logs.records import (
    Column,
    OpenEnd,
    Records,
    Rows,
    UnreadableFileError,
    broken,
)

LONGEST_QUOTE = 100
"""Lines that one quoted CSV field may span; an unclosed quote must not swallow the file."""

_BLOCK = "log_lines"


def read_csv(engine: Engine, path: Path, wanted: Wanted) -> Iterator[Records]:
    """The records of a comma- or tab-separated file with a header.

    Yields:
        Blocks of records with every column of the file, whoever wants them; each block is to be
        used up before the next is asked for.
    """
    cutter, size = _CsvCutter(), 0
    for block in read_blocks(path):
        size, is_ended = end_of(block)
        first = None if is_ended or not len(block) else cutter.first_open(block["line"][0].as_py())
        bare = pc.utf8_rtrim(block["text"], "\r\n")
        engine.register(_BLOCK, cutter.cut(block.set_column(1, "text", bare)))
        yield _csv_records(cutter, wanted, _open_end(first, size))
    if cutter.unfinished:
        end = _open_end(cutter.first_open(), size)
        engine.register(_BLOCK, cutter.finish())
        yield _csv_records(cutter, wanted, end)


def _open_end(first: int | None, size: int) -> OpenEnd | None:
    """A compressed file is whole or cannot be read."""
    return OpenEnd(first, size) if first and size else None


def _csv_records(cutter: "_CsvCutter", wanted: Wanted, end: OpenEnd | None) -> Records:
    separator = quote_literal(cutter.separator)
    count = len(cutter.header)
    mismatch = quote_literal(f"{RejectionReason.WRONG_COLUMN_COUNT}|found ")
    expected = quote_literal(f" fields, expected {count} as in the header")
    relation = f"""(
        select line as record_line, text, fields,
            case
                when broken is not null then broken
                when len(fields) <> {count} then {mismatch} || len(fields) || {expected}
            end as record_refusal
        from (
            select line, text, broken, coalesce(fields, string_split(text, {separator})) as fields
            from {_BLOCK}
        )
    )"""
    places = {name: cutter.header.index(name) + 1 for name in cutter.header if name}
    columns = {name: Column(f"fields[{place}]", "VARCHAR") for name, place in places.items()}
    raw = redacted_fields(
        "text",
        "fields",
        "record_refusal is null",
        cutter.header,
        cutter.separator,
        wanted.redacted,
    )
    # every column, whoever wants it: reading one costs nothing until someone asks for it
    rows = Rows(wanted.table, columns, names=tuple(cutter.header))
    return Records(relation, raw, (rows,), open_end=end)


_CUT_SCHEMA = pa.schema(
    [
        ("line", pa.int64()),
        ("text", pa.string()),
        ("broken", pa.string()),
        ("fields", pa.list_(pa.string())),
    ]
)
_Row = tuple[int, str, str | None, list[str] | None]


@dataclass
class _CsvCutter:
    """Joins the lines of quoted fields; lines without quotes are left to the engine to split."""

    separator: str = ","
    header: list[str] = field(default_factory=list)
    unfinished: list[_Row] = field(default_factory=list)

    def cut(self, block: pa.Table) -> pa.Table:
        """The records that end in a block of lines."""
        start = self._read_header(block)
        block = block.slice(start)
        if not self.unfinished and not _has_quotes(block):
            fields = pa.nulls(len(block), _CUT_SCHEMA.field("fields").type)
            return block.append_column(_CUT_SCHEMA.field("fields"), fields)
        columns = block.to_pydict()
        lines = zip(columns["line"], columns["text"], columns["broken"], strict=True)
        return _table([row for line in lines for row in self._take(*line)])

    def first_open(self, line: int | None = None) -> int | None:
        """The first line of a record that is not at its end, or else the given one."""
        return self.unfinished[0][0] if self.unfinished else line

    def finish(self) -> pa.Table:
        """What is left at the end of the file: a quote that nobody closed."""
        return _table(self._give_up_all())

    def _read_header(self, block: pa.Table) -> int:
        """Take the header off the file's first block; returns how many lines it was."""
        if self.header or not len(block):
            return 0
        first = block.slice(0, 1).to_pylist()[0]
        if first["text"].count("\t") > first["text"].count(","):
            self.separator = "\t"
        names = next(csv.reader([first["text"]], delimiter=self.separator), [])
        if first["broken"] is not None or first["text"].count('"') % 2:
            found = first["broken"] or "found a quote that is not closed"
            raise UnreadableFileError(f"the header cannot be read: {found}")
        self.header = [name.strip() for name in names]
        return 1

    def _take(self, line: int, text: str, refusal: str | None) -> list[_Row]:
        if refusal is not None:
            return [*self._give_up_all(), (line, text, refusal, None)]
        if self.unfinished or '"' in text:
            self.unfinished.append((line, text, None, None))
            return self._close()
        return [(line, text, None, None)]

    def _close(self) -> list[_Row]:
        """The record, if the last line closed it; a quote inside a bare field opens nothing."""
        lines = [text for _, text, _, _ in self.unfinished]
        reader = csv.reader([*(line + "\n" for line in lines), ""], delimiter=self.separator)
        try:
            fields = next(reader)
        except csv.Error as error:
            return self._give_up(RejectionReason.RECORD_TOO_LARGE, str(error))
        if reader.line_num > len(lines):
            return self._give_up() if len(lines) > LONGEST_QUOTE else []
        if len(lines) > 1 and not self._is_sound(lines, fields):
            return self._give_up()
        line = self.unfinished[0][0]
        self.unfinished = []
        return [(line, "\n".join(lines), None, fields)]

    def _is_sound(self, lines: list[str], fields: list[str]) -> bool:
        """Whether lines belong together, and not a lost quote here and another one below."""
        try:
            next(csv.reader([line + "\n" for line in lines], delimiter=self.separator, strict=True))
        except csv.Error:
            return False
        return len(fields) == len(self.header)

    def _give_up(
        self,
        reason: RejectionReason = RejectionReason.UNCLOSED_QUOTE,
        detail: str = 'found a quote " that is not closed, expected a closing one',
    ) -> list[_Row]:
        """Refuse the first unfinished line and read the lines after it again."""
        (line, text, _, _), *rest = self.unfinished
        self.unfinished = []
        rows: list[_Row] = [(line, text, broken(reason, detail), None)]
        for number, again, refusal, _ in rest:
            rows += self._take(number, again, refusal)
        return rows

    def _give_up_all(self) -> list[_Row]:
        rows: list[_Row] = []
        while self.unfinished:
            rows += self._give_up()
        return rows


def _has_quotes(block: pa.Table) -> bool:
    return bool(pc.any(pc.match_substring(block["text"], '"')).as_py())


def _table(rows: list[_Row]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(_CUT_SCHEMA)
    arrays = [pa.array(column, f.type) for column, f in zip(columns, _CUT_SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=_CUT_SCHEMA)
