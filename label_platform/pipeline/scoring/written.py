"""The file of scores: complete under its name, or not there."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from label_platform.strict_yaml import ConfigurationError

ENDINGS = (".parquet", ".csv")


@contextmanager
def writing(
    path: Path, schema: pa.Schema, facts: Mapping[str, str]
) -> Iterator[Callable[[pa.Table], None]]:
    """Write a file chunk by chunk; it takes its name once it is complete.

    Args:
        path: ends in .parquet or .csv.
        schema: of the rows.
        facts: which ranker scored; kept in a Parquet file's metadata.

    Yields:
        What appends rows.

    Raises:
        ConfigurationError: the name ends otherwise, or the folder cannot be written.
    """
    if path.suffix not in ENDINGS:
        raise ConfigurationError(
            f"--out: {path}: found a name ending in {path.suffix!r}, expected .parquet or .csv"
        )
    unfinished = path.with_name(f".{path.name}.{uuid4().hex}")
    notes = {f"label_platform.{name}": text for name, text in facts.items()}
    noted = schema.with_metadata({**(schema.metadata or {}), **notes})
    open_file = pa.csv.CSVWriter if path.suffix == ".csv" else pq.ParquetWriter
    try:
        with open_file(unfinished, noted) as file:
            yield lambda rows: file.write_table(rows.replace_schema_metadata(noted.metadata))
        unfinished.replace(path)
    except OSError as error:
        raise ConfigurationError(
            f"--out: {path}: found {error.strerror or error}, expected a folder that can be written"
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
