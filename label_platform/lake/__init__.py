"""Tables on disk and the SQL engine that works on them."""

from label_platform.lake.engine import (
    Engine,
    SqlError,
    quote_identifier,
    quote_literal,
    scan_parquet,
)
from label_platform.lake.manifest import (
    DataFile,
    Manifest,
    recipe_hash,
    replace_file,
)
from label_platform.lake.tables import (
    Lake,
    MissingPartitionError,
    Partition,
    days_between,
    write_data_file,
)

__all__ = [
    "DataFile",
    "Engine",
    "Lake",
    "Manifest",
    "MissingPartitionError",
    "Partition",
    "SqlError",
    "days_between",
    "quote_identifier",
    "quote_literal",
    "recipe_hash",
    "replace_file",
    "scan_parquet",
    "write_data_file",
]
