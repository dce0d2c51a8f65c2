"""The whole way from counts to the answer, on simulated logs whose truth is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from propensity_logs import log_statistics
from propensity_settings_table import Setting

from label_platform.logs.simulators.click_lists import ClickListSettings, simulate_click_lists
from label_platform.propensity import Answer, Verdict, estimate_all, is_pooled
from label_platform.propensity_settings import PropensitySettings

SETTINGS = PropensitySettings(replicates=40)
QUICK = ("randomized", "swap", "harvest_all_pairs", "pbm")
INVERSE = tuple(1 / k for k in range(1, 6))
SMALL = ClickListSettings(
    n_lists=12_000, n_queries=300, candidates=10, curves=(INVERSE,), randomized_share=0.1
)


def answer_to(
    lists: ClickListSettings,
    seed: int = 1,
    names: tuple[str, ...] = QUICK,
) -> Answer:
    shown = simulate_click_lists(lists, seed)
    statistics = log_statistics(shown, Setting("small", lists), seed, with_lists="sdbn" in names)
    return estimate_all(statistics, names, SETTINGS)


def pooled(answer: Answer, name: str) -> pd.DataFrame:
    table = answer.tables[name]
    return table[is_pooled(table, answer.context)].set_index("position")


@pytest.mark.parametrize("seed", [1, 2])
def test_two_kinds_of_evidence_make_one_better_answer(seed: int) -> None:
    answer = answer_to(SMALL, seed)
    assert answer.choice.estimator == "combined"
    combined = pooled(answer, "combined")
    for name in ("randomized", "pbm"):
        own = pooled(answer, name)
        wide, narrow = (np.log(each["ci_high"] / each["ci_low"]) for each in (own, combined))
        assert (narrow[1:] < wide[1:]).all()
    truth = pd.Series(INVERSE, index=range(1, 6))
    assert (np.abs(combined["propensity"] / truth - 1)[1:] < 0.15).all()
    assert answer.table().groupby("estimator")["chosen"].first().to_dict() == {
        name: name == "combined" for name in answer.tables
    }


def test_items_that_have_one_rank_say_nothing_of_positions() -> None:
    answer = answer_to(replace(SMALL, rankers=1))
    for name in ("pbm", "harvest_all_pairs"):
        curve = answer.curves[name]
        assert curve.verdict is Verdict.INSUFFICIENT_INTERVENTIONS
        assert "none (0.00%) had the item at two positions or more" in curve.reason
    assert answer.choice.estimator == "randomized"


def test_positions_that_no_item_shares_are_named_with_the_swap_that_would_do() -> None:
    statistics = log_statistics(
        simulate_click_lists(replace(SMALL, logger="random"), 3),
        Setting("small", SMALL),
        3,
        with_lists=False,
    )
    cells = statistics.cells
    # each item is only ever seen at 1-2 or at 3-5
    high = cells["item"] % 2 == 0
    cut = replace(statistics, cells=cells[high == (cells["position"] <= 2)])
    curve = estimate_all(cut, ("pbm",), SETTINGS).curves["pbm"]
    assert curve.verdict is Verdict.NOT_IDENTIFIED
    assert "2" in curve.reason
    assert "3" in curve.reason
    assert "swap" in curve.reason


def test_trust_bias_flags_every_curve_but_the_one_that_allows_for_it() -> None:
    trusting = replace(SMALL, logger="random", trust_bias=0.4, n_lists=30_000, n_queries=100)
    answer = answer_to(trusting, names=("randomized", "pbm", "affine"))
    assert answer.curves["pbm"].verdict is Verdict.MISFIT
    assert answer.curves["randomized"].verdict is Verdict.MISFIT
    assert "position curve differs between good and poor items" in answer.curves["pbm"].reason
    affine = pooled(answer, "affine")
    assert not affine["verdict"].eq("misfit").any()
    assert affine["trust_offset"].notna().all()


def test_a_wrong_click_model_is_held_against_an_estimate_that_assumes_less() -> None:
    answer = answer_to(replace(SMALL, n_queries=60), names=("pbm", "sdbn"))
    assert answer.curves["sdbn"].verdict is Verdict.DISAGREEMENT
    assert "it disagrees with pbm beyond their intervals (position" in answer.curves["sdbn"].reason
    alone = answer_to(replace(SMALL, n_queries=60), names=("sdbn",))
    assert "no estimate that assumes less was at hand" in alone.curves["sdbn"].reason


def test_devices_have_curves_of_their_own() -> None:
    steep = tuple(k**-1.6 for k in range(1, 6))
    two = replace(SMALL, curves=(INVERSE, steep), n_lists=30_000)
    table = answer_to(two, names=("pbm",)).tables["pbm"]
    at_5 = table[table["position"] == 5].set_index("device")["propensity"]
    assert at_5["0"] == pytest.approx(INVERSE[4], rel=0.25)
    assert at_5["1"] == pytest.approx(steep[4], rel=0.35)
    assert at_5["1"] < at_5[np.nan] < at_5["0"]


@pytest.mark.parametrize("seed", [1, 2])
def test_random_lists_of_one_device_say_nothing_of_the_other(seed: int) -> None:
    steep = tuple(k**-1.6 for k in range(1, 6))
    two = replace(SMALL, curves=(INVERSE, steep), n_lists=30_000)
    statistics = log_statistics(
        simulate_click_lists(two, seed), Setting("small", two), seed, with_lists=False
    )
    of_one = statistics.randomized[statistics.randomized["device"].astype(str) == "0"]
    answer = estimate_all(replace(statistics, randomized=of_one), ("randomized", "pbm"), SETTINGS)
    assert answer.choice.gap is None
    table = answer.tables[answer.choice.estimator]
    at_5 = table[table["position"] == 5].set_index("device")["propensity"]
    assert at_5["0"] == pytest.approx(INVERSE[4], rel=0.25)
    assert at_5["1"] == pytest.approx(steep[4], rel=0.35)


def test_many_devices_are_shrunk_toward_their_mean() -> None:
    six = replace(SMALL, curves=(INVERSE,) * 6, n_lists=24_000)
    answer = answer_to(six, names=("pbm",))
    assert "curves of contexts are shrunk toward their mean" in answer.curves["pbm"].reason
    table = answer.tables["pbm"]
    at_3 = table[(table["position"] == 3) & table["device"].notna()]["propensity"]
    assert len(at_3) == 6
    # they are all alike in truth, and each device's 4,000 lists alone err by a tenth
    assert at_3.std() < 0.02


def test_one_query_for_all_draws_items_instead() -> None:
    feed = replace(SMALL, n_queries=1, candidates=60, logger="random")
    answer = answer_to(feed, names=("pbm",))
    curve = pooled(answer, "pbm")
    assert (curve["ci_high"] > 1.02 * curve["ci_low"])[1:].all()
    assert "with less than 20 queries, intervals come from drawing items" in (
        answer.curves["pbm"].reason
    )


def test_an_estimator_is_told_when_it_begins() -> None:
    told: list[str] = []
    shown = simulate_click_lists(replace(SMALL, n_lists=500), 1)
    statistics = log_statistics(shown, Setting("small", SMALL), 1, with_lists=False)
    estimate_all(statistics, QUICK, SETTINGS, told.append)
    assert told == list(QUICK)


def test_what_was_pooled_is_said_and_not_tested() -> None:
    shown = simulate_click_lists(SMALL, 1)
    statistics = log_statistics(shown, Setting("small", SMALL), 1, with_lists=False)
    answer = estimate_all(
        replace(statistics, pooled=True, notes=("summed into 7",)), ("pbm", "pbm_em"), SETTINGS
    )
    assert "summed into 7" in answer.curves["pbm"].reason
    assert "no test of the position model was made" in answer.curves["pbm"].reason
    assert answer.curves["pbm_em"].verdict is Verdict.INSUFFICIENT_INTERVENTIONS
    assert "more cells than propensity.max_cells" in answer.curves["pbm_em"].reason


def test_random_lists_and_ranks_that_disagree_are_flagged_alike() -> None:
    """As where half of the unclicked first places of rankers' lists never reached the log."""
    shown = simulate_click_lists(replace(SMALL, n_lists=40_000, logger="random"), 4)
    statistics = log_statistics(shown, Setting("small", SMALL), 4, with_lists=False)
    cells = statistics.cells
    unclicked = cells["impressions"] - cells["clicks"]
    first = cells["position"] == 1
    cut = cells.assign(
        impressions=cells["impressions"].where(~first, cells["clicks"] + unclicked // 2)
    )
    answer = estimate_all(
        replace(statistics, cells=cut[cut["impressions"] > 0]), ("randomized", "pbm"), SETTINGS
    )
    assert answer.choice.estimator == "randomized"
    for name in ("randomized", "pbm"):
        assert answer.curves[name].verdict is Verdict.DISAGREEMENT
        assert "disagree beyond their intervals" in answer.curves[name].reason
    (found,) = [each for each in answer.findings if each.test.name == "agreement"]
    assert found.test.p_value < 0.01


@pytest.mark.parametrize("seed", [1, 2])
def test_last_positions_that_trade_places_only_with_each_other_get_no_propensity(seed: int) -> None:
    """Less than 1% of impressions stand there, which is no reason to refuse the others."""
    shown = simulate_click_lists(replace(SMALL, logger="random", n_lists=30_000), seed)
    statistics = log_statistics(shown, Setting("small", SMALL), seed, with_lists=False)
    rng = np.random.default_rng(seed)
    cells = statistics.cells
    ends = pd.DataFrame({"query": np.repeat(cells["query"].unique()[:200], 2), "position": 0})
    ends["position"] = np.tile([6, 7], 200)
    # an item of each query that is nowhere else, of relevance .8 at examination 1/6 and 1/7
    ends["item"], ends["impressions"] = 10**9 + ends["query"], 3
    ends["clicks"] = rng.binomial(3, 0.8 / ends["position"])
    for column in cells.columns.difference(ends.columns):
        ends[column] = cells[column].iloc[0] if cells[column].dtype == "str" else 0
    more = pd.concat([cells, ends[cells.columns]])
    counts = more.groupby("position", as_index=False)[["impressions", "clicks"]].sum()
    tail = counts.loc[counts["position"] > 5, "impressions"].sum()
    assert 0 < tail < 0.01 * counts["impressions"].sum()
    given = replace(
        statistics,
        cells=more.sort_values(["query", "item", "position"], ignore_index=True),
        counts=counts.assign(viewable=0, viewed=None),
    )
    answer = estimate_all(given, ("harvest_all_pairs", "pbm", "pbm_em"), SETTINGS)
    for name in ("harvest_all_pairs", "pbm", "pbm_em"):
        assert answer.curves[name].table["position"].max() == 5
        assert "no propensity below position 5" in answer.curves[name].reason


def test_items_of_one_rank_and_no_chance_have_no_answer_unless_a_model_is_named() -> None:
    alone = replace(SMALL, rankers=1, randomized_share=0.0)
    names = (*QUICK, "sdbn")
    answer = answer_to(alone, names=names)
    assert not answer.curves["sdbn"].verdict.is_refusal
    assert answer.curves[answer.choice.estimator].verdict.is_refusal
    assert "sdbn assume more" in answer.choice.why


def test_the_combination_says_what_its_parts_say() -> None:
    two = replace(SMALL, curves=(INVERSE, INVERSE))
    statistics = log_statistics(
        simulate_click_lists(two, 1), Setting("small", two), 1, with_lists=False
    )
    few = statistics.cells["device"].astype(str).eq("1") & (statistics.cells["item"] % 40 > 0)
    of_zero = statistics.randomized["device"].astype(str) == "0"
    cut = replace(
        statistics,
        cells=statistics.cells[~few],
        randomized=statistics.randomized[of_zero],
        notes=("7 cells are left out",),
    )
    answer = estimate_all(cut, ("randomized", "pbm"), SETTINGS)
    assert answer.choice.estimator == "combined"
    reason = answer.curves["combined"].reason
    assert "; 7 cells are left out" in reason
    assert "device = 1: too little evidence, this curve is taken" in reason
