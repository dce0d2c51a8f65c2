"""The real Open Bandit sample: 46 clicks on a random slice, 69 on Bernoulli Thompson sampling."""

from pathlib import Path

import pandas as pd
import pytest

from label_platform.propensity import LogStatistics, Verdict, estimate_all, estimate_randomized
from label_platform.propensity_settings import PropensityGates, PropensitySettings

REAL = Path(__file__).parents[3] / "shared" / "data" / "open_bandit_men"
pytestmark = pytest.mark.skipif(not REAL.exists(), reason="needs ../shared/data/open_bandit_men")
HARVESTS = ("pbm", "harvest_all_pairs", "swap")


def log(name: str) -> pd.DataFrame:
    columns = ["item_id", "position", "click", "propensity_score"]
    return pd.read_csv(REAL / f"{name}.csv.gz", usecols=columns)


def counted(rows: pd.DataFrame, *keys: str) -> pd.DataFrame:
    counts = rows.groupby([*keys])["click"].agg(impressions="size", clicks="sum")
    return counts.reset_index()


def test_46_clicks_cannot_tell_the_curve_from_flat() -> None:
    statistics = counted(log("random"), "position")
    for length in (3, statistics["position"]):  # whole lists of 3, or one record per request
        curve = estimate_randomized(statistics.assign(length=length), (), PropensityGates())
        assert curve.verdict is Verdict.INSUFFICIENT_INTERVENTIONS
        assert "46 clicks on 10,000 randomised impressions cannot tell" in curve.reason
        assert "(p = .11); position 3 lies between .61 and 3.11" in curve.reason


def test_the_thompson_sampling_log_alone_is_not_read_as_a_position_effect() -> None:
    ranked = log("bts")
    weight = 1 / ranked["propensity_score"]
    cells = counted(ranked, "item_id", "position").rename(columns={"item_id": "item"})
    cells = cells.assign(query=1, impressions_below_click=0, clicks_below_click=0)
    weighted = (
        ranked.assign(impressions=weight, clicks=weight * ranked["click"], counted=1)
        .groupby(["item_id", "position"])
        .agg(
            impressions=("impressions", "sum"),
            clicks=("clicks", "sum"),
            counted_impressions=("counted", "sum"),
            counted_clicks=("click", "sum"),
        )
        .reset_index()
        .rename(columns={"item_id": "item"})
    )
    statistics = LogStatistics(
        context=(),
        randomized=counted(log("random"), "position").assign(length=3),
        counts=counted(ranked, "position").assign(length=3, viewable=0, viewed=None),
        cells=cells,
        cells_by_day=cells.assign(day="1"),
        swapped=weighted.assign(query=1),
    )
    alone = estimate_all(statistics, HARVESTS, PropensitySettings())
    for name in HARVESTS:
        assert alone.curves[name].verdict is Verdict.INSUFFICIENT_INTERVENTIONS
        assert "cannot tell the position curve from flat" in alone.curves[name].reason
    assert ranked["click"].sum() == 69
    assert "69 clicks on 10,000 impressions" in alone.curves["pbm"].reason
    both = estimate_all(statistics, ("randomized", *HARVESTS), PropensitySettings())
    assert both.choice.why.startswith("every estimate was refused (pbm: 69 clicks on 10,000")
    assert "46 clicks on 10,000 randomised" in both.curves["randomized"].reason
