"""Pools of queries: logging propensities by the log, by chance, and counted."""

from dataclasses import replace

import numpy as np
import pytest
from off_policy_worlds import Drawn, World, WorldSettings

from label_platform.evaluation import Lists, ShownLists
from label_platform.evaluation.metrics import Floats
from label_platform.evaluation.off_policy_pool import PoolError, QueryPools
from label_platform.evaluation.off_policy_rankings import Rankings, rankings_for
from label_platform.evaluation.off_policy_targets import ListTargets

NO_CHANCE = WorldSettings(rankers=(0.5, 0.3, 0.2), chance=0.0, population=60)
BY_CHANCE = WorldSettings(rankers=(), chance=1.0, population=60)


def small() -> ShownLists:
    """Two lists of query a, of items 0 and 1, and one of query b, of items 0 and 2."""
    return ShownLists(
        matrix=np.array([[1], [2], [3], [4], [5], [6]], dtype=np.float32),
        rows=np.arange(6),
        lists=Lists.of_sorted(np.array([1, 1, 2, 2, 3, 3])),
        query=np.array(["a", "a", "b"]),
        request=np.array(["1", "2", "3"]),
        position=np.array([1, 2, 1, 2, 1, 2]),
        clicks=np.array([1.0, 0, 0, 1, 1, 0]),
        randomized=np.zeros(3, dtype=np.bool_),
        examination=np.tile([1.0, 0.5], 3),
        offset=np.tile([0.0, -0.1], 3),
        item=np.array([0, 1, 1, 0, 0, 2]),
        logging_probability=np.array([0.6, 0.6, 0.4, 0.4, 1.0, 1.0]),
    )


def shown_of(log: Drawn, probability: Floats | None = None) -> ShownLists:
    """A log as evaluation reads it; features are the item and its relevance."""
    lists, length = log.item.shape
    gamma = log.shown(log.world.gamma)
    return ShownLists(
        matrix=np.stack([log.item.ravel(), gamma], axis=1).astype(np.float32),
        rows=np.arange(lists * length),
        lists=Lists.of_sorted(np.repeat(np.arange(lists), length)),
        query=log.unit.astype(np.str_),
        request=np.arange(lists).astype(np.str_),
        position=np.tile(np.arange(1, length + 1), lists),
        clicks=log.clicks.ravel(),
        randomized=np.zeros(lists, dtype=np.bool_),
        examination=np.tile(log.world.alpha, lists),
        offset=np.tile(log.world.beta, lists),
        item=log.item.ravel(),
        logging_probability=probability,
    )


def of_rankers(log: Drawn) -> Floats:
    """The probability of each item at its position, over the logger's rankers."""
    chance = np.zeros(log.item.shape)
    for share, orders in zip(log.world.settings.rankers, log.world.orders, strict=True):
        chance += share * (orders[log.query] == log.item)
    return chance.ravel()


def everything(shown: ShownLists) -> np.ndarray:
    return np.ones(len(shown.lists), dtype=np.bool_)


def test_rows_are_queries_and_items_with_sums_over_lists() -> None:
    shown = small()
    pools = QueryPools.of(shown)

    counted = pools.logged_clicks(everything(shown), "estimated")
    logged = pools.logged_clicks(everything(shown), "logged")

    assert pools.lists.sizes.tolist() == [2, 2]
    assert counted.clicks.tolist() == [2, 0, 1, 0]
    assert counted.examination.tolist() == [1.5, 1.5, 1.0, 0.5]
    assert counted.offset.tolist() == pytest.approx([-0.1, -0.1, 0, -0.1])
    assert counted.times.tolist() == [2, 1]
    assert counted.expected.tolist() == [0.75, 0.75, 1.0, 0.5]
    # item 0 of query a: 0.6 of it at position 1, 0.4 at position 2
    assert logged.expected.tolist() == pytest.approx(
        [0.6 * 1 + 0.4 * 0.5, 0.4 * 1 + 0.6 * 0.5, 1.0, 0.5]
    )
    assert pools.shown.matrix[pools.rows].ravel().tolist() == [4, 3, 5, 6]  # as last shown


def test_only_the_lists_that_count_are_summed() -> None:
    shown = small()
    pools = QueryPools.of(shown)

    found = pools.logged_clicks(np.array([True, False, False]), "estimated")

    assert found.times.tolist() == [1, 0]
    assert found.clicks.tolist() == [1, 0, 0, 0]
    assert found.expected.tolist() == [1.0, 0.5, 0, 0]


def test_what_logging_itself_gave_an_item_is_a_mean_over_lists() -> None:
    shown = small()
    discount = np.tile([1.0, 0.6], 3)

    found = QueryPools.of(shown).discounts_of_logging(discount, everything(shown))

    assert found.tolist() == [0.8, 0.8, 1.0, 0.6]


def test_one_probability_of_randomised_lists_is_that_of_every_item_at_every_position() -> None:
    shown = replace(small(), logging_probability=np.full(6, 0.25))

    found = QueryPools.of(shown).logged_clicks(everything(shown), "uniform")

    assert found.expected.tolist() == pytest.approx([0.25 * 1.5] * 4)


@pytest.mark.parametrize(
    ("probability", "message"),
    [
        (None, "6 of 6 impressions have none"),
        ([0.6, 0.6, 0.4, np.nan, 1, 1], "1 of 6 impressions have none"),
        ([0.6, 0.6, 0.2, 0.2, 1, 1], r"seen make up 86\.7% of it, needed 99%"),
        ([0.6, 0.6, 0.7, 0.4, 1, 1], r"add up to 1\.3 at position 1, expected at most 1"),
    ],
)
def test_probabilities_that_cannot_be_those_of_the_query_are_refused(
    probability: list[float] | None, message: str
) -> None:
    given = None if probability is None else np.array(probability, dtype=np.float64)
    shown = replace(small(), logging_probability=given)
    with pytest.raises(PoolError, match=message):
        QueryPools.of(shown).logged_clicks(everything(shown), "logged")


def test_probabilities_that_change_from_list_to_list_are_refused() -> None:
    shown = replace(
        small(),
        item=np.array([0, 1, 0, 1, 0, 2]),
        logging_probability=np.array([0.6, 1, 0.4, 1, 1, 1]),
    )
    with pytest.raises(PoolError, match=r"at one position has 0\.6 and 0\.4"):
        QueryPools.of(shown).logged_clicks(everything(shown), "logged")
    with pytest.raises(PoolError, match="differs between randomised items of one query"):
        QueryPools.of(shown).logged_clicks(everything(shown), "uniform")


def test_items_without_ids_and_logs_without_a_curve_have_no_pools() -> None:
    with pytest.raises(PoolError, match="items without ids"):
        QueryPools.of(replace(small(), item=None))
    with pytest.raises(PoolError, match="no propensities"):
        QueryPools.of(replace(small(), examination=None))
    with pytest.raises(PoolError, match="no propensities"):
        Rankings.of_lists(replace(small(), examination=None))
    with pytest.raises(PoolError, match="2 queries were shown, intervals over pools need 30"):
        rankings_for("doubly_robust", small())


def test_positions_without_a_propensity_do_not_count() -> None:
    shown = small()
    unknown = replace(shown, examination=np.where(shown.position == 2, np.nan, 1.0))

    found = QueryPools.of(unknown).logged_clicks(everything(shown), "estimated")

    assert found.clicks.tolist() == [1, 0, 1, 0]
    assert found.expected.tolist() == [0.5, 0.5, 1.0, 0.0]


@pytest.mark.parametrize("seed", [0, 1])
def test_logged_and_counted_propensities_find_the_value_of_another_ranking(seed: int) -> None:
    world = World(replace(NO_CHANCE, seed=seed))
    log = world.draw(400, 40, np.random.default_rng(seed))
    shown = shown_of(log, of_rankers(log))
    # a ranker that blends the logger's own: what it puts on top was shown by one of them
    blended = world.scores.mean(axis=0)

    for source in ("logged", "estimated"):
        rankings = Rankings.of_pools(QueryPools.of(shown), everything(shown), source)  # type: ignore[arg-type]
        item = rankings.features[:, 0].astype(int)
        first_list = log.query[::40][rankings.unit.astype(int)]
        of_rows = first_list[rankings.logged.lists.codes]
        discounts = rankings.discounts(blended[of_rows, item], 3)
        found = rankings.estimate(discounts, "snips")
        seen = np.zeros(world.gamma.shape, dtype=np.bool_)
        seen[of_rows, item] = True
        scores = np.where(seen, blended, -np.inf)
        order = np.argsort(-scores, axis=1)[:, :3]
        drawn = np.unique(first_list, return_counts=True)
        gamma = np.take_along_axis(world.gamma, order, axis=1) @ (1 / np.log2([2, 3, 4]))
        truth = float(gamma[drawn[0]] @ drawn[1] / 400)
        interval = found.interval(rankings.unit)
        assert found.overlap.verdict == "ok", found.overlap.reason
        assert abs(found.value - truth) < 3.5 * interval.standard_error
        assert interval.standard_error < 0.05 * truth


def test_auto_takes_the_logs_own_probabilities_and_says_what_it_passed_over() -> None:
    log = World(NO_CHANCE).draw(60, 40, np.random.default_rng(0))
    complete = ListTargets(shown_of(log, of_rankers(log)), cutoff=3)
    half = ListTargets(shown_of(log, of_rankers(log) / 2), cutoff=3)
    without = ListTargets(shown_of(log), cutoff=3)

    assert complete.answer("uniform", "auto", ["snips"]).old.source == "logged"
    found = half.answer("uniform", "auto", ["snips"])
    assert found.old.source == "as_shown"
    assert "seen make up 50.0% of it" in found.passed_over["logged"]
    assert without.answer("uniform", "auto", ["snips"]).passed_over == {}
    assert without.answer("uniform", "auto", ["snips"]).randomized.refused == (
        "there are no such lists"
    )


def test_randomised_lists_stand_beside_the_old_rankers() -> None:
    world = World(replace(NO_CHANCE, candidates=6, length=6))
    ranked = world.draw(100, 30, np.random.default_rng(1))
    shown = shown_of(ranked)
    by_chance = World(replace(BY_CHANCE, candidates=6, length=6))
    random = shown_of(by_chance.draw(100, 30, np.random.default_rng(2)))
    both = ShownLists(
        matrix=np.concatenate([shown.features, random.features]),
        rows=np.arange(36000),
        lists=Lists.of_sorted(np.repeat(np.arange(6000), 6)),
        query=np.concatenate([shown.query, random.query]),
        request=np.arange(6000).astype(np.str_),
        position=np.tile(np.arange(1, 7), 6000),
        clicks=np.concatenate([shown.clicks, random.clicks]),
        randomized=np.arange(6000) >= 3000,
        examination=np.tile(world.alpha, 6000),
        offset=np.zeros(36000),
        item=np.concatenate([shown.item, random.item]),
    )
    targets = ListTargets(both, cutoff=5)

    def relevance(features: np.ndarray) -> Floats:
        return features[:, 1].astype(np.float64)

    found = targets.answer(relevance, "auto", ["snips", "doubly_robust"])

    assert (found.old.source, found.randomized.source) == ("as_shown", "shuffled")
    old, random_value = found.old.estimates[0], found.randomized.estimates[0]
    assert (found.old.lists, found.randomized.lists) == (3000, 3000)
    gap = abs(old.estimate - random_value.estimate)
    assert gap < 0.2 * old.estimate
    assert old.ci_low < old.estimate < old.ci_high
    assert found.old.estimates[1].estimate == pytest.approx(old.estimate, rel=0.1)
    only = targets.answer(relevance, "randomized", ["snips"])
    assert only.old == only.randomized
    assert only.old.estimates[0].estimate == pytest.approx(random_value.estimate)
    uniform = targets.answer("uniform", "as_shown", ["snips"]).old.estimates[0]
    logging = targets.answer("logging", "as_shown", ["snips"])
    assert uniform.estimate < logging.old.estimates[0].estimate < old.estimate
    assert "is not logged" in logging.randomized.refused
