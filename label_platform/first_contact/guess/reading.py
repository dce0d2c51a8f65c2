"""Reads samples: the beginning and the end of log files as tables, whatever the files' kind."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from pyarrow import parquet

from label_platform.first_contact.guess.log_folder import COMPRESSED, kind_of
from label_platform.first_contact.guess.samples import Sample
from label_platform.lake import Engine, SqlError, quote_identifier, quote_literal
from label_platform.logs.json_documents import ARRAY_PUNCTUATION, layout_of, read_documents
from label_platform.logs.lines import read_bytes
from label_platform.logs.records import UnreadableFileError

MOST_COLUMNS = 500
_CHUNK_BYTES = 256 * 1024
_STREAMED_BYTES = 64 * 1024 * 1024
"""Compressed bytes that are read through for the end of a file; a second or two."""

_PARQUET_VALUES = 4_000_000


@dataclass(frozen=True)
class Size:
    """How much of a file is looked at, in bytes of text.

    Attributes:
        head: from its beginning.
        tail: from its end.
    """

    head: int = 4 * 1024 * 1024
    tail: int = 512 * 1024


EDGES = Size(64 * 1024, 32 * 1024)
"""Enough of a file to tell from when to when it is."""


def sample_file(engine: Engine, path: Path, table: str, size: Size) -> Sample:
    """Read a sample of a file into a table.

    Raises:
        UnreadableFileError: the file is corrupt.
    """
    kind = kind_of(path)
    if kind == ".parquet":
        return _sample_parquet(engine, path, table, size)
    head, tail, is_whole = _ends(path, size)
    if kind in {".csv", ".tsv"}:
        _load_csv(engine, path, table, _whole_lines(head, tail, is_whole=is_whole))
    elif layout_of(head) in {"array", "spanning"}:
        tail = b""
        _, blocks = read_documents(path, size.head)
        nothing = pa.table({"text": pa.array([], pa.string())})
        _load_json(engine, table, next(blocks, nothing).select(["text"]))
    else:
        text = _text(_whole_lines(head, tail, is_whole=is_whole))
        # an array whose elements have lines of their own has its punctuation there, too
        bare = pc.utf8_trim(pa.array(text.split("\n"), pa.string()), ARRAY_PUNCTUATION)
        _load_json(engine, table, pa.table({"text": bare}))
    columns = engine.schema(table)
    (rows,) = engine.row(f"select count(*) from {table}")
    return Sample(path, table, columns, rows, is_whole, is_whole or bool(tail))


def _ends(path: Path, size: Size) -> tuple[bytes, bytes, bool]:
    """Whole lines from a file's beginning, from its end, and whether the first are all."""
    head, tail, is_whole = b"", b"", True
    compressed = path.suffix.lower() in COMPRESSED
    seeks = not compressed or path.stat().st_size > _STREAMED_BYTES
    for chunk in read_bytes(path, _CHUNK_BYTES):
        if len(head) < size.head:
            head += chunk
            continue
        is_whole = False
        if seeks:
            break
        tail = (tail + chunk)[-size.tail - _CHUNK_BYTES :]
    if is_whole:
        return head, b"", True
    if not compressed:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - size.tail, len(head)))
            tail = file.read(size.tail)
    return head, tail[tail.find(b"\n") + 1 :], False


def _whole_lines(head: bytes, tail: bytes, *, is_whole: bool) -> bytes:
    return head if is_whole else head[: head.rfind(b"\n") + 1] + tail


def _sample_parquet(engine: Engine, path: Path, table: str, size: Size) -> Sample:
    scan = f"read_parquet({quote_literal(str(path))}, hive_partitioning = false)"
    try:
        columns = engine.schema(scan)
        records = parquet.read_metadata(path).num_rows
        wanted = ", ".join(map(quote_identifier, list(columns)[:MOST_COLUMNS]))
        most = max(1, min(_PARQUET_VALUES // max(len(columns), 1), size.head // 200))
        engine.execute(f"create table {table} as select {wanted} from {scan} limit {most}")
    except (SqlError, pa.ArrowException, OSError) as error:
        words = str(error).split("\n", maxsplit=1)[0]
        raise UnreadableFileError(f"{path}: cannot be read: {words}") from error
    (rows,) = engine.row(f"select count(*) from {table}")
    # the end of a Parquet file is in its statistics
    return Sample(path, table, engine.schema(table), rows, rows == records, has_end=True)


def _load_csv(engine: Engine, path: Path, table: str, data: bytes) -> None:
    header = _text(data.split(b"\n", maxsplit=1)[0]).strip()
    separator = "\t" if header.count("\t") > header.count(",") else ","
    names = [name.strip().strip('"') for name in header.split(separator)]
    numbered = [str(number) for number in range(len(names))]
    try:
        found = pyarrow.csv.read_csv(
            io.BytesIO(_text(data).encode()),
            read_options=pyarrow.csv.ReadOptions(column_names=numbered, skip_rows=1),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=separator,
                newlines_in_values=True,
                invalid_row_handler=lambda _: "skip",
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(numbered, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowException as error:
        raise UnreadableFileError(f"{path}: cannot be read: {error}") from error
    kept = [names.index(name) for name in _without_twins(names) if name][:MOST_COLUMNS]
    engine.register("sampled_rows", found.select(kept).rename_columns([names[n] for n in kept]))
    engine.execute(f"create table {table} as from sampled_rows")


def _load_json(engine: Engine, table: str, texts: pa.Table) -> None:
    engine.register("sampled_texts", texts)
    engine.execute(f"create or replace temp table sampled_documents as {_DOCUMENTS}")
    counted = engine.rows(
        "select key, count(*) as seen from"
        " (select unnest(json_keys(document)) as key from sampled_documents)"
        f" where key <> '' group by key order by seen desc, key limit {MOST_COLUMNS}"
    )
    names = _without_twins([key for key, _ in counted if "\x00" not in key])
    structure = quote_literal(json.dumps(dict.fromkeys(names, "JSON")))
    read = f"unnest(from_json(document, {structure}))" if names else "document as nothing"
    engine.execute(f"create table {table} as select {read} from sampled_documents")


# Action lines of a bulk dump are no records, some dumps wrap each document, and some clients send
# events in batches.
_DOCUMENTS = """
    with parsed as (
        select text::json as document
        from sampled_texts
        where json_valid(text) and json_type(text) = 'OBJECT'
    ),
    unwrapped as (
        select
            case when json_type(document -> '$._source') = 'OBJECT'
                then document -> '$._source' else document end as document
        from parsed
        where json_keys(document) not in (['index'], ['create'])
    ),
    single as (
        select
            unnest(case when json_type(document -> '$.events') = 'ARRAY'
                then document -> '$.events[*]' else [document] end) as document
        from unwrapped
    )
    select document from single where json_type(document) = 'OBJECT'"""


def _text(data: bytes) -> str:
    return data.decode(errors="replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _without_twins(names: Sequence[str]) -> list[str]:
    """The engine takes names that differ in case for one."""
    kept: dict[str, str] = {}
    for name in names:
        kept.setdefault(name.lower(), name)
    return list(kept.values())
