"""What a run prints for people."""

from collections.abc import Hashable
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from label_platform.evaluation import ALL, SHOWN_PREFIX, verdicts
from label_platform.lake import Partition
from label_platform.logs import IngestReport
from label_platform.pipeline.context import Context, Project
from label_platform.pipeline.delays import SignalDelays
from label_platform.pipeline.propensity_report import DayPropensities, latest_propensities
from label_platform.pipeline.run import RunSummary
from label_platform.propensity import Verdict
from label_platform.tracking import TrackingStore

_WIDEST = 23
_OBJECTIVE = len("lambdarank")
_SHOWN_POSITIONS = (1, 2, 3, 5, 10, 20, 50)
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
            quiet.setdefault(each["test"], []).append(where)
    for test, found_nothing in quiet.items():
        console.print(f"no sign of {test}: {escape('; '.join(found_nothing))}", highlight=False)


def print_comparison(console: Console, comparison: pd.DataFrame, baseline: str) -> None:
    """Per yardstick the policies, their value, and the paired difference to raw clicks.

    Slices are lines below the table of their yardstick, where they say something else than all of
    the data does; then each policy's verdict in a sentence.
    """
    if comparison.empty:
        return
    whole = comparison[comparison["slice"] == ALL]
    for yardstick in sorted(whole["yardstick"].unique(), key=_yardstick_order):
        rows = whole[whole["yardstick"] == yardstick]
        if rows["value"].isna().all():
            reasons = "; ".join(dict.fromkeys(rows["reason"]))
            console.print(f"[bold]{yardstick}[/]: no answer. {reasons}", highlight=False)
            continue
        console.print(f"\n[bold]{yardstick}[/]  {_evidence(rows)}", highlight=False)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("policy", no_wrap=True)
        table.add_column("ranker", overflow="fold", min_width=_OBJECTIVE)
        for name in ("value", f"minus {baseline}"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("verdict")
        for row in rows.assign(ranker=_as_short_as_clear(rows)).to_dict(orient="records"):
            table.add_row(*_comparison_cells(row))
        console.print(table)
        _print_slices(console, comparison[comparison["yardstick"] == yardstick])
    console.print(
        f"± is the 95% interval, over queries and {comparison['fits'].max()} refits on resampled "
        f"logs; {baseline} is trained on the same rows and resamples, with the same objective, "
        "loss and parameters; "
        f"better and worse are said after Holm's correction for all {_tests(comparison)} "
        "comparisons",
        highlight=False,
    )
    console.print("\n[bold]In words[/]")
    for each in verdicts(comparison, baseline):
        if not each.is_baseline:
            sentence = escape(f"{each.policy}, {each.ranker}: {each.sentence}")
            console.print(sentence, highlight=False)


def _evidence(rows: pd.DataFrame) -> str:
    """What a yardstick's numbers rest on."""
    first = rows.iloc[0]
    of_people = str(first["yardstick"]).startswith(SHOWN_PREFIX)
    parts = [f"{rows['queries'].max():,} {'people' if of_people else 'queries'}"]
    if first["days"]:
        days = "1 day" if first["days"] == 1 else f"{first['days']} days"
        parts.append(f"{first['lists']:,} lists of {days}, {first['positives']:,} clicks")
    return ", ".join(parts)


def _print_slices(console: Console, rows: pd.DataFrame) -> None:
    """The slices in which a policy is better or worse and is not so, or less clearly, in all."""
    arm = ["policy", "ranker"]
    of_all = rows[rows["slice"] == ALL].set_index(arm)["verdict"].to_dict()
    for row in rows[rows["slice"] != ALL].to_dict(orient="records"):
        verdict = str(row["verdict"])
        if verdict == of_all.get((row["policy"], row["ranker"])) or pd.isna(row["difference"]):
            continue
        word = verdict.partition(" than ")[0]
        if word not in {"better", "worse"}:
            continue
        half = (row["difference_high"] - row["difference_low"]) / 2
        color = "red" if word == "worse" else "green"
        console.print(
            f"  [{color}]{word}[/] for {escape(str(row['slice']))}: {row['policy']}, "
            f"{row['ranker']}: {row['difference']:+.4f} ±{half:.4f} on {row['lists']:,} lists",
            highlight=False,
        )


def _tests(comparison: pd.DataFrame) -> str:
    """How many differences were tested, and in how many slices."""
    tested = comparison[comparison["p_value"].notna()]
    slices = tested["slice"].nunique()
    return f"{len(tested)}" if slices < 2 else f"{len(tested)} ({slices - 1} slices)"


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


def print_delays(console: Console, found: list[SignalDelays]) -> None:
    """How late each signal comes: a row of figures, and what they say in words."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("signal", no_wrap=True)
    names = ("events", "p50", "p90", "p99", "window", "outside\nwindow", "recom-\nmended")
    for name in (*names, "still\nopen"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in found:
        estimate = each.delays
        least = "≥" if estimate.refusal else ""
        outside = estimate.outside_window
        table.add_row(
            each.signal,
            f"{estimate.events:,}",
            *(f"{least}{duration(percentile.delay_s)}" for percentile in estimate.percentiles),
            *[""] * (3 - len(estimate.percentiles)),
            duration(each.window_s),
            "" if outside is None else f"{least}{outside:.1%}",
            duration(estimate.recommended_s) if estimate.recommended_s else "none",
            f"{estimate.still_open:.1%}",
        )
    console.print(table)
    for each in found:
        console.print(f"[bold]{each.signal}[/]: {escape(_delays_in_words(each))}", highlight=False)


def duration(seconds: float) -> str:
    """A span of time in its largest unit of which there is at least one: 45s, 30m, 1.5h, 3d."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if abs(seconds) >= length:
            return f"{seconds / length:.3g}{unit}"
    return f"{seconds:.3g}s"


def _delays_in_words(found: SignalDelays) -> str:
    estimate = found.delays
    if estimate.refusal:
        said = f"no window is recommended: {estimate.refusal}"
    else:
        p99 = estimate.percentiles[-1]
        said = (
            f"of the events up to {duration(estimate.followed_s)} 99% come within "
            f"{duration(p99.delay_s)} ({duration(p99.low_s)} to {duration(p99.high_s)}); later "
            "ones are not looked for"
        )
    if found.arrival_lag_s:
        lags = ", ".join(map(duration, found.arrival_lag_s))
        said += f"; from event to ingestion p50, p90, p99: {lags}"
    return said


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


def _yardstick_order(name: str) -> tuple[int, str]:
    """What simulations know for certain first, what needs a model of examination last."""
    prefixes = ("true_", "randomized_", "off_policy_")
    return next(n for n, each in enumerate((*prefixes, "")) if name.startswith(each)), name


def _as_short_as_clear(rows: pd.DataFrame) -> pd.Series:
    """Rankers by their objective alone, where their policy has no other with the same one."""
    objectives = rows["ranker"].str.partition(",")[0]
    alike = rows.assign(objective=objectives).groupby(["policy", "objective"])["ranker"]
    return objectives.where(alike.transform("nunique") == 1, rows["ranker"])


def _comparison_cells(row: dict[Hashable, Any]) -> list[str]:
    names = [str(row["policy"]), str(row["ranker"])]
    if pd.isna(row["value"]):
        return [*names, "", "", str(row["reason"])]
    value = f"{row['value']:.4f} ±{(row['ci_high'] - row['ci_low']) / 2:.4f}"
    if pd.isna(row["difference"]):
        return [*names, value, "", str(row["verdict"])]
    half = (row["difference_high"] - row["difference_low"]) / 2
    verdict = str(row["verdict"]).partition(" than ")[0].replace("no difference shown", "not shown")
    return [*names, value, f"{row['difference']:+.4f} ±{half:.4f}", verdict]
