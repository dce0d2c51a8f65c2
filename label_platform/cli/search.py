"""label-platform search: parameters of a policy's ranker, chosen by the validation day."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from label_platform.cli.options import (
    ExamplesDayOption,
    JsonOption,
    ProblemOption,
    console,
    errors,
    problem_path,
)

if TYPE_CHECKING:
    from label_platform.pipeline.search import SearchReport
    from label_platform.ranking.search_trials import Trial

app = typer.Typer()

_UNSAID = {"rounds": "the problem's", "min_data_in_leaf": "by rows"}


@app.command("search")
def search_command(
    policy: Annotated[str, typer.Argument(help="The policy whose ranker is searched for.")],
    ranker: Annotated[
        str | None,
        typer.Option(
            "--ranker", help="Its title, or how that begins.", show_default="the policy's first"
        ),
    ] = None,
    trials: Annotated[
        int, typer.Option("--trials", min=1, help="Choices to try, besides the ranker as it is.")
    ] = 30,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same trials.")] = 0,
    timeout_s: Annotated[
        float | None,
        typer.Option("--timeout-s", min=0.001, help="End what is under way after so many seconds."),
    ] = None,
    day: ExamplesDayOption = None,
    problem: ProblemOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Search LightGBM's parameters for a ranker, judged on the validation day.

    Changes no file: it prints lines for the policy. Needs the extra ``search``, which
    ``make run`` does not install: pip install -e '.\[search]'.

    Example: label-platform search coec_click --ranker lambdarank --trials 50
    """
    from label_platform.pipeline.context import Project
    from label_platform.pipeline.search import search_ranker
    from label_platform.pipeline.workspace import Workspace

    project = Project.load(problem_path(problem), Workspace.from_environment())
    chosen = day.date() if day else None
    with project.open() as context, _bar(errors if as_json else console, trials) as show:
        report = search_ranker(
            context,
            policy,
            ranker=ranker,
            day=chosen,
            trials=trials,
            seed=seed,
            timeout_s=timeout_s,
            on_trial=show,
        )
    if as_json:
        print(json.dumps(report.as_json()))  # noqa: T201 - the command's result
        return
    _print(console, report)


@contextmanager
def _bar(shown: Console, trials: int) -> Iterator[Callable[["Trial", "Trial"], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("trials"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=shown, transient=True) as progress:
        task = progress.add_task("the ranker as it is ...", total=trials)

        def show(trial: "Trial", best: "Trial") -> None:
            said = f"best {best.value:.5g} ({_name(best)})"
            progress.update(task, completed=trial.number, description=said)

        yield show


def _name(trial: "Trial") -> str:
    return f"trial {trial.number}" if trial.number else "as it is"


def _print(shown: Console, report: "SearchReport") -> None:
    result = report.result
    days = " to ".join(sorted({str(report.validate_days[0]), str(report.validate_days[-1])}))
    better = "higher" if result.higher_is_better else "lower"
    shown.print(f"[bold]{escape(report.policy)}[/], {escape(report.spec.title)}", highlight=False)
    shown.print(
        f"judged by {result.measure} ({better} is better), {result.lists:,} lists of {days}",
        highlight=False,
    )
    shown.print(_table(report))
    shown.print(_counts(result.trials), highlight=False)
    _print_gain(shown, report)


def _table(report: "SearchReport") -> Table:
    before, best = report.result.before, report.result.best
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("", no_wrap=True)
    for trial in (before,) if best is before else (before, best):
        table.add_column(_name(trial), justify="right", no_wrap=True)
    rows: list[tuple[str, Callable[[Trial], Any]]] = [
        ("value", lambda trial: f"{trial.value:.5g}"),
        ("trees", lambda trial: trial.rounds),
    ]
    shown = [before] if best is before else [before, best]
    for name, of in rows:
        table.add_row(name, *(str(of(trial)) for trial in shown))
    table.add_section()
    for name in {**before.parameters.said(), **best.parameters.said()}:
        values = [getattr(trial.parameters, name) for trial in shown]
        table.add_row(name, *(_UNSAID[name] if each is None else f"{each:g}" for each in values))
    return table


def _counts(trials: tuple["Trial", ...]) -> str:
    states = [trial.state for trial in trials]
    said = [f"{states.count(state)} {state}" for state in dict.fromkeys(states)]
    failed = [trial.reason for trial in trials if trial.reason]
    return f"{len(trials)} trials: {', '.join(said)}" + (f"; {failed[0]}" if failed else "")


def _print_gain(shown: Console, report: "SearchReport") -> None:
    result = report.result
    if not report.lines:
        shown.print("no trial did better than the ranker as it is", highlight=False)
        return
    gain = result.gain
    shown.print(
        f"gain {gain.value:+.2g}, 95% interval {gain.low:+.2g} to {gain.high:+.2g} (paired, over "
        f"lists); {result.gain_elsewhere:+.2g} on lists that did not choose",
        highlight=False,
    )
    if result.is_within_noise:
        shown.print(
            "[yellow]warning:[/] the gain is within noise: other lists might choose other "
            "parameters, or those as they are",
            highlight=False,
        )
    shown.print("\nfor the policy file:\n", highlight=False)
    shown.print(f"rankers:\n{escape(report.lines)}\n", highlight=False, soft_wrap=True)
    shown.print(
        "The validation day chose these parameters, and says too much good of them. Evaluation "
        "days were not looked at: enter them as one more ranker, and `label-platform compare`.",
        highlight=False,
    )
