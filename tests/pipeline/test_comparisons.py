"""Which rankers a comparison supports, and what MLflow is told of it."""

from label_platform.lake import Engine, Lake, Partition
from tests.pipeline.conftest import DAYS, PROBLEM, Installation

LAST = DAYS[-1]
MODEL = f"{PROBLEM}.ranker"
BETTER = "better than raw_click"


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
            "where policy = 'coec_click' and yardstick = 'randomized_click_dcg'"
        )
    assert value == expected


def test_nobody_is_champion_without_support(finished: Installation) -> None:
    words = finished.manifest("comparisons", LAST).attributes["promotion"]
    assert words == "nobody is champion: the evidence supports no ranker"
    assert finished.mlflow().search_registered_models() == []
