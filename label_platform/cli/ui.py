"""label-platform ui: Dagster and MLflow in the browser."""

import typer
from rich.markup import escape

from label_platform.cli.options import (
    DAGSTER_PORT,
    MLFLOW_PORT,
    DagsterPortOption,
    MlflowPortOption,
    console,
    errors,
)

app = typer.Typer()


@app.command("ui")
def ui_command(
    dagster_port: DagsterPortOption = DAGSTER_PORT,
    mlflow_port: MlflowPortOption = MLFLOW_PORT,
) -> None:
    """Dagster and MLflow in the browser, on this machine only; Ctrl-C ends both.

    Example: label-platform ui --dagster-port 3001
    """
    from label_platform.pipeline.servers import ServerError, serve
    from label_platform.pipeline.workspace import Workspace

    try:
        serve(Workspace.from_environment(), dagster_port, mlflow_port, console.print)
    except ServerError as error:
        errors.print(f"[red]failed[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
