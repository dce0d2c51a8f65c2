"""What random items of the catalogue need: features that an item has without being shown."""

from collections.abc import Callable
from pathlib import Path

import pytest

from label_platform.policy import check_policy
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError
from tests.policy.conftest import MakePolicy, refusal_of, without_lines
from tests.policy.test_check_negatives import COEC, negatives, rankers

NEEDS_ITEMS = "needs the problem's item_features or one of its feature_tables of items, it has none"


def test_random_negatives_need_features_of_items_alone(
    tmp_path: Path, make_problem: Callable[..., Problem], make_policy: MakePolicy
) -> None:
    only_items = make_problem(features=[])
    policy = make_policy(**negatives(random={}))
    check_policy(policy, only_items)
    by_position = make_policy(**negatives(random={}), **rankers(position="feature"))
    with pytest.raises(ConfigurationError) as refusal:
        check_policy(by_position, only_items)
    assert without_lines(refusal.value) == (
        f"{tmp_path / 'mine.yaml'}: negatives.random: an item that was not shown has no position, "
        "which rankers.0.position: feature makes a feature"
    )
    with pytest.raises(ConfigurationError, match=NEEDS_ITEMS):
        check_policy(policy, make_problem(features=[], item_features=[]))


@pytest.mark.parametrize(("of", "fits"), [("item", True), ("query", False), ("user", False)])
def test_random_negatives_have_what_feature_tables_say_of_items(
    make_problem: Callable[..., Problem],
    make_policy: MakePolicy,
    of: str,
    fits: bool,  # noqa: FBT001 - a case of the table
) -> None:
    policy = make_policy(**negatives(random={}))
    tables = {"daily": {"of": of, "path": "daily.parquet"}}
    check_policy(policy, make_problem(features=[], feature_tables=tables))
    alone = make_problem(features=[], item_features=[], feature_tables=tables)
    assert (refusal_of(policy, alone) == "") == fits
    # what is logged with an impression is still missing
    assert "has no features of an impression" in refusal_of(
        policy, make_problem(feature_tables=tables)
    )


@pytest.mark.parametrize(
    "debias",
    [
        {"method": "none"},
        {"method": "ips"},
        {"method": "coec"},
        {"method": "affine", "propensity": "affine"},
        {"method": "doubly_robust", "propensity": "affine"},
    ],
)
def test_random_negatives_of_queries_go_with_every_label(
    make_problem: Callable[..., Problem],
    make_policy: MakePolicy,
    debias: dict[str, str],
) -> None:
    """An item that no list showed has the label 0, or the prediction where all have one."""
    cells = COEC | {"debias": debias}
    if debias["method"] == "none":
        cells |= rankers()
    policy = make_policy(**cells, **negatives(random={}, near_duplicates=0.1))
    assert refusal_of(policy, make_problem(features=[])) == ""
    # what they need is the same at both grains
    assert "has no features of an impression" in refusal_of(policy, make_problem())
    if debias["method"] == "coec":
        both = make_policy(**cells, **negatives(random={}, never_examined={"rate": 0.1}))
        assert refusal_of(both, make_problem(features=[])) == ""


@pytest.mark.parametrize("toward", ["model", "empirical_bayes"])
def test_a_prior_says_something_else_of_what_was_not_shown(
    tmp_path: Path, make_problem: Callable[..., Problem], make_policy: MakePolicy, toward: str
) -> None:
    debias = {"method": "coec", "prior": {"toward": toward}}
    policy = make_policy(**COEC | {"debias": debias}, **negatives(random={}))
    assert refusal_of(policy, make_problem(features=[])) == (
        f"{tmp_path / 'mine.yaml'}: negatives.random: debias.prior gives what nobody has looked "
        "at the label of the prior, and not 0, so an item that was not shown would be no negative; "
        "leave one of them out"
    )


def test_draws_by_popularity_need_items_too(
    make_problem: Callable[..., Problem], make_policy: MakePolicy
) -> None:
    policy = make_policy(**negatives(random={"draw": "popularity"}, near_duplicates=0.1))
    check_policy(policy, make_problem(features=[]))
    with pytest.raises(ConfigurationError, match=NEEDS_ITEMS):
        check_policy(policy, make_problem(features=[], item_features=[]))
