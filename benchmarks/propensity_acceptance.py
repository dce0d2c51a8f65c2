"""What is demanded of propensity estimators, and whether the runs of ``propensity.py`` meet it."""

from typing import Any

import numpy as np
import pandas as pd
from propensity_settings_table import Setting

COVERAGE = (0.90, 0.99)
MAX_ERROR_RATIO = 1.2
MAX_RANDOMISED_ERROR = 0.03
MAX_HARVEST_ERROR = 0.05
LEAST_CLICK_RATE = 0.05
LEAST_HONEST_SHARE = 0.95
OVERLAPPING = ("harvest_all_pairs", "harvest_adjacent", "pbm", "pbm_em", "affine")
"""Those that need items at several positions; `auto` does where no list was made by chance."""

Met = dict[str, dict[str, Any]]


def summarize(runs: pd.DataFrame) -> pd.DataFrame:
    """A row per setting and estimator; errors and coverage of runs that were not refused."""
    rows = []
    for (setting, estimator), each in runs.groupby(["setting", "estimator"], sort=False):
        usable = each[~each["refused"]]
        rows.append(
            {
                "setting": setting,
                "estimator": estimator,
                "error": usable["error"].mean(),
                "bias": usable["bias"].mean(),
                "coverage": usable["coverage"].mean(),
                "silent": each["silent"].mean(),
                "off_rows": each["off_rows"].mean(),
                "seconds": each["seconds"].mean(),
                "verdicts": _counted(each["verdict"]),
                "tests": _counted(each["fired"].replace("", "none")),
                "chosen": _counted(each["chosen"]) if estimator == "auto" else "",
            }
        )
    return pd.DataFrame(rows)


def judge(runs: pd.DataFrame, summary: pd.DataFrame, settings: list[Setting]) -> Met:
    """Each demand, whether it is met and what was found; demands without a run are left out."""
    by_name = {setting.name: setting for setting in settings}
    plain = summary[~summary["setting"].map(lambda name: by_name[name].has_trust)]
    rate = runs.groupby("setting")["top_click_rate"].mean()
    met: Met = {}
    trusted = runs["setting"].map(lambda name: by_name[name].has_trust)
    _randomised(met, runs[~trusted & (runs["estimator"] == "randomized")], by_name)
    _harvests(met, plain, rate, by_name)
    one_rank = [name for name, each in by_name.items() if _has_one_rank(each)]
    no_chance = {name for name in one_rank if not by_name[name].lists.randomized_share}
    alone = runs[
        runs["setting"].isin(one_rank) & runs["estimator"].isin(OVERLAPPING)
        | runs["setting"].isin(no_chance) & (runs["estimator"] == "auto")
    ]
    if len(alone):
        share = alone["refused"].mean()
        _demand(met, "refused where each (q, d) has one rank", share == 1, f"{share:.1%} of runs")
    for name, each in runs[trusted].groupby("setting", sort=False):
        first = each.drop_duplicates("seed").set_index("seed")
        fires = first["fired"].str.contains("trust|cascade|outliers|agreement")
        uses = each[each["estimator"] == "auto"].set_index("seed")["chosen"] == "affine"
        share = (fires | uses.reindex(fires.index, fill_value=False)).mean()
        text = f"{name}: a misfit test fires or affine is used"
        _demand(met, text, share >= LEAST_HONEST_SHARE, f"{share:.0%} of logs")
    silent = summary[summary["silent"] > 1 - LEAST_HONEST_SHARE + 1e-9]
    cells = "; ".join(
        f"{each.estimator} in {each.setting} ({each.silent:.0%} of runs, error {each.error:.0%})"
        for each in silent.itertuples()
    )
    text = "an error over 20% comes with a refusal or a flag in at least 95% of runs of each cell"
    _demand(met, text, silent.empty, cells or "in all cells")
    return met


def _randomised(met: Met, runs: pd.DataFrame, by_name: dict[str, Setting]) -> None:
    """Randomised lists, wherever clicks follow the model; flagged or not, the formula holds."""
    seen = runs[runs["error"].notna() & runs["expected"].notna()]
    if seen.empty:
        return
    by_setting = seen.groupby("setting")[["error", "expected"]].mean()
    ratio = by_setting["error"] / by_setting["expected"]
    found = f"at most {ratio.max():.2f} x ({ratio.idxmax()}), {ratio.mean():.2f} on the whole"
    text = f"randomized: error at most {MAX_ERROR_RATIO} x the formula"
    _demand(met, text, ratio.max() <= MAX_ERROR_RATIO, found)
    covered = seen["coverage"].mean()
    low, high = COVERAGE
    text = f"randomized: coverage within {low} and {high}"
    _demand(met, text, low <= covered <= high, f"{covered:.3f}")
    for name, each in seen.groupby("setting", sort=False):
        if by_name[str(name)].lists.randomized_share == 1:
            error = each["error"].mean()
            text = f"randomized: error at most 3% at {by_name[str(name)].lists.n_lists:,} lists"
            text += f", CTR@1 {each['top_click_rate'].mean():.3f}"
            _demand(met, text, error <= MAX_RANDOMISED_ERROR, f"{error:.3f}")


def _harvests(met: Met, plain: pd.DataFrame, rate: pd.Series, by_name: dict[str, Setting]) -> None:
    two_rankers = plain["setting"].map(
        lambda name: by_name[name].lists.rankers == 2 and by_name[name].lists.randomized_share < 1
    )
    seen = plain[two_rankers & (plain["setting"].map(rate) >= LEAST_CLICK_RATE)]
    for name in ("harvest_all_pairs", "pbm"):
        for each in seen[seen["estimator"] == name].itertuples():
            text = f"{name}: error at most 5% in {each.setting}, CTR@1 {rate[each.setting]:.3f}"
            _demand(met, text, each.error <= MAX_HARVEST_ERROR, f"{each.error:.3f}")
    chains = seen[(seen["estimator"] == "harvest_adjacent") & seen["coverage"].notna()]
    if len(chains):
        low, high = COVERAGE
        covered, worst = chains["coverage"].mean(), chains.loc[chains["coverage"].idxmin()]
        found = f"{covered:.3f}, lowest {worst['coverage']:.3f} in {worst['setting']}"
        text = f"harvest_adjacent: coverage within {low} and {high}"
        _demand(met, text, low <= covered <= high, found)


def _has_one_rank(setting: Setting) -> bool:
    return setting.lists.rankers == 1 and setting.lists.logger != "random"


def _demand(met: Met, text: str, verdict: bool | np.bool_, found: str) -> None:  # noqa: FBT001
    met[text] = {"met": bool(verdict), "found": found}


def _counted(values: pd.Series) -> str:
    return ", ".join(f"{value} {count}" for value, count in values.value_counts().items())
