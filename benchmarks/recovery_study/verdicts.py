"""What the logs of one logger say: figures by arm, what is demanded of the default, a table."""

from math import sqrt
from typing import Any

import pandas as pd
from rich.table import Table
from scipy.stats import t as student

DEFAULT = ("coec_model_prior", "pointwise")
"""The recommended policy and objective, named before anything is measured: the best on seeds 0 to 9
took the place of coec_multi_signal once it was better on each log of seeds 10 to 19 too."""
WANTED_SHARE, OF_MANY, MANY = 0.6, 0.8, 3_000_000
"""Of the gap: from a log of any size, and from one of many impressions."""
MARGIN = -0.005
CLEAR_GAP = 0.02
"""Below it, a share of the gap between raw clicks and the truth is mostly noise."""


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """Over the seeds of one logger, per arm."""
    found = []
    keys = ["policy_name", "ranker", "objective"]
    for (policy, ranker, objective), arm in rows.groupby(keys, sort=False):
        difference, gap = arm["policy"] - arm["raw"], arm["truth"] - arm["raw"]
        n = len(arm)
        spread = difference.std()
        share = difference / gap if gap.mean() > CLEAR_GAP else pd.Series(dtype=float)
        found.append(
            {
                "policy": policy,
                "ranker": ranker,
                "objective": objective,
                "minus_raw_by_seed": difference.round(5).tolist(),
                "value": arm["policy"].mean(),
                "raw": arm["raw"].mean(),
                "truth": arm["truth"].mean(),
                "minus_raw": difference.mean(),
                "sd": spread,
                "bound": difference.mean() - student.ppf(0.95, n - 1) * spread / sqrt(n),
                "share": share.mean(),
                "lowest": share.min(),
            }
        )
    return pd.DataFrame(found).round(5)


def judge(logger: str, arms: pd.DataFrame, impressions: int) -> dict[str, dict[str, Any]]:
    """What is demanded of the default, and whether it was met."""
    is_default = (arms["policy"] == DEFAULT[0]) & (arms["objective"] == DEFAULT[1])
    default = arms[is_default].iloc[0]
    name = " ".join(DEFAULT)
    if logger == "weak":
        wanted = OF_MANY if impressions >= MANY else WANTED_SHARE
        text = f"{logger}: {name} closes at least {wanted:.0%} of the gap on average"
        share = float(default["share"])
        return {text: {"met": share >= wanted, "found": share}}
    text = f"{logger}: {name} minus raw has a one-sided 95% bound above {MARGIN}"
    bound = float(default["bound"])
    return {text: {"met": bound > MARGIN, "found": bound}}


def as_table(logger: str, rows: pd.DataFrame, arms: pd.DataFrame) -> Table:
    """One logger's arms for people."""
    logs = rows.groupby("seed")[["trained_impressions", "trained_clicks", "randomized_lists"]]
    mean = logs.first().mean()
    table = Table(
        title=f"{logger} logger, {rows['seed'].nunique()} logs; on average "
        f"{mean['trained_impressions']:,.0f} impressions and {mean['trained_clicks']:,.0f} clicks "
        f"of people trained on, {mean['randomized_lists']:,.0f} randomised lists",
        caption="nDCG@10 of true relevance on unseen queries; bound: one-sided 95% over logs; "
        f"gap closed: (policy - raw) / (truth - raw) where that gap exceeds {CLEAR_GAP}",
    )
    table.add_column("policy")
    table.add_column("ranker", max_width=22)
    for heading in ("value", "raw", "truth", "minus raw", "sd", "bound", "gap closed", "lowest"):
        table.add_column(heading, justify="right")
    for arm in arms.to_dict("records"):
        style = "bold" if (arm["policy"], arm["objective"]) == DEFAULT else None
        columns = (
            ("{:.4f}", (arm["value"], arm["raw"], arm["truth"])),
            ("{:+.4f}", (arm["minus_raw"],)),
            ("{:.4f}", (arm["sd"],)),
            ("{:+.4f}", (arm["bound"],)),
            ("{:.2f}", (arm["share"], arm["lowest"])),
        )
        cells = [
            "-" if pd.isna(value) else form.format(value)
            for form, values in columns
            for value in values
        ]
        table.add_row(arm["policy"], arm["ranker"], *cells, style=style)
    return table
