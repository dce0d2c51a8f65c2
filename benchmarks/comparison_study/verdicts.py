"""What many replications say: false alarms, coverage and power, with exact binomial tests."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from comparison_study.policies import EQUAL
from rich.table import Table
from scipy.stats import binomtest

from label_platform.evaluation.estimates import holm

LEVEL = 0.05
"""Of false alarms, of uncovered truths, and of the tests of both."""
_CELL = ["policy", "yardstick", "slice"]


def with_policy_truth(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of one study, with what a policy is worth: the mean over all drawn logs.

    An equal policy's true difference is 0, which is known and not estimated.
    """
    cells = rows.groupby(_CELL)
    value = cells["true_value"].transform("mean")
    difference = value - cells["true_baseline"].transform("mean")
    is_equal = rows["policy"].isin(EQUAL)
    return rows.assign(policy_value=value, policy_difference=difference.where(~is_equal, 0.0))


def false_alarms(rows: pd.DataFrame) -> dict[str, int]:
    """In how many logs an equal policy was called something else, in any cell."""
    equal = rows[rows["policy"].isin(EQUAL)]
    said = {
        "better": equal["verdict"].str.startswith("better"),
        "different": equal["p_value_holm"] < LEVEL,
        "different_queries_alone": equal["p_queries_alone"] < LEVEL,
    }
    return {word: int(found.groupby(equal["seed"]).any().sum()) for word, found in said.items()}


def cells(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per policy, yardstick and slice of a study: rates and means over its logs."""
    judged = rows[rows["p_value"].notna()]
    judged = judged.assign(
        alone=judged["p_value"] < LEVEL,
        found_better=judged["verdict"].str.startswith("better"),
        covers_difference=judged["policy_difference"].between(
            judged["difference_low"], judged["difference_high"]
        ),
        covers_policy=judged["policy_value"].between(judged["ci_low"], judged["ci_high"]),
        covers_ranker=judged["true_value"].between(judged["ci_low"], judged["ci_high"]),
        half_width=(judged["difference_high"] - judged["difference_low"]) / 2,
    )
    names = ["alone", "found_better", "covers_difference", "covers_policy", "covers_ranker"]
    names += ["policy_value", "policy_difference", "half_width"]
    found = judged.groupby(_CELL)[names].mean()
    found["error"] = judged.groupby(_CELL)["difference"].std()
    found["logs"] = judged.groupby(_CELL)["seed"].nunique()
    return found.reset_index()


def power(rows: pd.DataFrame) -> pd.DataFrame:
    """How often a truly better policy is found: one row per such policy of a study.

    Returns:
        ``difference`` and ``error``: the true off-policy difference and its standard deviation over
        logs; ``alone``: in how many logs that one test finds it; ``corrected``: in how many it is
        called better on any yardstick and slice, after Holm's correction.
    """
    better = rows[~rows["policy"].isin(EQUAL)]
    found = []
    for policy, own in better.groupby("policy"):
        one = own[(own["yardstick"] == "off_policy_dcg") & (own["slice"] == "all")]
        said = own["verdict"].str.startswith("better").groupby(own["seed"]).any()
        found.append(
            {
                "policy": policy,
                "difference": one["policy_difference"].mean(),
                "error": one["difference"].std(),
                "alone": ((one["p_value"] < LEVEL) & (one["difference"] > 0)).mean(),
                "corrected": said.mean(),
            }
        )
    return pd.DataFrame(found)


def judge(study: str, rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """What is demanded of the comparison in one study, and whether it was met."""
    logs, alarms, found = rows["seed"].nunique(), false_alarms(rows), cells(rows)
    verdicts = dict(_alarm_verdicts(study, alarms, logs))
    for name, text in (
        ("covers_difference", "paired differences"),
        ("covers_policy", "single values"),
    ):
        missed = ((1 - found[name]) * found["logs"]).round().astype(int)
        p_values = [
            binomtest(int(count), int(logs_of), LEVEL, alternative="greater").pvalue
            for count, logs_of in zip(missed, found["logs"], strict=True)
        ]
        least = float(holm(np.array(p_values)).min())
        verdicts[f"{study}: 95% intervals of {text} cover the truth in every cell"] = {
            "met": bool(least >= LEVEL),
            "found": f"{found[name].min():.3f} to {found[name].max():.3f} in {len(found)} cells, "
            f"mean {found[name].mean():.3f}, least p by Holm {least:.2g}",
        }
    return verdicts


def _alarm_verdicts(
    study: str, alarms: dict[str, int], logs: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    for word in ("better", "different"):
        count = alarms[word]
        p_value = binomtest(count, logs, LEVEL, alternative="greater").pvalue
        yield (
            f"{study}: an equal policy is called {word} in at most 5% of logs",
            {
                "met": bool(p_value >= LEVEL),
                "found": f"{count} of {logs} ({count / logs:.1%}), p = {p_value:.2g}",
            },
        )


def alarm_table(studies: dict[str, pd.DataFrame]) -> Table:
    """False alarms of each study, for people."""
    table = Table(title="How often a policy that equals the baseline is called something else")
    table.add_column("study")
    for heading in ("logs", "tests a log", "better", "different", "one test alone"):
        table.add_column(heading, justify="right")
    table.add_column("different, if training had no variance", justify="right", max_width=20)
    for study, rows in studies.items():
        alarms, logs = false_alarms(rows), rows["seed"].nunique()
        equal = rows[rows["policy"].isin(EQUAL) & rows["p_value"].notna()]
        tests = rows["p_value"].notna().sum() / logs
        table.add_row(
            study,
            str(logs),
            f"{tests:.0f}",
            f"{alarms['better'] / logs:.1%}",
            f"{alarms['different'] / logs:.1%}",
            f"{(equal['p_value'] < LEVEL).mean():.1%}",
            f"{alarms['different_queries_alone'] / logs:.1%}",
        )
    return table


def power_table(studies: dict[str, pd.DataFrame]) -> Table:
    """How often truly better policies are found, for people."""
    table = Table(title="How often a truly better policy is found")
    table.add_column("study")
    table.add_column("policy")
    for heading in ("off-policy difference", "sd over logs", "that test alone", "any, by Holm"):
        table.add_column(heading, justify="right")
    for study, rows in studies.items():
        for row in power(rows).to_dict("records"):
            table.add_row(
                study,
                row["policy"],
                f"{row['difference']:+.4f}",
                f"{row['error']:.4f}",
                f"{row['alone']:.1%}",
                f"{row['corrected']:.1%}",
            )
    return table


def cell_table(study: str, found: pd.DataFrame) -> Table:
    """The cells of one study, for people."""
    table = Table(
        title=f"{study}: by policy, yardstick and slice",
        caption="sd: of the difference over logs; half: width of its interval by 2; "
        "covered: the true difference, the policy's value over logs, this ranker's own value",
    )
    for heading in _CELL:
        table.add_column(heading)
    columns = {
        "true diff": ("policy_difference", "{:+.4f}"),
        "sd": ("error", "{:.4f}"),
        "half": ("half_width", "{:.4f}"),
        "p < .05": ("alone", "{:.1%}"),
        "better": ("found_better", "{:.1%}"),
        "covered": ("covers_difference", "{:.1%}"),
        "value": ("covers_policy", "{:.1%}"),
        "ranker": ("covers_ranker", "{:.1%}"),
    }
    for heading in columns:
        table.add_column(heading, justify="right")
    for row in found.to_dict("records"):
        numbers = (text.format(row[name]) for name, text in columns.values())
        table.add_row(*(row[name] for name in _CELL), *numbers)
    return table
