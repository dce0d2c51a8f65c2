"""Which rankers a comparison supports, and what MLflow is told of it."""

from dataclasses import replace

import pandas as pd
import pytest

from label_platform.lake import Engine, Lake, Manifest, Partition
from label_platform.pipeline.checks import checks_for
from label_platform.pipeline.context import Context
from label_platform.strict_yaml import ConfigurationError
from tests.pipeline.conftest import DAYS, POLICIES, PROBLEM, Installation

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
            "where policy = 'coec_click' and yardstick = 'randomized_click_dcg' and slice = 'all'"
        )
    assert value == expected


def test_nobody_is_champion_without_support(finished: Installation) -> None:
    words = finished.manifest("comparisons", LAST).attributes["promotion"]
    assert words == "nobody is champion: the evidence supports no ranker"
    assert finished.mlflow().search_registered_models() == []


def compared(installation: Installation) -> pd.DataFrame:
    with Engine() as engine:
        lake = installation.workspace.lake(PROBLEM)
        return engine.frame(f"from {lake.scan('comparisons', [LAST])}")


def test_every_number_has_a_base_and_slices_are_parts_of_it(finished: Installation) -> None:
    table = compared(finished)
    lists = table[table["yardstick"] == "off_policy_dcg"].groupby("slice")["lists"].first()
    with Engine() as engine:
        lake = finished.workspace.lake(PROBLEM)
        (logged,) = engine.row(
            "select count(distinct request_id) from "
            f"{lake.scan('impression_signals', [LAST])} where excluded_reason is null"
        )
    assert lists["all"] == logged
    for column in ("device=", "query_frequency="):
        assert lists[lists.index.str.startswith(column)].sum() == logged
    assert 0 <= lists.get("new_items", 0) < logged
    known = table[table["value"].notna() & ~table["yardstick"].str.startswith("true_")]
    assert (known[["lists", "positives", "queries"]] > 0).all(axis=None)
    assert set(known["days"]) == {1}
    assert known["bootstrap_ratio"].between(0.5, 2).all()


def test_a_comparison_says_what_it_found_in_words(finished: Installation) -> None:
    attributes = finished.manifest("comparisons", LAST).attributes
    assert {name.partition(", ")[0] for name in attributes["verdicts"]} == set(POLICIES)
    said = [words for name, words in attributes["verdicts"].items() if "raw_click," in name]
    assert said == ["the baseline that the others are compared with"]


def test_the_log_is_checked_and_the_baseline_is_itself(finished: Installation) -> None:
    attributes = finished.manifest("comparisons", LAST).attributes
    found = {each["name"]: each for each in attributes["checks"]}
    assert list(found) == [
        "same_seed_is_identical",
        "halves_do_not_differ",
        "randomized_share_by_day",
        "randomized_share_by_device",
        "mix_of_device",
    ]
    assert all(each["passed"] for each in found.values())
    share = found["randomized_share_by_day"]["sentence"].partition("%")[0]
    assert float(share) == pytest.approx(40, abs=6)  # 1,000 lists, 4 standard errors of 1.5
    results = checks_for("comparisons").results(*_last_comparison(finished))
    assert len(results) == 6
    assert all(result.passed for result in results), results


def _last_comparison(
    installation: Installation,
) -> tuple[Context, list[Partition], list[Manifest]]:
    with installation.project().open() as context:
        partition = Partition("comparisons", LAST)
        return context, [partition], [context.require(partition)]


def test_a_check_that_fails_warns_with_its_sentence(finished: Installation) -> None:
    context, partitions, (manifest,) = _last_comparison(finished)
    lost = {"name": "randomized_share_by_day", "passed": False, "sentence": "half are lost"}
    changed = replace(manifest, attributes={**manifest.attributes, "checks": [lost]})
    results = checks_for("comparisons").results(context, partitions, [changed])
    (failed,) = [result for result in results if not result.passed]
    assert failed.check_name == "randomised_share_is_even"
    assert failed.severity.value == "WARN"
    assert failed.description == "randomized_share_by_day: half are lost"


def test_an_unknown_slice_is_refused_by_the_key_with_the_nearest_column(
    built: Installation,
) -> None:
    built.change_problem({"evaluation.slices": ["device", "query_frequencies"]})
    with pytest.raises(ConfigurationError) as refused:
        built.build("evaluations", LAST, policy="raw_click")
    assert str(refused.value).startswith(
        "product_search: evaluation: slices: entry 2: 'query_frequencies' is no column of the "
        "impressions; did you mean 'query_frequency'?"
    )


def test_online_tests_are_held_against_the_yardsticks(built: Installation) -> None:
    table = built.problem_file.parent / "outcomes.csv"
    table.write_text(
        "test,kind,policy,baseline,metric,difference,low,high,started_on,ended_on\n"
        "t1,ab,coec_click,raw_click,clicks,0.02,0.01,0.03,2026-09-01,2026-09-14\n"
        "t2,ab,coec_click,ips_click,clicks,0.02,0.01,0.03,2026-09-01,2026-09-14\n"
    )
    built.change_problem({"evaluation.outcomes": "outcomes.csv"})
    built.build("comparisons", LAST)
    attributes = built.manifest("comparisons", LAST).attributes
    found = {each["yardstick"]: each for each in attributes["agreement_with_online_tests"]}
    rows = compared(built).set_index(["policy", "yardstick", "slice"])["difference"]
    for yardstick, each in found.items():
        offline = rows.get(("coec_click", yardstick, "all"))
        assert each["outcomes"] == int(not pd.isna(offline))
        assert each["agreeing"] == int(offline > 0)
    assert attributes["online_tests_left_out"] == ["t2: tested against ips_click, not raw_click"]
    table.write_text(table.read_text().replace("0.01", "0.9"))
    with pytest.raises(ConfigurationError, match=r"outcomes\.csv:2: difference: 0\.02 is not"):
        built.build("comparisons", LAST)


def test_outcomes_that_are_not_there_are_refused(built: Installation) -> None:
    built.change_problem({"evaluation.outcomes": "outcomes.csv"})
    with pytest.raises(ConfigurationError, match=r"evaluation: outcomes: .*no such file"):
        built.build("comparisons", LAST)
