"""label-platform quarantine: refused records, and a second chance for them."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from label_platform.cli.options import JsonOption, LogsOption, ProblemOption, console, problem_path

if TYPE_CHECKING:
    from label_platform.lake import Engine, Lake
    from label_platform.logs import ReplayReport
    from label_platform.problem import Problem

app = typer.Typer(no_args_is_help=True, help="Look at refused log records, and read them again.")

FileOption = Annotated[str, typer.Option("--file", help="Only records of this log file.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Only records with this reason.")]


@app.command("list")
def list_command(
    problem: ProblemOption = None, logs: LogsOption = None, as_json: JsonOption = False
) -> None:
    """How many records were refused, by file and reason, with an example of each.

    Example: label-platform quarantine list
    """
    from rich.table import Table

    from label_platform.logs import refusal_counts

    with _opened(problem, logs) as (_, lake, engine):
        found = refusal_counts(engine, lake)
    if as_json:
        names = ("file", "reason", "records", "example")
        print(json.dumps([dict(zip(names, row, strict=True)) for row in found]))  # noqa: T201
        return
    if not found:
        console.print("the quarantine is empty")
        return
    table = Table("file", "reason", "records", "for example")
    for source, reason, count, detail in found:
        table.add_row(escape(source), reason, f"{count:,}", escape(detail))
    console.print(table)
    console.print(
        "after mending the problem file or a reader's option: label-platform quarantine replay"
    )


@app.command("show")
def show_command(
    problem: ProblemOption = None,
    logs: LogsOption = None,
    file: FileOption = "",
    reason: ReasonOption = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many records.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Single refused records, with what was found, what was expected, and their text.

    Example: label-platform quarantine show --reason missing_key --limit 5
    """
    from label_platform.logs import refused_records

    with _opened(problem, logs) as (_, lake, engine):
        found = refused_records(engine, lake, source=file, reason=reason, limit=limit)
    if as_json:
        print(json.dumps([asdict(record) for record in found]))  # noqa: T201 - the result
        return
    for record in found:
        console.print(
            f"[bold]{escape(record.source)}:{record.line}[/] {record.reason}: "
            f"{escape(record.detail)}",
            highlight=False,
        )
        console.print(f"    {escape((record.raw or '').strip()[:400])}", highlight=False)
    if not found:
        console.print("the quarantine is empty")


@app.command("replay")
def replay_command(
    problem: ProblemOption = None,
    logs: LogsOption = None,
    file: FileOption = "",
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Read refused records again; what is accepted now leaves the quarantine.

    Example: label-platform quarantine replay --reason timestamp_without_zone
    """
    from label_platform.logs import replay
    from label_platform.pipeline.workspace import Workspace

    Workspace.from_environment().make()
    with _opened(problem, logs) as (loaded, lake, engine):
        report = replay(loaded, lake, engine, source=file, reason=reason)
    if as_json:
        print(json.dumps(_as_json(report)))  # noqa: T201 - the command's result
    else:
        _print(report)
    sys.exit(1 if report.unreadable else 0)


def _as_json(report: "ReplayReport") -> dict[str, object]:
    kinds = ("records", "accepted", "ignored", "rejected", "duplicates")
    files: dict[str, dict[str, int]] = {}
    for counts in report.files:  # one that feeds two tables is there twice
        file = files.setdefault(counts.source, dict.fromkeys(kinds, 0))
        for kind in kinds:
            file[kind] += getattr(counts, kind)
    return {
        "files": files,
        "changed": dict(report.changed),
        "unreadable": dict(report.unreadable),
    }


def _print(report: "ReplayReport") -> None:
    for counts in report.files:
        console.print(
            f"{escape(counts.source)}: {counts.records:,} read again, "
            f"{counts.accepted:,} accepted, {counts.duplicates:,} duplicates, "
            f"{counts.ignored:,} ignored, {counts.rejected:,} still refused",
            highlight=False,
        )
    for name, count in report.changed.items():
        console.print(f"{escape(name)}: {count:,} lines have changed; ingest reads them")
    for name, why in report.unreadable.items():
        console.print(f"{escape(name)}: {escape(why)}")
    if not report.files and not report.unreadable:
        console.print("the quarantine is empty")
    elif any(counts.accepted for counts in report.files):
        console.print("label-platform run builds what these records change")


@contextmanager
def _opened(
    problem: Path | None, logs: Path | None
) -> Iterator[tuple["Problem", "Lake", "Engine"]]:
    from label_platform.lake import Engine
    from label_platform.pipeline.workspace import Workspace
    from label_platform.problem import load_problem

    loaded = load_problem(problem_path(problem), logs)
    with Engine() as engine:
        yield loaded, Workspace.from_environment().lake(loaded.name), engine
