"""Labels of watch time computed again: a feed with all kinds of durations, every policy."""

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml

from label_platform.explain import Explanation
from label_platform.logs import ingest
from label_platform.pipeline.context import Project
from label_platform.pipeline.explanation import LabelExplainer
from label_platform.pipeline.workspace import Workspace
from label_platform.policy import Policy
from tests.explain.conftest import POLICIES, PROJECT, build, usable_policies

DAYS = tuple(date(2022, 4, 8) + timedelta(days=number) for number in range(4))
WATCHED = ("wt", "pc", "pcr", "d2q", "dvr", "d2co")
EXPLICIT = ("like", "follow", "comment", "forward")
COLUMNS = ("user_id", "video_id", "time_ms", "play_time_ms", "duration_ms", "is_click")


def write_feed(path: Path) -> None:
    """Many videos a day; some without a duration, some skipped, some watched twice.

    Some are clicked, and a fifth of all has each of the kinds of explicit feedback.
    """
    rng, feedback = np.random.default_rng(5), np.random.default_rng(6)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([*COLUMNS, *(f"is_{signal}" for signal in EXPLICIT)])
        for day in DAYS:
            midnight = int(datetime.combine(day, datetime.min.time(), UTC).timestamp() * 1000)
            for video in range(250):
                duration = int(rng.choice([0, 5_000, 20_000, 60_000, 3_000_000]) * rng.random())
                share = rng.choice([0.0, 0.05, 0.5, 1.0, 2.0])
                watch = int(duration * share * rng.uniform(0.8, 1.2))
                came = [int(feedback.random() < rate) for rate in (0.6, *[0.2] * len(EXPLICIT))]
                shown = [video % 9, video, midnight + 60_000 * video, watch, duration]
                rows.writerow([*shown, *came])


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("feed")
    write_feed(folder / "log.csv")
    problem = yaml.safe_load((PROJECT / "data" / "problems" / "kuairand.yaml").read_text())
    problem["logs"][0]["path"] = "*.csv"
    problem |= {"start_date": DAYS[0], "end_date": DAYS[-1], "logs_folder": "."}
    problem["training"] = {"window": "14d", "validate": "1d", "evaluate": "1d"}
    problem["policies"] = {"from": str(POLICIES), "use": ["raw_click"]}
    path = folder / "kuairand.yaml"
    path.write_text(yaml.safe_dump(problem))
    problem["policies"]["use"] = usable_policies(path)
    path.write_text(yaml.safe_dump(problem))
    project = Project.load(path, Workspace(folder / "data"))
    chosen = tuple(policy for policy in project.policies if policy.debias.method == "none")
    project = replace(project, policies=chosen)
    with project.open() as context:
        ingest(context.problem, context.lake, context.engine)
    build(project, {"matched_interactions", "impression_signals", "label_statistics", "labels"})
    return project


def test_every_watch_time_label_is_what_its_line_says(feed: Project) -> None:
    seen = {policy.watch_time.label for policy in feed.policies if policy.watch_time is not None}
    assert seen == set(WATCHED)
    with feed.open() as context:
        shown = context.engine.rows(
            "select impression_id::varchar, cast(shown_at as date) from "
            f"{context.lake.scan('impressions', list(DAYS))}"
        )
        for policy in feed.policies:
            if policy.grain != "impression":
                continue
            found = LabelExplainer(context, policy, with_lists=False).impressions(shown)
            assert len(found) == 1000
            wrong = [each for each in found if each.mismatches]
            assert [(each.title, each.mismatches) for each in wrong] == []
            labels = [each.comparisons[0].recomputed for each in found]
            if policy.watch_time is not None:
                # videos without a duration have no label, and the others have different ones
                assert 100 < labels.count(None) < 400
                assert len(set(labels)) > 2 or policy.watch_time.label == "pc"
            assert_informative(policy, found)


def assert_informative(policy: Policy, found: Sequence[Explanation]) -> None:
    """What is the same everywhere could be computed wrongly and still agree."""
    values = defaultdict(set)
    for comparison in (each for explained in found for each in explained.all_comparisons):
        if comparison.recomputed is not None:
            values[comparison.name].add(comparison.recomputed)
    has_auxiliary = policy.auxiliary is not None
    assert set(values) == {"label", "weight"} | ({"auxiliary_label"} if has_auxiliary else set())
    assert values.pop("weight") == {1}
    assert all(len(each) > 1 for each in values.values())
    if policy.name == "ef" or has_auxiliary:
        assert values["auxiliary_label" if has_auxiliary else "label"] == {0, 1}
        kinds = [sum(each.impressions[0].values[name] for name in EXPLICIT) for each in found]
        assert 100 < sum(came > 1 for came in kinds) < 900
