"""JSON lines and CSV files as records, line by line, so that no line hides another."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from label_platform.lake import Engine, quote_literal
from label_platform.logs.contract import RejectionReason, Wanted
from label_platform.logs.lines import read_blocks
from label_platform.logs.privacy import redacted_fields, redacted_json
from label_platform.logs.records import Column, Records, UnreadableFileError, broken

LONGEST_QUOTE = 100
"""Lines that one quoted CSV field may span; an unclosed quote must not swallow the file."""

_BLOCK = "log_lines"


def read_json_lines(engine: Engine, path: Path, wanted: Wanted) -> Iterator[Records]:
    """The records of a JSON lines file.

    Yields:
        Blocks of records; each is to be used up before the next is asked for.
    """
    for block in read_blocks(path):
        engine.register(_BLOCK, block)
        keys, names = list(wanted.fields), wanted.fields
        if wanted.globs:
            found = engine.rows(f"select distinct unnest(try(json_keys(text))) from {_BLOCK}")
            names = tuple(sorted(name for (name,) in found))
            keys += [name for name in names if wanted.is_feature(name)]
        yield _json_records(_without_case_twins(keys), names)


def _json_records(keys: list[str], names: tuple[str, ...]) -> Records:
    structure = quote_literal(json.dumps(dict.fromkeys(keys, "VARCHAR"), ensure_ascii=False))
    not_json = quote_literal(broken(RejectionReason.NOT_JSON, "found no JSON, expected an object"))
    not_object = quote_literal(
        broken(RejectionReason.NOT_AN_OBJECT, "found other JSON, expected an object")
    )
    relation = f"""(
        select line as record_line, text, record,
            case
                when broken is not null then broken
                when ltrim(text)[1] = '{{' and record is not null then null
                when json_valid(text) then {not_object}
                else {not_json}
            end as record_refusal
        from (select *, try(json_transform(text, {structure})) as record from {_BLOCK})
    )"""
    columns = {key: _json_column(key) for key in keys}
    return Records(relation, columns, names, raw=redacted_json("text"))


def _json_column(key: str) -> Column:
    value = f"struct_extract(record, {quote_literal(key)})"
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    path = quote_literal(f'$."{escaped}"')
    # a CASE, because an AND would parse every document once more for every key
    not_scalar = (
        f"case when {value}[1] in ('{{', '[') or {value} in ('true', 'false')"
        f" then json_type(text, {path}) in ('OBJECT', 'ARRAY', 'BOOLEAN') else false end"
    )
    return Column(value, "VARCHAR", not_scalar)


def _without_case_twins(keys: list[str]) -> list[str]:
    """Keys that differ in more than case: SQL column names do not tell a from A."""
    return list({key.lower(): key for key in reversed(keys)}.values())[::-1]


def read_csv(engine: Engine, path: Path, wanted: Wanted) -> Iterator[Records]:
    """The records of a CSV file (or, named .tsv, of a tab-separated one) with a header.

    Yields:
        Blocks of records with every column of the file, whoever wants them; each block is to be
        used up before the next is asked for.
    """
    del wanted  # reading a column costs nothing until someone asks for it
    cutter = _CsvCutter("\t" if ".tsv" in path.suffixes else ",")
    for block in read_blocks(path):
        engine.register(_BLOCK, cutter.cut(block))
        yield _csv_records(cutter)
    if cutter.unfinished:
        engine.register(_BLOCK, cutter.finish())
        yield _csv_records(cutter)


def _csv_records(cutter: "_CsvCutter") -> Records:
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
        "text", "fields", "record_refusal is null", cutter.header, cutter.separator
    )
    return Records(relation, columns, tuple(cutter.header), raw)


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

    separator: str
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

    def finish(self) -> pa.Table:
        """What is left at the end of the file: a quote that nobody closed."""
        return _table(self._give_up_all())

    def _read_header(self, block: pa.Table) -> int:
        """Take the header off the file's first block; returns how many lines it was."""
        if self.header or not len(block):
            return 0
        first = block.slice(0, 1).to_pylist()[0]
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
