"""What Dagster shows of a partition: counts, hashes, verdicts, pictures."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from label_platform.crafting import LabelHealth
from label_platform.evaluation import ALL
from label_platform.lake import Manifest
from label_platform.logs import IngestReport
from label_platform.pipeline.label_health import HEALTH
from label_platform.tracking import TrackingStore

_EVIDENCE = ("lists", "positives", "queries")
_COUNTS = ("records", "accepted", "ignored", "rejected", "duplicates")


def partition_metadata(manifest: Manifest) -> dict[str, Any]:
    """Counts and hashes of a partition, and what its build noted for people."""
    return {
        "dagster/row_count": manifest.rows,
        "content_hash": manifest.content_hash,
        "recipe_hash": manifest.recipe_hash,
        **{name: _shown(value) for name, value in manifest.attributes.items() if name != HEALTH},
        **_health_metadata(manifest.attributes.get(HEALTH)),
    }


def ingestion_metadata(report: IngestReport) -> dict[str, Any]:
    """The counts of every file that was read: records in = the sum of the other columns."""
    lines = [f"| file | {' | '.join(_COUNTS)} |", "|---" * (len(_COUNTS) + 1) + "|"]
    for file in report.files:
        counts = " | ".join(f"{getattr(file, name):,}" for name in _COUNTS)
        lines.append(f"| {file.source} | {counts} |")
    lines += [f"\n**not read** {file.source}: {file.refusal}" for file in report.refused]
    table = "\n".join(lines) if report.files else "nothing new in the log files"
    return {
        "files": dg.MetadataValue.md(table),
        "files_read": len(report.files),
        "files_unchanged": report.unchanged,
    }


def comparison_metadata(table: pd.DataFrame) -> dict[str, Any]:
    """The comparison as a table per yardstick, all of the data first and then its slices."""
    shown = {}
    table = table.sort_values("slice", key=lambda parts: parts != ALL, kind="stable")
    for yardstick, rows in table.groupby("yardstick"):
        names = ("slice", "policy", "ranker", "value", "minus baseline", "verdict", *_EVIDENCE)
        lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
        for row in rows.to_dict(orient="records"):
            value = difference = ""
            if not pd.isna(row["value"]):
                value = f"{row['value']:.4f} ({row['ci_low']:.4f} to {row['ci_high']:.4f})"
            if not pd.isna(row["difference"]):
                between = f"{row['difference_low']:+.4f} to {row['difference_high']:+.4f}"
                difference = f"{row['difference']:+.4f} ({between})"
            said = (row["slice"], row["policy"], row["ranker"], value, difference, row["verdict"])
            cells = (*said, *(f"{row[name]:,}" for name in _EVIDENCE))
            lines.append(f"| {' | '.join(map(str, cells))} |")
        shown[str(yardstick)] = dg.MetadataValue.md("\n".join(lines))
    return shown


def picture(png: bytes, title: str) -> dg.MarkdownMetadataValue:
    """A picture that Dagster's page shows where it stands."""
    return dg.MetadataValue.md(
        f"![{title}](data:image/png;base64,{base64.b64encode(png).decode()})"
    )


def _health_metadata(stored: Mapping[str, Any] | None) -> dict[str, Any]:
    """A day's numbers, each by itself: Dagster draws them over days."""
    if not stored:
        return {}
    health = LabelHealth.from_facts(stored["numbers"])
    numbers = {**health.as_facts(), "positive_share": health.positive_share}
    return {
        f"{HEALTH}/{name}": value
        for name, value in numbers.items()
        if value is not None and name not in {"rows", "buckets"}
    }


def page_metadata(page: Path, run: str, store: TrackingStore) -> dict[str, dg.MetadataValue]:
    """Where a comparison's page lies, and where MLflow shows it."""
    return {
        "page": dg.MetadataValue.path(page),
        "page_in_mlflow": dg.MetadataValue.url(store.artifact_link(run, page.name)),
    }


def _shown(value: object) -> Any:  # noqa: ANN401 - whatever Dagster takes as metadata
    if isinstance(value, Mapping) and any(isinstance(each, Mapping) for each in value.values()):
        value = [{"": key, **each} for key, each in value.items()]
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        names = list(value[0])
        lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
        lines += [f"| {' | '.join(str(row[name]) for name in names)} |" for row in value]
        return dg.MetadataValue.md("\n".join(lines))
    if isinstance(value, Mapping):
        lines = [f"| {key} | {count} |" for key, count in value.items()]
        return dg.MetadataValue.md("\n".join(["| | |", "|---|---|", *lines]))
    return value
