"""JSON files as records: flat ones under the contract's own keys, and nested ones of any format."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from label_platform.lake import Engine, quote_literal
from label_platform.logs.contract import RejectionReason, Wanted
from label_platform.logs.json_documents import ARRAY_PUNCTUATION, read_documents
from label_platform.logs.lines import is_flat
from label_platform.logs.parquet_documents import read_rows
from label_platform.logs.privacy import redacted_json
from label_platform.logs.records import Column, Records, Rows, broken

BLOCK = "log_lines"
DOCUMENTS = "log_documents"
"""The engine's table of a block of nested documents: ``record_line``, ``record_refusal``, ``text``
and ``record``, the values that were asked for."""

_IS_JSON = "json_valid(text)"
_LOOKS_WHOLE = r"starts_with(text, '{') and (ends_with(text, e'}\n') or ends_with(text, '}'))"
"""Holds for nearly all lines, and hardly ever for one that was cut off."""

_NOT_JSON = broken(RejectionReason.NOT_JSON, "found no JSON, expected an object")
_NOT_AN_OBJECT = broken(RejectionReason.NOT_AN_OBJECT, "found other JSON, expected an object")


def read_json(engine: Engine, path: Path, wanted: Wanted) -> Iterator[Records]:
    """The records of a JSON file whose keys are the contract's.

    Yields:
        Blocks of records; each is to be used up before the next is asked for.
    """
    for block in read_blocks_of(engine, path):
        keys, names = list(wanted.fields), wanted.fields
        if wanted.globs:
            found = engine.rows(f"select distinct unnest(try(json_keys(text))) from {BLOCK}")
            names = tuple(sorted(name for (name,) in found))
            keys += [name for name in names if wanted.is_feature(name)]
        keys = without_case_twins(keys)
        columns = {key: _flat_column(key, is_scalar=is_flat(block)) for key in keys}
        rows = Rows(wanted.table, columns, names=names)
        structure = dict.fromkeys(keys, "VARCHAR")
        yield Records(
            relation=_documents(structure, BLOCK),
            quick=_documents(
                structure, BLOCK, sound=f"broken is null and {_LOOKS_WHOLE} or {_IS_JSON}"
            ),
            raw=redacted_json("text", wanted.redacted),
            rows=(rows,),
            blocks={BLOCK: block},
        )


def read_nested_json(
    engine: Engine,
    path: Path,
    structure: Mapping[str, Any],
    documents: str = "",
    *,
    several: bool = False,
) -> Iterator[None]:
    """Nested documents, block by block, as the engine's table ``log_documents``.

    Args:
        engine: has the table while its block is in use.
        path: the file.
        structure: the keys to read, nested as in the documents; a leaf is the text "JSON", which
            :func:`value` reads, or any other SQL type.
        documents: how a line's documents are found: SQL over ``log_lines`` to line, text and
            broken; by default each line is one. A line may hold one, or none.
        several: whether a line may hold several. They also have a ``place`` within their line,
            and ``record_line`` is then their number within the file, from 1.
    """
    number = 0
    is_parquet = path.suffix.lower() == ".parquet"
    for block in read_rows(engine, path, structure) if is_parquet else read_blocks_of(engine, path):
        engine.register(BLOCK, block)
        source = BLOCK
        if documents:  # kept, because within one statement the engine finds them several times
            source = "log_sources"
            engine.execute(f"create or replace temp table {source} as {documents}")
        if several:
            place = f"{number} + row_number() over (order by line, place)"
            engine.execute(
                f"create or replace temp table log_numbered as"
                f" select * replace ({place} as line) from {source}"
            )
            source = "log_numbered"
            number += engine.row(f"select count(*) from {source}")[0]
        engine.execute(
            f"create or replace temp table {DOCUMENTS} as"
            f" select * from {_documents(structure, source)}"
        )
        yield


def read_blocks_of(engine: Engine, path: Path) -> Iterator[pa.Table]:
    """A JSON file's documents, block by block, as the engine's relation ``log_lines``."""
    layout, blocks = read_documents(path)
    for block in blocks:
        if layout == "lines_of_array":
            engine.register("log_array_lines", block)
            bare = f"trim(text, {quote_literal(ARRAY_PUNCTUATION)})"
            engine.execute(
                f"create or replace temp table log_elements as select line, {bare} as text, broken"
                f" from log_array_lines where {bare} <> '' or broken is not null"
            )
            block = engine.arrow("from log_elements")  # noqa: PLW2901 - the same lines, bare
        engine.register(BLOCK, block)
        yield block


def value(path: str) -> Column:
    """The column of a JSON leaf: text and numbers are values, anything else is of a wrong type.

    Args:
        path: the expression of the leaf, such as ``record.user.id``.
    """
    not_scalar = f"coalesce(left({path}::varchar, 1) in ('{{', '[', 't', 'f'), false)"
    return Column(f"({path} ->> '$')", "VARCHAR", not_scalar)


def _documents(structure: Mapping[str, Any], source: str, *, sound: str = _IS_JSON) -> str:
    """The relation of records out of lines: JSON objects, or what is wrong with them.

    Lines that are no JSON are kept from the transformation: its errors cost more than a check.
    Where the condition of a sound line lets one through, the statement fails.
    """
    keys = quote_literal(json.dumps(structure, ensure_ascii=False))
    return f"""(
        select line as record_line, text, record,
            case
                when broken is not null then broken
                when sound is null then {quote_literal(_NOT_JSON)}
                when ltrim(text)[1] = '{{' then null
                else {quote_literal(_NOT_AN_OBJECT)}
            end as record_refusal
        from (
            select *, json_transform(sound, {keys}) as record
            from (select *, case when {sound} then text end as sound from {source})
        )
    )"""


def _flat_column(key: str, *, is_scalar: bool) -> Column:
    value = f"struct_extract(record, {quote_literal(key)})"
    if is_scalar:
        return Column(value)
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    path = quote_literal(f'$."{escaped}"')
    # a CASE, because an AND would parse every document once more for every key
    not_scalar = (
        f"case when {value}[1] in ('{{', '[') or {value} in ('true', 'false')"
        f" then json_type(text, {path}) in ('OBJECT', 'ARRAY', 'BOOLEAN') else false end"
    )
    return Column(value, not_scalar=not_scalar)


def without_case_twins(keys: list[str]) -> list[str]:
    """Keys that differ in more than case: SQL column names do not tell a from A."""
    return list({key.lower(): key for key in reversed(keys)}.values())[::-1]
