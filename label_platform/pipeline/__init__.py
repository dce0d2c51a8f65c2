"""Dagster: the tables as assets, their order, checks, schedules; and the same from a terminal."""

import warnings

# Dagster marks both as beta, once per asset; both are tested here.
warnings.filterwarnings(
    "ignore", message="Parameter `(backfill_policy|allow_nonexistent_upstream_partitions)`"
)
