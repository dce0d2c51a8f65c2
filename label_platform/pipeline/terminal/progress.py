"""What was read, what was built and what failed."""

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from label_platform.logs import IngestReport
from label_platform.pipeline.context import Project
from label_platform.pipeline.run import RunSummary
from label_platform.tracking import TrackingStore

_WIDEST = 23
_COUNTS = ("records", "accepted", "ignored", "rejected", "duplicates")


def print_files(console: Console, report: IngestReport) -> None:
    """The counts of each file read: records = accepted + ignored + rejected + duplicates."""
    if not report.files:
        console.print(f"log files: nothing new ({report.unchanged} files unchanged)")
        return
    console.print("\n[bold]Records read, and what became of each[/]")
    table = Table("log file", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in _COUNTS:
        table.add_column(name, justify="right")
    for file in report.files:
        # the end of a path tells files apart
        shown = file.source if len(file.source) <= _WIDEST else f"…{file.source[1 - _WIDEST :]}"
        unknown = "-" if file.refusal else ""
        table.add_row(shown, *(unknown or f"{getattr(file, name):,}" for name in _COUNTS))
    table.add_section()
    totals = (sum(getattr(file, name) for file in report.files) for name in _COUNTS)
    table.add_row("all files", *(f"{total:,}" for total in totals))
    console.print(table)
    for file in report.refused:
        console.print(f"[red]not read[/] {escape(file.source)}: {escape(file.refusal)}")


def print_failures(console: Console, summary: RunSummary) -> None:
    """What was refused and what broke, each with its reason."""
    for reason in summary.refused.values():
        console.print(f"[yellow]refused[/] {escape(reason)}", highlight=False)
    for asset, reason in summary.broken.items():
        console.print(f"[red]failed[/] {asset}: {escape(reason)}", highlight=False)


def print_end(console: Console, summary: RunSummary, store: TrackingStore) -> None:
    """What was built, how long it took, and where to look further."""
    built, kept = sum(summary.built.values()), sum(summary.unchanged.values())
    seconds = sum(summary.seconds.values())
    console.print(f"{built} partitions built, {kept} were up to date, in {seconds:.0f} s")
    if "rankers" in summary.seconds:
        console.print(f"`make ui` opens Dagster and MLflow; the rankers: {store.link()}")


def print_view(console: Console, project: Project) -> None:
    """Where a build as of some time lies."""
    lake = project.workspace.lake(project.problem.name, project.as_of)
    if lake.view is not None:
        console.print(
            f"as of {lake.view.as_of}, in {lake.folder / lake.view.folder}; the live tables and "
            "the models' aliases are as they were",
            highlight=False,
            soft_wrap=True,
        )
