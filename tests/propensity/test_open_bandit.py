"""The real random slice of Open Bandit: 46 clicks on 10,000 impressions."""

from pathlib import Path

import pandas as pd
import pytest

from label_platform.propensity import Verdict, estimate_randomized
from label_platform.propensity_settings import PropensityGates

REAL = Path(__file__).parents[3] / "shared" / "data" / "open_bandit_men" / "random.csv.gz"


@pytest.mark.skipif(not REAL.exists(), reason="needs ../shared/data/open_bandit_men")
def test_46_clicks_cannot_tell_the_curve_from_flat() -> None:
    log = pd.read_csv(REAL, usecols=["position", "click"])
    statistics = (
        log.groupby("position")["click"].agg(impressions="size", clicks="sum").reset_index()
    )
    for length in (3, statistics["position"]):  # whole lists of 3, or one record per request
        curve = estimate_randomized(statistics.assign(length=length), (), PropensityGates())
        assert curve.verdict is Verdict.INSUFFICIENT_INTERVENTIONS
        assert "46 clicks on 10,000 randomised impressions cannot tell" in curve.reason
        assert "(p = .11); position 3 lies between .61 and 3.11" in curve.reason
