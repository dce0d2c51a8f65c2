"""Rows of a Parquet file as JSON documents, so that a nested format has one way of reading."""

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from label_platform.lake import Engine, SqlError, quote_identifier, quote_literal
from label_platform.logs.records import UnreadableFileError

_ROWS = "log_parquet_rows"
_LINE = "row number"
_BLOCK_ROWS = 65_536


def read_rows(engine: Engine, path: Path, keys: Collection[str]) -> Iterator[pa.Table]:
    """The rows of a Parquet file as lines of JSON.

    Args:
        engine: writes the JSON.
        path: the file.
        keys: the columns to read; those that the file does not have are absent.

    Yields:
        Tables of line (the row's number, from 1), text and broken (always null).

    Raises:
        UnreadableFileError: the file is corrupt.
    """
    number = 1
    try:
        with pq.ParquetFile(path) as file:
            names = [name for name in file.schema_arrow.names if name in keys]
            for batch in file.iter_batches(_BLOCK_ROWS, columns=names):
                lines = pa.array(np.arange(number, number + batch.num_rows))
                engine.register(_ROWS, pa.Table.from_batches([batch]).append_column(_LINE, lines))
                yield engine.arrow(
                    f"select {quote_identifier(_LINE)} as line, {_document(names)} as text,"
                    f" null::varchar as broken from {_ROWS}"
                )
                number += batch.num_rows
    except (OSError, pa.ArrowException, SqlError) as error:
        found = str(error).split("\n", maxsplit=1)[0]
        raise UnreadableFileError(f"{path}: cannot be read: {found}") from error


def _document(names: list[str]) -> str:
    values = ", ".join(f"{quote_literal(name)}, {quote_identifier(name)}" for name in names)
    return f"json_object({values})::varchar" if values else "'{}'"
