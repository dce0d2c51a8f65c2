"""Watch-time labels on a lake: what they are fitted on, and what a real feed's labels are."""

import csv
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml

from label_platform.lake import Partition
from label_platform.logs import ingest
from label_platform.pipeline.context import Project
from label_platform.pipeline.steps import build_partition
from label_platform.pipeline.workspace import Workspace
from label_platform.problem import load_problem
from tests.pipeline.conftest import PROJECT

SAMPLE = PROJECT.parent / "shared" / "data" / "kuairand_sample"
FIRST = date(2022, 4, 8)
DAYS = tuple(FIRST + timedelta(days=number) for number in range(6))
"""Train on the first four, validate on the fifth, evaluate on the sixth."""
FITTED = ("d2q", "dvr", "d2co")


def write_feed(path: Path, *, late_factor: int = 1) -> None:
    """Forty videos a day; from the validation day on they are watched for longer by a factor."""
    rng = np.random.default_rng(3)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["user_id", "video_id", "time_ms", "is_click", "play_time_ms", "duration_ms"])
        for number, day in enumerate(DAYS):
            midnight = int(datetime.combine(day, datetime.min.time(), UTC).timestamp() * 1000)
            for video in range(40):
                watched = int(rng.integers(0, 30_000)) * (late_factor if number >= 4 else 1)
                rows.writerow([video % 7, video, midnight + 60_000 * video, 1, watched, 20_000])


def open_feed(folder: Path, logs: Path, *, start: date, end: date) -> Project:
    """The shipped problem over other logs, ingested."""
    problem = yaml.safe_load((PROJECT / "data" / "problems" / "kuairand.yaml").read_text())
    problem["logs"][0]["path"] = "*.csv" if logs == folder else "*.tsv.gz"
    problem["policies"] = {"from": str(PROJECT / "policies"), "use": ["raw_click", *FITTED, "pc"]}
    problem |= {"start_date": start, "end_date": end, "logs_folder": str(logs)}
    problem["training"] = {"window": "14d", "validate": "1d", "evaluate": "1d"}
    file = folder / "kuairand.yaml"
    file.write_text(yaml.safe_dump(problem))
    project = Project.load(file, Workspace(folder / "data"))
    with project.open() as context:
        ingest(context.problem, context.lake, context.engine)
    return project


def build(project: Project, days: tuple[date, ...], policies: tuple[str, ...]) -> None:
    with project.open() as context:
        for table in ("matched_interactions", "impression_signals"):
            for day in context.log_days:
                build_partition(context, Partition(table, day))
        for policy in policies:
            for day in days:
                if policy in FITTED:
                    build_partition(context, Partition("label_statistics", day, policy))
                build_partition(context, Partition("labels", day, policy))


def test_statistics_and_labels_know_nothing_of_validation_days(tmp_path: Path) -> None:
    hashes: list[dict[tuple[str, date, str], str]] = []
    for factor in (1, 10):
        folder = tmp_path / str(factor)
        folder.mkdir()
        write_feed(folder / "log.csv", late_factor=factor)
        project = open_feed(folder, folder, start=DAYS[0], end=DAYS[-1])
        build(project, DAYS[:5], FITTED)
        with project.open() as context:
            split = context.split(DAYS[-1])
            assert (split.train, split.validate) == (DAYS[:4], DAYS[4:5])
            found = {}
            for policy in FITTED:
                for day in DAYS[:5]:
                    fitted = context.require(Partition("label_statistics", day, policy))
                    assert fitted.attributes["last_day"] <= str(DAYS[3])
                    assert fitted.rows > 0
                    for table in ("label_statistics", "labels"):
                        found[table, day, policy] = context.content(table, day, policy)
        hashes.append(found)
    changed = {key for key in hashes[0] if hashes[0][key] != hashes[1][key]}
    assert changed == {("labels", DAYS[4], policy) for policy in FITTED}


@pytest.mark.skipif(not SAMPLE.is_dir(), reason=f"needs the sample in {SAMPLE}")
def test_labels_of_a_real_feed_are_those_of_a_plain_recomputation(tmp_path: Path) -> None:
    start, end = date(2022, 4, 12), date(2022, 4, 16)
    project = open_feed(tmp_path, SAMPLE, start=start, end=end)
    day = date(2022, 4, 15)
    build(project, (day,), ("d2q", "pc"))
    with project.open() as context:
        manifest = context.require(Partition("label_statistics", day, "d2q"))
        last = date.fromisoformat(manifest.attributes["last_day"])
        fitted_days = tuple(each for each in context.log_days if each <= last)
        columns = "duration_ms, watch_s from "
        fitted = context.engine.rows(
            f"select {columns}{context.lake.scan('impression_signals', fitted_days)}"
            " where excluded_reason is null and duration_ms > 0"
        )
        found = {
            policy: context.engine.rows(
                f"select label, {columns}{context.lake.scan('labels', [day], policy)} as labels "
                f"join {context.lake.scan('impression_signals', [day])} as shown "
                "on labels.impression_id = shown.impression_id order by md5(item_id) limit 300"
            )
            for policy in ("d2q", "pc")
        }
    for label, duration_ms, watch_s in found["pc"]:
        assert label == float(round(watch_s * 1000) >= duration_ms)
    assert 0.3 < np.mean([label for label, *_ in found["pc"]]) < 0.7
    durations, watched = np.array(fitted).T
    shorter = np.searchsorted(np.sort(durations), durations)
    slots = 30 * shorter // len(durations)
    longest = {int(slot): durations[slots == slot].max() for slot in np.unique(slots)}
    for label, duration_ms, watch_s in found["d2q"]:
        reached = [slot for slot, most in longest.items() if duration_ms <= most]
        alike = watched[slots == min(reached, default=max(longest))]
        assert label == pytest.approx(_percentile(alike, watch_s), abs=1e-6)


def _percentile(alike: np.ndarray, watch_s: float) -> float:
    values = np.unique(alike)
    ranks = [((alike < each).sum() + (alike == each).sum() / 2) / len(alike) for each in values]
    return float(np.interp(watch_s, values, ranks))


def test_the_shipped_problem_uses_every_policy_of_watch_time() -> None:
    problem = load_problem(PROJECT / "data" / "problems" / "kuairand.yaml")
    texts = {path.stem: path.read_text() for path in (PROJECT / "policies").glob("*.yaml")}
    of_watch_time = {name for name, text in texts.items() if "watch_time" in yaml.safe_load(text)}
    assert of_watch_time <= set(problem.policies.use)
    assert len(of_watch_time) == 9
