"""Columns of Parquet files, read when they are asked for and not kept.

A table of training examples is twice as large as the matrix that is made from it, or more. Read
as a whole it would have to stand beside that matrix.
"""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


class ParquetColumns:
    """Columns over one or several files of the same columns, rows as they are stored.

    Args:
        files: at least one.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = [pq.ParquetFile(file, pre_buffer=False) for file in files]
        self.schema: pa.Schema = self._files[0].schema_arrow
        self.column_names: list[str] = self.schema.names
        self.num_rows: int = sum(file.metadata.num_rows for file in self._files)

    def column(self, name: str, /) -> pa.ChunkedArray:
        """All values of a column."""
        tables = [file.read([name], use_threads=False) for file in self._files]
        return pa.concat_tables(tables).column(0)

    def __len__(self) -> int:
        return self.num_rows
