"""The examination curve: every estimator's, its verdict and what it rests on."""

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from label_platform.lake import Partition
from label_platform.pipeline.context import Context
from label_platform.pipeline.propensity_report import DayPropensities, latest_propensities
from label_platform.propensity import ENOUGH_POWER, Verdict

_SHOWN_POSITIONS = (1, 2, 3, 5, 10, 20, 50)


def print_propensities(console: Console, context: Context) -> None:
    """The verdict of the latest curve that training uses, and each estimator's with its reason."""
    last_day = context.log_days[-1]
    manifest = context.lake.manifest(Partition("propensities", context.last_training_day(last_day)))
    if manifest is None:
        return
    found = latest_propensities(context, last_day)
    if found is None:
        said = "The last ones are of other counts or settings than those of now"
        console.print(f"[bold]Propensities: not built[/]. {said}", highlight=False)
        return
    verdict = manifest.attributes["verdict"]
    console.print(
        f"[bold]Propensities: {verdict}[/]. {escape(found.chosen_because)}", highlight=False
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("estimator", no_wrap=True)
    table.add_column("verdict, and what it rests on", overflow="fold")
    for each in found.judged():
        mark = "→ " if each.is_chosen else "  "
        table.add_row(f"{mark}{each.estimator}", f"{each.verdict}: {escape(each.why)}")
    console.print(table)
    console.print("all reasons: `label-platform propensities --details`", highlight=False)


def print_reasons(console: Console, found: DayPropensities) -> None:
    """All that is said of each estimator, context by context, the chosen one first."""
    for each in found.judged():
        console.print(f"\n[bold]{each.estimator}[/]: {each.verdict}", highlight=False)
        for sentence in each.reasons:
            console.print(Padding(escape(sentence), (0, 0, 0, 2)), highlight=False)


def print_estimators(console: Console, found: DayPropensities) -> None:
    """Each estimator's curve over all contexts at some positions, its verdict and why."""
    curves = found.pooled_curves()
    deepest = max(int(rows["position"].max()) for rows in curves.values() if len(rows))
    shown = [each for each in _SHOWN_POSITIONS if each <= deepest]
    console.print(
        f"\n[bold]Examination relative to position 1[/], window ending {found.partition.day}",
        highlight=False,
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("estimator", no_wrap=True)
    for position in shown[1:]:
        slot = found.slot(position).replace(", ", "\n").replace("column", "col")
        table.add_column(f"at {position}\n{slot}".rstrip(), justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for name, rows in curves.items():
        at = rows.set_index("position")["propensity"]
        verdict = Verdict(found.attributes["estimators"][name]["verdict"])
        values = ["" if verdict.is_refusal or k not in at else f"{at[k]:.3f}" for k in shown[1:]]
        mark = "→ " if name == found.attributes["estimator"] else "  "
        table.add_row(f"{mark}{name}", *values, verdict.value)
    console.print(table)
    quiet: dict[str, list[str]] = {}
    for each in found.attributes["findings"]:
        named = f"{each['test']}{', ' if each['context'] else ''}{each['context']}"
        if each["fires"]:
            text = escape(f"{named}: {each['sentence']}")
            console.print(f"[yellow]{text}[/]", highlight=False)
        else:
            said = f"p = {each['p_value']:.2g}, power {each['power']:.0%}"
            where = f"{each['context']} ({said})" if each["context"] else said
            # silence of what would rarely speak says nothing
            told = "no sign of" if each["power"] >= ENOUGH_POWER else "too few clicks to see"
            quiet.setdefault(f"{told} {each['test']}", []).append(where)
    for told, found_nothing in quiet.items():
        console.print(f"{told}: {escape('; '.join(found_nothing))}", highlight=False)
