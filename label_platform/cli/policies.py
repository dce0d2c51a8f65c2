"""label-platform policies: the label policies of a problem."""

import typer

from label_platform.cli.options import ProblemOption, console, problem_path
from label_platform.cli.policy_health import health_command

app = typer.Typer(no_args_is_help=True, help="Look at the label policies of a problem.")
app.command("health")(health_command)


@app.command("list")
def list_policies(problem: ProblemOption = None) -> None:
    """The policies of a problem and their versions.

    Example: label-platform policies list
    """
    from rich.table import Table

    from label_platform.policy import label_version, load_policies, policy_version
    from label_platform.problem import load_problem

    loaded = load_problem(problem_path(problem))
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


@app.command("check")
def check_policies(problem: ProblemOption = None) -> None:
    """Read every policy that a problem uses and say what does not fit.

    Example: label-platform policies check --problem data/problems/product_search.yaml
    """
    from label_platform.policy import load_policies
    from label_platform.problem import load_problem

    loaded = load_problem(problem_path(problem))
    found = load_policies(loaded)
    console.print(f"{len(found)} policies are fine: {', '.join(each.name for each in found)}")
