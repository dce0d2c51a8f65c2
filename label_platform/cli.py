"""The command line: the same pipeline as Dagster's, without a daemon.

Exit codes: 0 fine, 1 the work failed, 2 wrong usage (a bad option, problem file or policy).
"""

import json
import re
import sys
import time
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape

from label_platform.strict_yaml import ConfigurationError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Training labels for ranking: from biased logs to labels, rankers and comparisons.",
)
simulate_app = typer.Typer(no_args_is_help=True, help="Write simulated logs with known truth.")
policies_app = typer.Typer(no_args_is_help=True, help="Look at the label policies of a problem.")
app.add_typer(simulate_app, name="simulate")
app.add_typer(policies_app, name="policies")

console = Console()
errors = Console(stderr=True)

DEFAULT_PROBLEM = "product_search.yaml"

ProblemOption = Annotated[
    Path | None,
    typer.Option(
        "--problem", help="The problem file.", show_default="data/problems/product_search.yaml"
    ),
]
LogsOption = Annotated[
    Path | None, typer.Option("--logs", help="A folder to read the logs from instead.")
]
PoliciesOption = Annotated[
    str | None, typer.Option("--policies", help="Only these policies, separated by commas.")
]
DaysOption = Annotated[
    str | None,
    typer.Option("--days", help="Only these log days, FROM..TO; either may be left out."),
]
AllowRefusedOption = Annotated[
    bool, typer.Option("--allow-refused", help="A refused policy is shown, but is not an error.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object for programs.")]


def main() -> None:
    """Run the command line; what a user can mend is one line, not a traceback."""
    try:
        app()
    except (ConfigurationError, FileExistsError) as error:
        # brackets in a message are the user's words, not rich's markup
        errors.print(f"[red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(2)


@simulate_app.command("product_search")
def simulate_product_search_command(
    out: Annotated[Path, typer.Option(help="Folder for logs/ and truth/.")],
    days: Annotated[int, typer.Option(min=1, help="Log days.")] = 10,
    lists_per_day: Annotated[int, typer.Option(min=1, help="Result lists per day.")] = 5000,
    seed: Annotated[int, typer.Option(help="Same seed, same logs.")] = 0,
    start_date: Annotated[str, typer.Option(help="First log day.")] = "2026-10-01",
    logger: Annotated[
        Literal["weak", "strong", "random"], typer.Option(help="How good the logging ranker is.")
    ] = "weak",
    randomized_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of lists in random order.")
    ] = 0.03,
    trust_bias: Annotated[
        float, typer.Option(min=0, max=1, help="How much users trust high positions.")
    ] = 0.0,
) -> None:
    """Search logs of several days, with truth beside them.

    Example: label-platform simulate product_search --out data/simulated/product_search --days 10
    """
    from label_platform.logs.simulators import ProductSearchSettings, simulate_product_search

    started = time.perf_counter()
    try:
        settings = ProductSearchSettings(
            days=days,
            lists_per_day=lists_per_day,
            seed=seed,
            start_date=date.fromisoformat(start_date),
            logger=logger,
            randomized_share=randomized_share,
            trust_bias=trust_bias,
        )
    except ValueError as error:
        raise ConfigurationError(f"simulate product_search: {error}") from error
    try:
        summary = simulate_product_search(settings, out)
    except FileExistsError as error:
        raise ConfigurationError(f"simulate product_search: {error}") from error
    console.print(
        f"simulated {summary.impressions:,} impressions and "
        f"{sum(summary.interactions.values()):,} events over {days} days into {out} "
        f"({time.perf_counter() - started:.1f} s)"
    )


@app.command("run")
def run_command(
    problem: ProblemOption = None,
    logs: LogsOption = None,
    policies: PoliciesOption = None,
    days: DaysOption = None,
    allow_refused: AllowRefusedOption = False,
    as_json: JsonOption = False,
) -> None:
    """The whole chain; without --problem on simulated product search, simulated if need be.

    Example: label-platform run --policies raw_click,coec_multi_signal
    """
    _run("comparisons", problem, logs, policies, days, allow_refused, as_json)


def _add_step(name: str, until: str, words: str) -> None:
    def command(
        problem: ProblemOption = None,
        logs: LogsOption = None,
        policies: PoliciesOption = None,
        days: DaysOption = None,
        allow_refused: AllowRefusedOption = False,
        as_json: JsonOption = False,
    ) -> None:
        _run(until, problem, logs, policies, days, allow_refused, as_json)

    command.__doc__ = f"{words}\n\nExample: label-platform {name}"
    app.command(name)(command)


_add_step("ingest", "impressions", "Read what is new in the log files, and nothing further.")
_add_step("propensities", "propensities", "Up to the examination curve, with its verdict.")
_add_step("labels", "labels", "Up to the labels of every policy.")
_add_step("examples", "examples", "Up to the training examples of every policy.")
_add_step("train", "rankers", "Up to the rankers of every policy, tracked in MLflow.")
_add_step("compare", "comparisons", "Everything, up to the comparison of the policies.")


def _run(
    until: str,
    problem: Path | None,
    logs: Path | None,
    policies: str | None,
    days: str | None,
    allow_refused: bool,
    as_json: bool,
) -> None:
    from label_platform.pipeline.session import Session

    # where a program reads the result, people's tables go to the other stream
    shown = errors if as_json else console
    session = Session.start(problem, logs, policies, _day_range(days), shown)
    outcome = session.run(until)
    if as_json:
        print(json.dumps(outcome.as_json(), default=str))  # noqa: T201 - the command's result
    allowed = allow_refused or session.project.problem.policies.allow_refused
    sys.exit(outcome.exit_code(allow_refused=allowed))


def _day_range(days: str | None) -> tuple[date, date]:
    if days is None:
        return date.min, date.max
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d)?\.\.(\d{4}-\d\d-\d\d)?", days)
    if match is None:
        raise ConfigurationError(
            f"--days: expected FROM..TO such as 2026-10-01..2026-10-07, found {days!r}"
        )
    try:
        first, last = (date.fromisoformat(each) if each else None for each in match.groups())
    except ValueError as error:
        raise ConfigurationError(f"--days: {days!r}: {error}") from error
    if first and last and first > last:
        raise ConfigurationError(f"--days: {first} is after {last}")
    return first or date.min, last or date.max


@policies_app.command("list")
def list_policies(problem: ProblemOption = None) -> None:
    """The policies of a problem and their versions.

    Example: label-platform policies list
    """
    from rich.table import Table

    from label_platform.policy import label_version, load_policies, policy_version
    from label_platform.problem import load_problem

    loaded = load_problem(_problem_path(problem))
    found = load_policies(loaded)
    table = Table("policy", "grain", "debias", "label version", "policy version")
    for policy in found:
        table.add_row(
            policy.name,
            policy.grain,
            policy.debias.method,
            label_version(policy, loaded),
            policy_version(policy, loaded),
        )
    console.print(table)
    for policy in found:
        console.print(f"{policy.name}: {policy.description}", highlight=False)


@policies_app.command("check")
def check_policies(problem: ProblemOption = None) -> None:
    """Read every policy that a problem uses and say what does not fit.

    Example: label-platform policies check --problem data/problems/product_search.yaml
    """
    from label_platform.policy import load_policies
    from label_platform.problem import load_problem

    loaded = load_problem(_problem_path(problem))
    found = load_policies(loaded)
    console.print(f"{len(found)} policies are fine: {', '.join(each.name for each in found)}")


@app.command("ui")
def ui_command(
    dagster_port: Annotated[int, typer.Option(help="Port of Dagster's pages.")] = 3000,
    mlflow_port: Annotated[int, typer.Option(help="Port of MLflow's pages.")] = 5000,
) -> None:
    """Dagster and MLflow in the browser, on this machine only; Ctrl-C ends both.

    Example: label-platform ui --dagster-port 3001
    """
    from label_platform.pipeline.servers import serve
    from label_platform.pipeline.workspace import Workspace

    serve(Workspace.from_environment(), dagster_port, mlflow_port, console.print)


def _problem_path(problem: Path | None) -> Path:
    from label_platform.pipeline.workspace import Workspace

    return problem or Workspace.from_environment().problems / DEFAULT_PROBLEM
