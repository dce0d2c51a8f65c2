"""What a comparison of two policies prints for people."""

from datetime import date

import pandas as pd
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from label_platform.pipeline.policy_diff.compare import PolicyDiff
from label_platform.pipeline.policy_diff.movers import Mover
from label_platform.pipeline.policy_diff.plan import Affected
from label_platform.pipeline.policy_diff.training import TrainingDiff
from label_platform.policy import ABSENT, BINS, Distribution, LabelDiff, PolicyChange

_MOST = 12
_BAR = 20
_GAP = 3
"""The most that stands between two columns of a table."""
_REACHES = {
    "nothing": "nothing: both mean the same",
    "rankers": "only rankers: labels and training rows have the same values",
    "examples": "the rows that train; the labels that they are made from have the same values",
    "labels": "labels, and all that is made from them",
}
_OF_TRAINING_ROWS = (
    "grading",
    "decay",
    "debias.prior",
    "teacher",
    "negatives",
    "combine.dense_share",
    "auxiliary.tune",
)
"""Keys that act on training rows alone."""
_REFUSED = "refused: "
"""How the verdict of a row begins that could not be compared."""


def print_diff(console: Console, diff: PolicyDiff) -> None:
    """The file's keys, the labels, the rows that move most, what would be built and its cost."""
    old, new = diff.names
    _print_change(console, diff.change, f"{old} -> {new}")
    if diff.change.reaches == "nothing":
        console.print(f"no difference between {old} and {new}", highlight=False)
        return
    if diff.labels is not None:
        _print_rows(console, diff.labels, f"Rows that change[/] ({_span(diff.days)}", diff.movers)
    if diff.training is not None:
        _print_training(console, diff.training, diff.names)
    _print_plan(console, diff)
    _print_trial(console, diff)
    console.print("nothing was written", highlight=False)


def _print_rows(console: Console, rows: LabelDiff, title: str, movers: tuple[Mover, ...]) -> None:
    """Counts, and of labels that change the cross table, both distributions and the movers."""
    _print_counts(console, rows, title)
    if _moves(rows):
        _print_cross_table(console, rows)
        _print_distributions(console, rows)
    if movers:
        _print_movers(console, movers)


def _print_training(console: Console, training: TrainingDiff, names: tuple[str, str]) -> None:
    if training.rows is None:
        console.print(f"\ntraining rows are not compared: {escape(training.words)}")
        return
    title = f"Training rows that change[/] (train {_span(training.train)}"
    if training.validate:
        title += f"; validate {_span(training.validate)}"
    _print_rows(console, training.rows, title, training.movers)
    sources = dict(zip(names, training.published, strict=True))
    for name, published in sources.items():
        said = "are those of the lake" if published else "were built for this and not kept"
        console.print(f"rows of {escape(name)} {said}", highlight=False)
    if training.left_out:
        console.print(
            f"{training.left_out} days that train or validate were not compared: rows are made "
            "from the days above only; --days FROM..TO chooses others",
            highlight=False,
            soft_wrap=True,
        )


def _span(days: tuple[date, ...]) -> str:
    return f"{days[0]} to {days[-1]}, {len(days)} days" if len(days) > 1 else f"{days[0]}"


def _print_change(console: Console, change: PolicyChange, names: str) -> None:
    console.print(f"[bold]{escape(names)}[/]", highlight=False)
    for key in change.keys:
        if key.key != "description":
            console.print(f"  {escape(str(key))}", highlight=False)
    for name, (old, new) in (
        ("label version", change.label_versions),
        ("policy version", change.policy_versions),
    ):
        said = f"{old} -> {new}" if old != new else f"{old}, the same"
        console.print(f"  {name}: {said}", highlight=False)
    console.print(f"  affects {_REACHES[change.reaches]}", highlight=False)
    fitted = [
        name
        for name in _OF_TRAINING_ROWS
        if any(f"{key.key}.".startswith(f"{name}.") for key in change.keys)
    ]
    # a change that leaves labels alone has its training rows compared
    if fitted and change.reaches == "labels":
        act = "act" if len(fitted) > 1 else "acts"
        console.print(
            f"  {', '.join(fitted)} {act} on training rows, which are not compared here",
            highlight=False,
        )


def _moves(diff: LabelDiff) -> bool:
    """Whether the label of any row changes, comes or goes."""
    return bool(diff.total.changed or diff.total.new or diff.total.vanished)


def _print_counts(console: Console, diff: LabelDiff, title: str) -> None:
    unit = "impressions" if diff.grain == "impression" else "queries and items"
    console.print(f"\n[bold]{title}; {unit})", highlight=False)
    weighed = ["weight changes"] if diff.total.weighed else []
    table = _table("", "rows", "label changes", *weighed, "new", "vanish", "old mean", "new mean")
    segments = [parts[:_MOST] for parts in diff.by_segment.values()]
    groups = [(diff.total,), diff.by_signal[:_MOST], *segments]
    heads = ["", "signals: ", *(f"{name} " for name in diff.by_segment)]
    for head, parts in zip(heads, groups, strict=True):
        for part in parts:
            share = f"{part.changed:,} ({part.changed / part.rows:.1%})" if part.rows else "0"
            table.add_row(
                escape(head + part.of),
                f"{part.rows:,}",
                share,
                *(f"{part.weighed:,}" for _ in weighed),
                f"{part.new:,}",
                f"{part.vanished:,}",
                _number(part.old_mean),
                _number(part.new_mean),
            )
        table.add_section()
    console.print(table)
    if not _moves(diff):
        console.print("no label changes", highlight=False)
    for name, rows in diff.columns.items():
        if rows:
            console.print(f"{name} differs in {rows:,} rows{_means(diff, name)}", highlight=False)


def _means(diff: LabelDiff, name: str) -> str:
    """The old and the new mean and sum of a column, over the rows that both label."""
    if name not in diff.means:
        return ""
    both = diff.total.rows - diff.total.new - diff.total.vanished
    old, new = diff.means[name]
    sums = f"sum {old * both:,.6g} -> {new * both:,.6g}"
    return f": mean {_number(old)} -> {_number(new)}, {sums}"


def _print_cross_table(console: Console, diff: LabelDiff) -> None:
    console.print("\n[bold]Rows by old label (down) and new label (across)[/]")
    known = {name for row in diff.cross_table.values() for name in row}
    across = [name for name in (*BINS, ABSENT) if name in known]
    first = max(map(len, ["old \\ new", *diff.cross_table]))
    for names in _side_by_side(diff, across, console.width - first):
        table = _table("old \\ new", *names)
        for name, row in diff.cross_table.items():
            cells = (f"{row[each]:,}" if each in row else "" for each in names)
            table.add_row(escape(name), *cells)
        console.print(table)


def _side_by_side(diff: LabelDiff, across: list[str], room: int) -> list[list[str]]:
    """The columns of the cross table in as many parts as it takes for none to be cut."""
    parts: list[list[str]] = [[]]
    left = room
    for name in across:
        counts = (f"{row[name]:,}" for row in diff.cross_table.values() if name in row)
        width = max(map(len, [name, *counts])) + _GAP
        if width > left and parts[-1]:
            parts.append([])
            left = room
        parts[-1].append(name)
        left -= width
    return parts


def _print_distributions(console: Console, diff: LabelDiff) -> None:
    old, new = diff.old, diff.new
    console.print("\n[bold]Distributions[/]")
    table = _table("", "old", "new")
    table.add_row("labels", f"{old.rows:,}", f"{new.rows:,}")
    table.add_row("mean", _number(old.mean), _number(new.mean))
    table.add_row("share above 0", _number(old.share_positive), _number(new.share_positive))
    for share in dict.fromkeys([*old.quantiles, *new.quantiles]):
        cells = (_number(each.quantiles.get(share)) for each in (old, new))
        table.add_row(f"{float(share):.0%} of those above 0", *cells)
    console.print(table)
    bars = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("label", "old", "new"):
        bars.add_column(name, no_wrap=True)
    for name in (name for name in BINS if name in {**old.histogram, **new.histogram}):
        bars.add_row(escape(name), _bar(old, name), _bar(new, name))
    console.print(bars)


def _bar(side: Distribution, name: str) -> str:
    """A bin's share, and a bar as long as it is."""
    share = side.histogram.get(name, 0) / side.rows if side.rows else 0.0
    length = max(round(share * _BAR), 1) if share else 0
    return f"{share:7.2%} {'#' * length:<{_BAR}}"


def _print_movers(console: Console, movers: tuple[Mover, ...]) -> None:
    console.print("\n[bold]The rows that move most[/]")
    for mover in movers:
        ids = ", ".join(f"{name} {value}" for name, value in mover.ids.items())
        shown = "shown by no list"
        if mover.days:
            shown = f"{mover.days[0]}" + f"..{mover.days[-1]}" * (len(mover.days) > 1)
            shown += f", position {', '.join(map(str, mover.positions))}"
        moved = f"{mover.labels[0]:g} -> {mover.labels[1]:g}"
        if mover.weights is not None and mover.labels[0] == mover.labels[1]:
            moved = f"weight {mover.weights[0]:g} -> {mover.weights[1]:g}"
        for line in (
            f"{moved}  {ids}, {shown}",
            f"    old: {mover.old_words}",
            f"    new: {mover.new_words}",
        ):
            console.print(escape(line), highlight=False, soft_wrap=True)


def _print_plan(console: Console, diff: PolicyDiff) -> None:
    plan = diff.plan
    if plan is None:
        return
    console.print("\n[bold]What would be built[/]")
    if not plan.affected and not plan.words:
        console.print("  nothing: all of it is there and up to date")
    if plan.words:
        console.print(escape(plan.words), highlight=False)
    for each in plan.affected:
        of_policy = f" of {each.policy}" if each.policy else ""
        days = f"{each.days[0]} to {each.days[-1]}, {len(each.days)} partitions"
        days = days if len(each.days) > 1 else f"{each.days[0]}"
        console.print(f"  {each.table}{of_policy}: {days}{_values(diff, each)}", highlight=False)
    if plan.rankers:
        said = ", ".join(f"{policy} {title}" for policy, title in plan.rankers)
        console.print(f"  rankers trained: {escape(said)}", highlight=False)
    for line in plan.unseen:
        console.print(f"[yellow]warning:[/] {escape(line)}", highlight=False, soft_wrap=True)
    if not diff.cost:
        return
    table = _table("cost", "partitions", "rows", "seconds", "from")
    for cost in diff.cost:
        rows = "" if cost.rows is None else f"{cost.rows:,}"
        seconds = "?" if cost.seconds is None else f"{cost.seconds:.1f}"
        table.add_row(cost.table, str(cost.partitions), rows, seconds, cost.source)
    console.print(table)


def _values(diff: PolicyDiff, affected: Affected) -> str:
    """Labels that are built though the change leaves them alone: the name has none yet."""
    is_the_same = diff.change.reaches != "labels" and affected.table == "labels"
    if not is_the_same or affected.policy != diff.taken_up:
        return ""
    return f", with the values of {diff.names[0]}"


def _print_trial(console: Console, diff: PolicyDiff) -> None:
    trial = diff.trial
    if trial is None:
        return
    console.print("\n[bold]Both trained[/] (new minus old, 95% intervals)")
    if trial.words:
        console.print(escape(trial.words), highlight=False)
        return
    table = _table("ranker", "yardstick", "old", "new", "difference", "verdict")
    for row in trial.table.to_dict(orient="records"):
        known = not pd.isna(row["difference"])
        is_refused = str(row["verdict"]).startswith(_REFUSED)
        interval = (
            f"{row['difference']:+.4f} ({row['difference_low']:+.4f} to "
            f"{row['difference_high']:+.4f})"
        )
        table.add_row(
            escape(str(row["ranker"])),
            str(row["yardstick"]),
            _number(row["baseline_value"]),
            _number(row["value"]),
            interval if known else "",
            # the reason stands once below, where there is room
            _REFUSED.rstrip(": ") if is_refused else escape(str(row["verdict"])),
        )
    console.print(table)
    for words in dict.fromkeys(map(str, trial.table["verdict"])):
        if words.startswith(_REFUSED):
            console.print(f"  {escape(words)}", highlight=False, soft_wrap=True)


def _table(first: str, *names: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column(first, overflow="fold")
    for name in names:
        if name in {"label changes", "difference", "verdict"}:
            table.add_column(escape(name), justify="right", overflow="fold")
        else:
            table.add_column(escape(name), justify="right", no_wrap=True)
    return table


def _number(value: float | None) -> str:
    return "" if value is None or pd.isna(value) else f"{value:.4g}"
