"""Which rankers a comparison supports, and what MLflow is told of it."""

import pandas as pd
import pytest

from label_platform.lake import Engine, Lake, Partition
from label_platform.pipeline.comparisons import supported_arms
from tests.pipeline.conftest import DAYS, PROBLEM, Installation

LAST = DAYS[-1]
MODEL = f"{PROBLEM}.ranker"
BETTER, WORSE = "better than raw_click", "worse than raw_click"
NO_DIFFERENCE, REFUSED = "no difference shown", "refused: too few queries"


def table(*rows: tuple[str, str, str, float | None]) -> pd.DataFrame:
    """Rows of (policy, yardstick, verdict, lower bound of the difference), all of one ranker."""
    names = ["policy", "yardstick", "verdict", "difference_low"]
    found = pd.DataFrame(rows, columns=names)
    return found.assign(ranker="lambdarank", slice="all", reason="")


@pytest.mark.parametrize(
    ("verdicts", "supported"),
    [
        ({"randomized_click_dcg": BETTER}, True),
        ({"randomized_click_dcg": BETTER, "off_policy_dcg": NO_DIFFERENCE}, True),
        ({"randomized_click_dcg": BETTER, "off_policy_dcg": REFUSED}, True),
        ({"randomized_click_dcg": BETTER, "off_policy_dcg": WORSE}, False),
        ({"randomized_click_dcg": NO_DIFFERENCE}, False),
        ({"randomized_click_dcg": REFUSED}, False),
        ({"randomized_click_dcg": "baseline"}, False),
        ({"true_ndcg_at_10": BETTER}, False),
        ({"shown_watch_ndcg_at_10": BETTER}, False),
        ({"shown_watch_ndcg_at_10": WORSE, "randomized_click_dcg": BETTER}, True),
        ({"true_ndcg_at_10": BETTER, "randomized_click_dcg": NO_DIFFERENCE}, False),
        ({"true_ndcg_at_10": WORSE, "randomized_click_dcg": BETTER}, True),
    ],
)
def test_support_is_better_on_some_clicks_and_worse_on_none(
    verdicts: dict[str, str],
    supported: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    rows = [("coec", yardstick, verdict, 0.01) for yardstick, verdict in verdicts.items()]
    assert supported_arms(table(*rows)) == ([("coec", "lambdarank")] if supported else [])


def test_the_highest_lower_bound_comes_first() -> None:
    found = table(
        ("modest", "randomized_click_dcg", BETTER, 0.01),
        ("best", "randomized_click_dcg", BETTER, 0.02),
        ("best", "off_policy_dcg", NO_DIFFERENCE, -0.5),
        ("second", "randomized_click_dcg", BETTER, 0.015),
        ("second", "true_ndcg_at_10", BETTER, 0.9),
    )
    expected = [("best", "lambdarank"), ("second", "lambdarank"), ("modest", "lambdarank")]
    assert supported_arms(found) == expected


def test_a_slice_that_is_worse_takes_the_support_away_and_one_that_is_better_gives_none() -> None:
    better = table(("coec", "randomized_click_dcg", BETTER, 0.1))
    undecided = table(("coec", "randomized_click_dcg", NO_DIFFERENCE, -0.1))
    mobile = table(("coec", "off_policy_dcg", WORSE, -0.2)).assign(slice="device=mobile")
    desktop = table(("coec", "off_policy_dcg", BETTER, 0.2)).assign(slice="device=desktop")
    assert supported_arms(pd.concat([better, desktop])) == [("coec", "lambdarank")]
    assert supported_arms(pd.concat([better, mobile])) == []
    assert supported_arms(pd.concat([undecided, desktop])) == []


def test_rankers_of_a_policy_are_judged_apart() -> None:
    pointwise = table(("coec", "randomized_click_dcg", WORSE, -0.2)).assign(ranker="pointwise")
    found = pd.concat([table(("coec", "randomized_click_dcg", BETTER, 0.1)), pointwise])
    assert supported_arms(found) == [("coec", "lambdarank")]


def raise_contender(lake: Lake, policy: str, gain: float) -> None:
    """Evaluations in which every fit of a policy gains as much on every list."""
    manifest = lake.manifest(Partition("evaluations", LAST, policy))
    assert manifest is not None
    recipe = manifest.recipe_hash
    raised = (
        "case when side = 'contender' and yardstick = 'randomized_click_dcg' "
        f"then numerator + {gain} * denominator else numerator end"
    )
    query = (
        f"select * replace ({raised} as numerator) from {lake.scan('evaluations', [LAST], policy)}"
    )
    with Engine() as engine:
        lake.publish(engine, Partition("evaluations", LAST, policy), query, recipe=recipe)


def test_the_winner_becomes_champion_and_the_next_one_challenger(built: Installation) -> None:
    client = built.mlflow()
    raise_contender(built.workspace.lake(PROBLEM), "multi_signal", 5.0)
    raise_contender(built.workspace.lake(PROBLEM), "coec_click", 9.0)
    built.build("comparisons", LAST)
    for alias, policy in (("champion", "coec_click"), ("challenger", "multi_signal")):
        runs = built.manifest("rankers", LAST, policy).attributes["mlflow_runs"]
        version = client.get_model_version_by_alias(MODEL, alias)
        assert [version.run_id] == list(runs.values())
    champion = client.get_model_version_by_alias(MODEL, "champion")
    data = client.get_run(champion.run_id).data
    assert data.tags["verdict.randomized_click_dcg"] == BETTER
    low, value, high = (
        data.metrics[f"randomized_click_dcg_difference{suffix}"] for suffix in ("_low", "", "_high")
    )
    assert low < value < high
    with Engine() as engine:
        lake = built.workspace.lake(PROBLEM)
        (expected,) = engine.row(
            f"select difference from {lake.scan('comparisons', [LAST])} "
            "where policy = 'coec_click' and yardstick = 'randomized_click_dcg' and slice = 'all'"
        )
    assert value == expected


def test_nobody_is_champion_without_support(finished: Installation) -> None:
    with Engine() as engine:
        lake = finished.workspace.lake(PROBLEM)
        compared = engine.frame(f"from {lake.scan('comparisons', [LAST])}")
    assert supported_arms(compared) == []
    assert finished.mlflow().search_registered_models() == []
