"""The comparison of the policies, yardstick by yardstick and in words."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from label_platform.evaluation import ALL, SHOWN_PREFIX, verdicts
from label_platform.pipeline.comparisons import AGREEMENT, LEFT_OUT
from label_platform.strict_yaml import listed

_OBJECTIVE = len("lambdarank")
_REFUSED = "refused: "


def print_comparison(console: Console, comparison: pd.DataFrame, baseline: str) -> None:
    """Per yardstick the policies, their value, and the paired difference to raw clicks.

    Slices are lines below the table of their yardstick, where they say something else than all of
    the data does; then each policy's verdict in a sentence. A reason for no answer is said once,
    with the rankers that it is about.
    """
    if comparison.empty:
        return
    whole = comparison[comparison["slice"] == ALL]
    for yardstick in sorted(whole["yardstick"].unique(), key=_yardstick_order):
        rows = whole[whole["yardstick"] == yardstick]
        if rows["value"].isna().all():
            console.print(f"\n[bold]{yardstick}[/]: no answer", highlight=False)
        else:
            console.print(f"\n[bold]{yardstick}[/]  {_evidence(rows)}", highlight=False)
            console.print(_yardstick_table(rows, baseline))
        _print_refusals(console, rows)
        _print_slices(console, comparison[comparison["yardstick"] == yardstick])
    console.print(
        f"± is the 95% interval, over queries and {comparison['fits'].max()} refits on resampled "
        f"logs; {baseline} is trained on the same rows and resamples, with the same objective, "
        "loss and parameters; "
        f"better and worse are said after Holm's correction for all {_tests(comparison)} "
        "comparisons",
        highlight=False,
    )
    _print_verdicts(console, comparison, baseline)


def print_agreement(console: Console, noted: Mapping[str, Any]) -> None:
    """Which yardstick has agreed with online tests, a sentence each; nothing without such tests.

    Args:
        console: where people read.
        noted: the attributes of a comparison.
    """
    agreed = [each["words"] for each in noted.get(AGREEMENT, ())]
    left_out = [f"left out: {each}" for each in noted.get(LEFT_OUT, ())]
    if not agreed and not left_out:
        return
    console.print("\n[bold]Agreement with online tests[/]")
    for line in [*agreed, *left_out]:
        console.print(escape(line), highlight=False)


def _yardstick_table(rows: pd.DataFrame, baseline: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("policy", no_wrap=True)
    table.add_column("ranker", overflow="fold", min_width=_OBJECTIVE)
    for name in ("value", f"minus {baseline}"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict")
    for row in rows.assign(ranker=_as_short_as_clear(rows)).to_dict(orient="records"):
        table.add_row(*_comparison_cells(row))
    return table


def _print_refusals(console: Console, rows: pd.DataFrame) -> None:
    """Why a yardstick has no answer, or no difference, each reason with the rankers it is about."""
    refused = rows[rows["verdict"].str.startswith(_REFUSED)]
    for reason, alike in refused.groupby("reason", sort=False):
        said = "every ranker" if len(alike) == len(rows) > 1 else _arms_in_words(alike)
        console.print(f"  {escape(f'{said}: {reason}')}", highlight=False)


def _arms_in_words(rows: pd.DataFrame) -> str:
    """Policies, each with its rankers."""
    rankers: dict[str, list[str]] = {}
    for policy, ranker in zip(rows["policy"], rows["ranker"], strict=True):
        rankers.setdefault(policy, []).append(ranker)
    return "; ".join(f"{policy} ({listed(names)})" for policy, names in rankers.items())


def _print_verdicts(console: Console, comparison: pd.DataFrame, baseline: str) -> None:
    """A sentence per ranker; one for all of which there is no answer for the same reason."""
    console.print("\n[bold]In words[/]")
    found = [each for each in verdicts(comparison, baseline) if not each.is_baseline]
    unjudged: dict[str, list[str]] = {}
    for each in found:
        said = f"{each.policy}, {each.ranker}"
        if each.judged:
            console.print(escape(f"{said}: {each.sentence}"), highlight=False)
        else:
            unjudged.setdefault(each.sentence, []).append(said)
    for sentence, arms in unjudged.items():
        console.print(escape(f"{'; '.join(arms)}: {sentence}"), highlight=False)


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
        return [*names, "", "", "no answer"]
    value = f"{row['value']:.4f} ±{(row['ci_high'] - row['ci_low']) / 2:.4f}"
    if pd.isna(row["difference"]):
        verdict = str(row["verdict"])
        return [*names, value, "", "no answer" if verdict.startswith(_REFUSED) else verdict]
    half = (row["difference_high"] - row["difference_low"]) / 2
    verdict = str(row["verdict"]).partition(" than ")[0].replace("no difference shown", "not shown")
    return [*names, value, f"{row['difference']:+.4f} ±{half:.4f}", verdict]
