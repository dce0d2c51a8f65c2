"""The native format: one record per impression, event or item, under the contract's own keys."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from label_platform.lake import Engine, SqlError, quote_identifier, quote_literal
from label_platform.logs.contract import Table, Wanted
from label_platform.logs.csv_records import read_csv
from label_platform.logs.json_records import read_json
from label_platform.logs.privacy import redacted_columns
from label_platform.logs.records import (
    Column,
    LogFile,
    LogPattern,
    Records,
    Rows,
    UnreadableFileError,
)
from label_platform.problem import LogSource
from label_platform.strict_yaml import ConfigurationError

_TEXT_READERS: Mapping[str, Callable[[Engine, Path, Wanted], Iterator[Records]]] = {
    ".jsonl": read_json,
    ".ndjson": read_json,
    ".json": read_json,
    ".csv": read_csv,
    ".tsv": read_csv,
}
_COMPRESSED = (".gz", ".zst")


class NativeFormat:
    """Parquet, CSV, tab-separated or JSON lines; text also compressed."""

    feedback: Mapping[str, str] = {}

    def patterns(self, source: LogSource) -> Iterator[LogPattern]:
        """The globs of a log source."""
        if source.impressions is None or source.interactions is None:
            raise ConfigurationError("format native needs the keys impressions and interactions")
        if source.items is not None:
            yield LogPattern("items", source.items, "items")
        yield LogPattern("impressions", source.impressions, "impressions")
        yield LogPattern("interactions", source.interactions, "interactions")

    def read(
        self, engine: Engine, file: LogFile, wanted: Mapping[Table, Wanted]
    ) -> Iterator[Records]:
        """The records of a file, in blocks."""
        return read_records(engine, file.path, wanted[file.table or "impressions"])


def read_records(engine: Engine, path: Path, wanted: Wanted) -> Iterator[Records]:
    """The records of a file of any kind, by its suffix.

    Yields:
        Blocks of records; each is to be used up before the next is asked for.

    Raises:
        UnreadableFileError: the file is corrupt or of no known kind.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = next((suffix for suffix in reversed(suffixes) if suffix not in _COMPRESSED), "")
    if kind == ".parquet" and suffixes[-1] == kind:
        yield _read_parquet(engine, path, wanted)
    elif kind in _TEXT_READERS:
        yield from _TEXT_READERS[kind](engine, path, wanted)
    else:
        known = ", ".join([".parquet", *_TEXT_READERS])
        raise UnreadableFileError(
            f"found a file named {path.name}, expected one of {known} (text also with .gz or .zst)"
        )


def _read_parquet(engine: Engine, path: Path, wanted: Wanted) -> Records:
    # Other writers leave NaN out of a file's statistics, and the engine takes that to mean that
    # there is none: without can_have_nan isnan() is false for every row (duckdb issue 25521).
    options = "file_row_number = true, can_have_nan = true, hive_partitioning = false"
    scan = f"read_parquet({quote_literal(str(path))}, {options})"
    try:
        types = engine.schema(scan)
    except SqlError as error:
        raise UnreadableFileError(str(error).split("\n", maxsplit=1)[0]) from error
    types.pop("file_row_number")
    names = [name for name in types if name in wanted.fields or wanted.is_feature(name)]
    columns = {name: Column(quote_identifier(name), types[name]) for name in names}
    kept = "".join(f", {quote_identifier(name)}" for name in names)
    relation = (
        "(select file_row_number + 1 as record_line, null::varchar as record_refusal"
        f"{kept} from {scan})"
    )
    rows = Rows(wanted.table, columns, names=tuple(types), typed=True)
    return Records(relation, redacted_columns(names, wanted.redacted), (rows,))
