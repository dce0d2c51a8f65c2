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
from label_platform.lake.model_checks import Check, CheckResult, checks_of, run_checks
from label_platform.lake.sql_models import ModelError, SqlModel, create_models, load_models
from label_platform.lake.tables import (
    Lake,
    MissingPartitionError,
    Partition,
    View,
    days_between,
    row_hash_sql,
    write_data_file,
)

__all__ = [
    "Check",
    "CheckResult",
    "DataFile",
    "Engine",
    "Lake",
    "Manifest",
    "MissingPartitionError",
    "ModelError",
    "Partition",
    "SqlError",
    "SqlModel",
    "View",
    "checks_of",
    "create_models",
    "days_between",
    "load_models",
    "quote_identifier",
    "quote_literal",
    "recipe_hash",
    "replace_file",
    "row_hash_sql",
    "run_checks",
    "scan_parquet",
    "write_data_file",
]
