"""A comparison's page with everything on it, of made-up numbers."""

import pandas as pd

from label_platform.evaluation import verdicts
from label_platform.evaluation.comparison import COLUMNS
from label_platform.report import (
    Check,
    ComparisonPage,
    Curve,
    ExampleList,
    Histogram,
    Importance,
    RankedItem,
)

BASELINE = "raw_click"
_ROW = {
    "ranker": "lambdarank",
    "objective": "lambdarank",
    "grain": "impression",
    "slice": "all",
    "reason": "",
    "fits": 5,
    "queries": 400,
    "lists": 5000,
    "positives": 900,
    "days": 2,
    "randomized_share": 0.1,
    "bootstrap_ratio": 1.0,
}


def _row(
    policy: str, yardstick: str, verdict: str, difference: float | None, **more: object
) -> dict[str, object]:
    numbers: dict[str, object] = dict.fromkeys(COLUMNS)
    if difference is not None:
        numbers |= {
            "value": 1 + difference,
            "ci_low": 0.9 + difference,
            "ci_high": 1.1 + difference,
            "baseline_value": 1.0,
            "difference": difference,
            "difference_low": difference - 0.02,
            "difference_high": difference + 0.02,
            "p_value": 0.01,
            "p_value_holm": 0.02,
        }
    own = {"policy": policy, "yardstick": yardstick, "verdict": verdict}
    return numbers | _ROW | own | more


def table() -> pd.DataFrame:
    rows = [
        _row(BASELINE, "off_policy_dcg", "baseline", 0.0),
        _row(
            BASELINE,
            "randomized_click_dcg",
            "refused: too few clicks",
            None,
            reason="too few clicks",
        ),
        _row("ips_click", "off_policy_dcg", "better than raw_click", 0.05),
        _row(
            "ips_click",
            "randomized_click_dcg",
            "refused: too few clicks",
            None,
            reason="too few clicks",
        ),
        _row("coec_click", "off_policy_dcg", "no difference shown", -0.01),
        _row(
            "coec_click",
            "randomized_click_dcg",
            "refused: too few clicks",
            None,
            reason="too few clicks",
        ),
        _row("coec_click", "off_policy_dcg", "worse than raw_click", -0.08, slice="device=mobile"),
    ]
    numbers = [*COLUMNS[6:15], "randomized_share", "bootstrap_ratio"]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(numbers, "float64"))


def page(problem: str = "shop", query: str = "red shoes", item: str = "A shoe") -> ComparisonPage:
    found = table()
    first = RankedItem(item, 3, clicked=True, moved=2)
    second = RankedItem("Another", 1, clicked=False, moved=-1)
    return ComparisonPage(
        problem=problem,
        day="2026-10-10",
        baseline=BASELINE,
        verdicts=verdicts(found, BASELINE),
        table=found,
        supported=(("ips_click", "lambdarank"),),
        promotion="ips_click, lambdarank becomes champion",
        curves=(
            Curve("all", (1, 2, 3), (1.0, 0.6, 0.4), (1.0, 0.5, 0.3), (1.0, 0.7, 0.5), "pbm: ok"),
        ),
        histograms=(Histogram("ips_click", 0.0, 4.0, (900, 30, 0, 2)),),
        importances=(Importance("ips_click, lambdarank", (("price", 0.7), ("age", 0.3))),),
        examples=(ExampleList(query, "drawn at random", (second, first), (first, second)),),
        contender="ips_click, lambdarank",
        agreement=("the off-policy estimate and clicks (A/B): same sign in 3 of 4 tests",),
        checks=(
            Check(passed=True, text="lists come in equal shares"),
            Check(passed=False, text="a day is missing"),
        ),
        lineage={"training days": "2026-10-01 to 2026-10-06", "propensities": "duckdb-2.0:abc"},
    )
