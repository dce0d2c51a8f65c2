"""The command line: the same pipeline as Dagster's, without a daemon.

Exit codes: 0 fine, 1 the work failed, 2 wrong usage (a bad option, problem file or policy).
"""

import sys

import typer
from rich.markup import escape

from label_platform.cli import (
    delays,
    doctor,
    erase,
    export,
    init,
    labels,
    models,
    off_policy,
    plan_exploration,
    policies,
    propensities,
    quarantine,
    run,
    score,
    search,
    simulate,
    ui,
)
from label_platform.cli.options import errors
from label_platform.strict_yaml import ConfigurationError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Training labels for ranking: from biased logs to labels, rankers and comparisons.",
)
app.add_typer(init.app)
app.add_typer(doctor.app)
app.add_typer(run.app)
app.add_typer(labels.app, name="labels")
app.add_typer(propensities.app)
app.add_typer(off_policy.app)
app.add_typer(simulate.app, name="simulate")
app.add_typer(policies.app, name="policies")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(delays.app)
app.add_typer(plan_exploration.app)
app.add_typer(erase.app)
app.add_typer(models.app, name="models")
app.add_typer(score.app)
app.add_typer(export.app)
app.add_typer(search.app)
app.add_typer(ui.app)


def main() -> None:
    """Run the command line; what a user can mend is one line, not a traceback."""
    try:
        app()
    except (ConfigurationError, FileExistsError) as error:
        # brackets in a message are the user's words, not rich's markup
        errors.print(f"[red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(2)
