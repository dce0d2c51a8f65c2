"""Verdicts and titles in a real store, lineage, and scores of a logged day."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from label_platform.lake import Engine, Partition
from label_platform.pipeline.lineage import lineage_lines, lineage_of
from label_platform.pipeline.rankers import stored_rankers
from label_platform.pipeline.scoring import choose_ranker, score_day
from label_platform.pipeline.titles import promote, release, retire, roll_back
from label_platform.strict_yaml import ConfigurationError
from label_platform.tracking import (
    CHALLENGER,
    CHAMPION,
    DECISION,
    SUPPORTED,
    Registry,
    TrackingStore,
)
from tests.pipeline.conftest import DAYS, PROBLEM, Installation
from tests.pipeline.test_comparisons import raise_contender

LAST = DAYS[-1]


def store_of(installation: Installation) -> TrackingStore:
    return TrackingStore(installation.workspace.mlflow_folder, PROBLEM)


def policies(registry: Registry) -> dict[str, str]:
    """The policy of each title."""
    return {alias: registry.find(version).arm[0] for alias, version in registry.aliases().items()}


def compare_anew(installation: Installation, **gains: float) -> str:
    for policy, gain in gains.items():
        raise_contender(installation.workspace.lake(PROBLEM), policy, gain)
    installation.build("comparisons", LAST)
    return str(installation.manifest("comparisons", LAST).attributes["promotion"])


def test_titles_follow_the_evidence_and_what_people_decided(built: Installation) -> None:
    store = store_of(built)
    registry = store.registry
    words = compare_anew(built, multi_signal=5.0, coec_click=9.0)
    assert policies(registry) == {CHAMPION: "coec_click", CHALLENGER: "multi_signal"}
    assert "is the first champion: supported: better than raw_click on randomized" in words
    champion = registry.find(CHAMPION)
    for tags in (champion.tags, store.client.get_run(champion.run_id).data.tags):
        assert tags[DECISION].startswith("supported: better than raw_click on randomized")
        assert tags[SUPPORTED] == "yes"
    (run,) = store.runs(f"tags.kind = 'comparison' and tags.{DECISION} = '{words}'")
    assert store.client.get_run(champion.run_id).data.tags["mlflow.parentRunId"] == run.info.run_id
    evaluations = {
        f"evaluations of {name}": built.manifest("evaluations", LAST, name).content_hash
        for name in ("raw_click", "multi_signal", "coec_click")
    }
    assert store.datasets(run.info.run_id) == evaluations

    # the same again: nothing piles up
    before = len(list(store.runs("")))
    built.forget("comparisons", LAST)
    built.forget("rankers", LAST, policy="coec_click")
    built.build("rankers", LAST, policy="coec_click")
    assert "champion as before" in compare_anew(built)
    assert len(list(store.runs(""))) == before
    assert len(registry.versions()) == 2
    assert len(registry.changes()) == 1

    # another wins; going back bars it from coming back by itself
    assert "champion instead of coec_click" in compare_anew(built, multi_signal=20.0)
    assert policies(registry) == {CHAMPION: "multi_signal", CHALLENGER: "coec_click"}
    roll_back(registry, "returns rose")
    compare_anew(built, multi_signal=1.0)
    assert policies(registry) == {CHAMPION: "coec_click"}
    given_up = next(each for each in registry.versions() if each.arm[0] == "multi_signal")
    assert "was rolled back (returns rose)" in given_up.tags[DECISION]

    # somebody promotes it by hand: it stays, whoever is better, until that is released
    promote(registry, given_up.version, "an A/B test")
    words = compare_anew(built, coec_click=50.0)
    assert "stays champion, chosen by hand (an A/B test). coec_click" in words
    assert policies(registry) == {CHAMPION: "multi_signal", CHALLENGER: "coec_click"}
    release(registry, "the test is over")
    assert "champion instead of multi_signal" in compare_anew(built, coec_click=1.0)
    assert policies(registry) == {CHAMPION: "coec_click", CHALLENGER: "multi_signal"}
    retire(registry, CHALLENGER, "too slow")

    # a retired version stays away, and nobody takes its place
    retire(registry, CHAMPION, "it leaks")
    assert compare_anew(built, coec_click=1.0).startswith("nobody is champion")
    assert policies(registry) == {}
    assert "not promoted: retired (it leaks)" in registry.find(champion.version).tags[DECISION]


def test_lineage_leads_back_to_every_table(built: Installation) -> None:
    registry = store_of(built).registry
    runs = built.manifest("rankers", LAST, "coec_click").attributes["mlflow_runs"]
    registry.crown(registry.register(*runs.values()), "by hand", "a test")
    found = lineage_of(built.workspace, PROBLEM, CHAMPION)
    used = DAYS[:4]
    assert found.tables["examples"] == {
        str(LAST): built.manifest("examples", LAST, "coec_click").content_hash
    }
    for table, policy in (
        ("labels", "coec_click"),
        ("impression_signals", ""),
        ("impressions", ""),
    ):
        assert found.tables[table] == {
            str(day): built.manifest(table, day, policy).content_hash for day in used
        }
    assert set(found.tables["interactions"]) == {str(day) for day in DAYS}
    curve = built.manifest("propensities", DAYS[2]).content_hash
    assert found.tables["propensities"] == {str(DAYS[2]): curve}
    assert found.facts["propensity_version"] == curve
    assert found.facts["train_days"] == f"{DAYS[0]}..{DAYS[2]}"
    assert found.datasets == {"examples": found.tables["examples"][str(LAST)]}
    assert found.changed == {}
    assert [each.reason for each in found.titles] == ["a test"]
    lines = lineage_lines(found)
    assert any("champion (by hand): a test" in line for line in lines)
    assert found.as_json()["tables"] == found.tables

    change_labels(built, DAYS[1])
    built.forget("labels", DAYS[0], policy="coec_click")
    changed = lineage_of(built.workspace, PROBLEM, CHAMPION)
    assert changed.changed == {"labels": (str(DAYS[0]), str(DAYS[1]))}
    assert any(
        f"the lake holds other content now: {DAYS[0]}, {DAYS[1]}" in line
        for line in lineage_lines(changed)
    )


def change_labels(installation: Installation, day: date) -> None:
    lake = installation.workspace.lake(PROBLEM)
    partition = Partition("labels", day, "coec_click")
    with Engine() as engine:
        lake.publish(
            engine,
            partition,
            f"from {lake.scan('labels', [day], 'coec_click')} limit 1",
            recipe="another",
        )


def test_a_logged_day_is_scored_with_the_items_of_then(
    finished: Installation, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "scores.parquet"
    with finished.project().open() as context:
        chosen = choose_ranker(context, policy="coec_click")
        scored = score_day(context, LAST, out, chosen)
        ((_, ranker),) = stored_rankers(context, Partition("rankers", LAST, "coec_click"))
        items = context.lake.scan("items", context.item_days)
        rows = context.engine.arrow(
            f"select shown.*, items.* exclude (item_id) from "
            f"{context.lake.scan('impression_signals', [LAST])} as shown asof left join {items} "
            "as items on shown.item_id = items.item_id and shown.shown_at >= items.valid_from "
            "order by request_id, position"
        ).to_pandas()
    found = pd.read_parquet(out)
    assert scored.rows == len(found) == len(rows)
    assert found["impression_id"].tolist() == rows["impression_id"].astype(str).tolist()
    np.testing.assert_array_equal(found["score"], ranker.score(rows))
    assert found["score"].nunique() > 100
    assert [path.name for path in out.parent.iterdir()] == ["scores.parquet"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"policy": "coec_clik"}, "--policy: there are no rankers of 'coec_clik'; did you mean"),
        (
            {"policy": "coec_click", "day": DAYS[0]},
            f"--day: coec_click has no rankers of {DAYS[0]}; did you mean '{LAST}'",
        ),
        (
            {"policy": "coec_click", "title": "lambdarank"},
            "--ranker: coec_click has no ranker 'lambdarank'; valid: 'pointwise, ",
        ),
        ({"policy": "coec_click", "model": "3"}, "--model and --policy: found both"),
        ({"title": "pointwise"}, "--ranker goes with --policy"),
        ({"day": LAST}, "--day goes with --policy"),
        ({}, f"nothing is registered in {PROBLEM}.ranker yet"),
        ({"model": "short_video.ranker@champion"}, "is of 'short_video.ranker'"),
    ],
)
def test_what_does_not_name_a_ranker_is_refused(
    finished: Installation, options: dict[str, str], words: str
) -> None:
    with (
        finished.project().open() as context,
        pytest.raises(ConfigurationError) as refused,
    ):
        choose_ranker(context, **options)
    assert words in str(refused.value)


def test_a_day_without_impressions_is_refused(finished: Installation, tmp_path: Path) -> None:
    with finished.project().open() as context:
        chosen = choose_ranker(context, policy="coec_click", title="pointwise")
        with pytest.raises(ConfigurationError, match="no impressions of 2025-01-01 were built"):
            score_day(context, date(2025, 1, 1), tmp_path / "scores.csv", chosen)
