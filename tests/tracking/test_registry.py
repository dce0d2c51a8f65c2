"""A real registry: versions, titles and their history, decisions by hand."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pytest

from label_platform.pipeline.titles import promote, release, retire, roll_back
from label_platform.ranking import Ranker
from label_platform.strict_yaml import ConfigurationError
from label_platform.tracking import (
    CHALLENGER,
    CHAMPION,
    DECISION,
    RETIRED,
    ROLLED_BACK,
    SUPPORTED,
    RankerRecord,
    Registry,
    TrackingStore,
)

Train = Callable[..., str]


@pytest.fixture
def registry(folder: Path) -> Registry:
    return TrackingStore(folder, "shop").registry


@pytest.fixture
def train(folder: Path, record: RankerRecord) -> Train:
    """Log a ranker of a policy; returns its run."""
    store = TrackingStore(folder, "shop")

    def log(policy: str, supported: str = "yes") -> str:
        tags = {
            "kind": "ranker",
            "policy": policy,
            "ranker": "lambdarank",
            "policy_version": f"version of {policy}",
            "day": "2026-10-06",
            DECISION: f"what was found of {policy}",
            SUPPORTED: supported,
        }
        return store.log_ranker(replace(record, name=policy, tags=tags))

    return log


def test_a_run_has_one_version(registry: Registry, train: Train) -> None:
    run = train("coec")
    assert [registry.register(run), registry.register(run)] == ["1", "1"]
    assert registry.register(train("ips")) == "2"
    first, second = registry.versions()
    assert (first.version, first.run_id, first.arm) == ("1", run, ("coec", "lambdarank"))
    assert first.tags[DECISION] == "what was found of coec"
    assert second.recipe == ("version of ips", "lambdarank")
    assert first.name == "version 1 (coec lambdarank 2026-10-06)"


@pytest.mark.parametrize(
    "wanted", ["champion", "2", "shop.ranker@champion", "models:/shop.ranker/2"]
)
def test_versions_are_found(registry: Registry, train: Train, wanted: str) -> None:
    for policy in ("coec", "ips"):
        registry.register(train(policy))
    registry.crown("2", "by hand", "a reason")
    assert registry.find(wanted).version == "2"


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("champion", "nothing is registered in shop.ranker yet"),
        ("videos.ranker@champion", "is of 'videos.ranker', this problem's is 'shop.ranker'"),
        ("a/b/c", "expected an alias or the number of a version"),
    ],
)
def test_what_is_not_there_is_named(registry: Registry, wanted: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        registry.find(wanted)


def test_the_nearest_alias_is_named(registry: Registry, train: Train) -> None:
    registry.crown(registry.register(train("coec")), "by hand", "a reason")
    with pytest.raises(ConfigurationError, match="did you mean 'champion'"):
        registry.find("champoin")


def test_a_registered_ranker_scores_like_itself(
    registry: Registry, train: Train, ranker: Ranker
) -> None:
    loaded = registry.load(registry.register(train("coec")))
    rows = np.random.default_rng(3).random((40, 2))
    np.testing.assert_array_equal(loaded.score(rows), ranker.score(rows))


def test_a_model_of_another_problem_is_refused(folder: Path, train: Train) -> None:
    """Copied into this problem's registry, it still says whose it is."""
    shop, videos = TrackingStore(folder, "shop"), TrackingStore(folder, "videos")
    shop.registry.register(train("coec"))
    mlflow.MlflowClient(shop.uri).copy_model_version("models:/shop.ranker/1", "videos.ranker")
    with pytest.raises(
        ConfigurationError, match="trained for the problem 'shop', this is 'videos'"
    ):
        videos.registry.load("1")


def test_titles_change_hands_and_their_history_stays(registry: Registry, train: Train) -> None:
    for policy in ("coec", "ips", "multi"):
        registry.register(train(policy))
    registry.crown("1", "verdict", "first")
    registry.set_alias(CHALLENGER, "2")
    promote(registry, "challenger", "an A/B test")
    assert registry.aliases() == {CHAMPION: "2"}
    registry.crown("3", "verdict", "third")
    settled = roll_back(registry, "returns rose")
    assert settled.champion is not None
    assert settled.champion.version == "2"
    assert registry.find("3").tags[ROLLED_BACK] == "returns rose"
    roll_back(registry, "returns stayed high")
    assert registry.aliases() == {CHAMPION: "1"}
    with pytest.raises(ConfigurationError, match="had no predecessor"):
        roll_back(registry, "again")
    history = [(each.version, each.before, each.how, each.reason) for each in registry.changes()]
    assert history == [
        ("1", "", "verdict", "first"),
        ("2", "1", "by hand", "an A/B test"),
        ("3", "2", "verdict", "third"),
        ("2", "3", "rollback", "returns rose"),
        ("1", "2", "rollback", "returns stayed high"),
    ]


def test_promoting_against_the_evidence_needs_words(registry: Registry, train: Train) -> None:
    run = train("coec", supported="no")
    with pytest.raises(ConfigurationError, match=r"does not support it \(what was found of coec"):
        promote(registry, run, "I like it")
    assert registry.aliases() == {}
    settled = promote(registry, run, "I like it", "the A/B test says so")
    assert registry.aliases() == {CHAMPION: "1"}
    said = "I like it; although what was found of coec: the A/B test says so"
    assert settled.words == f"version 1 (coec lambdarank 2026-10-06) is champion: {said}"
    assert [each.reason for each in registry.changes()] == [said]
    with pytest.raises(ConfigurationError, match="is champion already"):
        promote(registry, "1", "again")


@pytest.mark.parametrize("reason", ["", "  "])
def test_nothing_is_decided_without_a_reason(registry: Registry, train: Train, reason: str) -> None:
    registry.crown(registry.register(train("coec")), "verdict", "first")
    for decide in (
        lambda: promote(registry, "1", reason),
        lambda: roll_back(registry, reason),
        lambda: retire(registry, "1", reason),
    ):
        with pytest.raises(ConfigurationError, match="--reason: found no words"):
            decide()


def test_a_retired_version_is_never_promoted_again(registry: Registry, train: Train) -> None:
    registry.crown(registry.register(train("coec")), "verdict", "first")
    registry.crown(registry.register(train("ips")), "verdict", "second")
    settled = retire(registry, "champion", "a user was erased")
    assert registry.aliases() == {CHAMPION: "1"}
    assert settled.words.endswith(
        "is retired: a user was erased; version 1 (coec lambdarank 2026-10-06) is champion again"
    )
    assert registry.find("2").tags[RETIRED] == "a user was erased"
    with pytest.raises(ConfigurationError, match="a retired version is never promoted"):
        promote(registry, "2", "it was good", "I insist")
    with pytest.raises(ConfigurationError, match="was retired before"):
        retire(registry, "2", "again")
    last = retire(registry, "1", "the same user")
    assert last.champion is None
    assert registry.aliases() == {}


def test_the_challenger_loses_its_alias_with_retirement(registry: Registry, train: Train) -> None:
    registry.set_alias(CHALLENGER, registry.register(train("ips")))
    retire(registry, "challenger", "it leaks")
    assert registry.aliases() == {}
    assert registry.changes() == []


def test_without_a_store_nothing_is_registered(tmp_path: Path) -> None:
    registry = TrackingStore(tmp_path / "nowhere", "shop").registry
    assert (registry.versions(), registry.aliases(), registry.changes()) == ([], {}, [])
    with pytest.raises(ConfigurationError, match="nobody is champion"):
        roll_back(registry, "a reason")
    assert not (tmp_path / "nowhere").exists()


def test_promoting_what_was_given_up_lifts_its_bar(registry: Registry, train: Train) -> None:
    for policy in ("coec", "ips"):
        registry.crown(registry.register(train(policy)), "verdict", policy)
    with pytest.raises(ConfigurationError, match="verdicts decide already"):
        release(registry, "a reason")
    roll_back(registry, "returns rose")
    assert ROLLED_BACK in registry.find("2").tags
    promote(registry, "2", "it was not the ranker")
    assert ROLLED_BACK not in registry.find("2").tags
    assert release(registry, "tested").words.endswith("until a verdict says otherwise: tested")
    assert registry.aliases() == {CHAMPION: "2"}
    with pytest.raises(ConfigurationError, match="--reason"):
        release(registry, "")
