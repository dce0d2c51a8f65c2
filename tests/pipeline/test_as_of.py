"""Builds as of some time: what arrived later changes nothing in them, and they nothing else."""

import gzip
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from label_platform.lake import Engine, Partition, quote_literal
from label_platform.pipeline.as_of import RAW_TABLES, view_of
from label_platform.pipeline.run import RunSummary, instance_of, run_chain
from label_platform.strict_yaml import ConfigurationError
from tests.pipeline.conftest import DAYS, POLICIES, PROBLEM, Installation, day, quiet_instance
from tests.pipeline.test_comparisons import raise_contender

USES_PURCHASES = "multi_signal"
SHOWN = day(2)
ARRIVED = SHOWN + timedelta(days=2 + 3)
"""Bought two calendar days after it was shown, and known three days after that."""


def midnight(on: date) -> datetime:
    return datetime.combine(on, time(), UTC)


def write_arrivals(installation: Installation, known: Callable[[str], bool]) -> None:
    """Logs that say when each record arrived: at once; those that are not known are left out."""
    with Engine() as engine:
        for path in installation.logs.glob("impressions/*.parquet"):
            if not known(path.stem.removeprefix("day=")):
                path.unlink()
                continue
            old = path.rename(path.with_suffix(".old"))
            scan = f"read_parquet({quote_literal(str(old))})"
            engine.execute(
                f"copy (select *, shown_at as ingested_at from {scan}) "
                f"to {quote_literal(str(path))} (format parquet)"
            )
            old.unlink()
    for path in installation.logs.glob("interactions/*.jsonl.gz"):
        events = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
        arrived = [each | {"ingested_at": each["occurred_at"]} for each in events]
        installation.add_events(
            path.name.removesuffix(".jsonl.gz"),
            *(each for each in arrived if known(utc_day(each["ingested_at"]))),
        )


def utc_day(moment: str | int) -> str:
    if isinstance(moment, int):
        return str(datetime.fromtimestamp(moment / 1000, UTC).date())
    return str(datetime.fromisoformat(moment).astimezone(UTC).date())


@pytest.fixture
def punctual(ingested: Installation) -> Installation:
    """Logs of six days whose records arrived when they happened, ingested."""
    ingested.change_problem({"propensity.estimators": ["randomized"]})
    shutil.rmtree(ingested.workspace.lake(PROBLEM).folder)
    write_arrivals(ingested, lambda _day: True)
    ingested.ingest()
    return ingested


def build(
    installation: Installation, as_of: datetime | None = None, until: str = "labels"
) -> RunSummary:
    project = replace(installation.project(), as_of=as_of)
    with quiet_instance() as instance:
        summary = run_chain(project, instance, until=until)
    assert (summary.refused, summary.broken) == ({}, {})
    return summary


def live(installation: Installation, *tables: str) -> dict[str, str]:
    """The content hashes of the live partitions of some tables, or of all."""
    return {
        folder: content
        for folder, content in installation.content_hashes().items()
        if not folder.startswith("as_of=") and (not tables or folder.split("/")[0] in tables)
    }


def view(installation: Installation, as_of: datetime, *tables: str) -> dict[str, str]:
    """The content hashes of a view's partitions, by the folders that they would have live."""
    prefix = f"{view_of(as_of).folder}/"
    return {
        folder.removeprefix(prefix): content
        for folder, content in installation.content_hashes().items()
        if folder.startswith(prefix)
        and (not tables or folder.removeprefix(prefix).split("/")[0] in tables)
    }


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    assert before.keys() == after.keys()
    return {folder for folder in after if after[folder] != before[folder]}


def test_a_purchase_that_arrives_three_days_late(punctual: Installation) -> None:
    before, after = midnight(ARRIVED), midnight(ARRIVED + timedelta(days=1))
    build(punctual)
    build(punctual, before)
    live_labels, known_before = live(punctual, "labels"), view(punctual, before, "labels")
    assert known_before == live_labels
    assert known_before.keys() == {
        f"labels/policy={name}/day={each}" for name in POLICIES for each in DAYS
    }

    punctual.drop_late_purchase(SHOWN, arrives_after=timedelta(days=3))
    punctual.ingest()
    one_day = {f"labels/policy={USES_PURCHASES}/day={SHOWN}"}
    build(punctual, before)
    assert view(punctual, before, "labels") == known_before
    shutil.rmtree(punctual.workspace.lake(PROBLEM).folder / view_of(before).folder)
    build(punctual, before)
    assert view(punctual, before, "labels") == known_before

    assert live(punctual, "labels") == live_labels
    build(punctual, after)
    assert changed(known_before, view(punctual, after, "labels")) == one_day
    build(punctual)
    assert changed(live_labels, live(punctual, "labels")) == one_day
    assert live(punctual, "labels") == view(punctual, after, "labels")


def test_a_view_is_what_a_live_lake_held_then(punctual: Installation, tmp_path: Path) -> None:
    """As of the end of day 5, all tables equal those of a lake that has seen no more than that."""
    earlier = Installation(Path(shutil.copytree(punctual.folder, tmp_path / "earlier")))
    shutil.rmtree(earlier.workspace.lake(PROBLEM).folder)
    write_arrivals(earlier, lambda each: each <= str(day(5)))
    earlier.change_problem({"end_date": day(5)})
    build(earlier)
    moment = midnight(day(6))
    build(punctual, moment)
    found = view(punctual, moment)
    assert found == {
        folder: content
        for folder, content in live(earlier).items()
        if folder.split("/")[0] not in RAW_TABLES
    }
    assert f"labels/policy=coec_click/day={day(5)}" in found
    assert f"labels/policy=coec_click/day={day(6)}" not in found


def test_a_build_as_of_some_time_leaves_everything_live_alone(built: Installation) -> None:
    """Tables and rankers stay as they are, and whoever would win then becomes no champion now."""
    moment = datetime.now(UTC) + timedelta(hours=1)
    before = live(built)
    assert build(built, moment, until="evaluations").report is None
    lake = built.workspace.lake(PROBLEM, moment)
    raise_contender(lake, USES_PURCHASES, 5.0)
    build(built, moment, until="comparisons")
    assert live(built) == before
    assert view(built, moment, "labels", "examples", "rankers") == live(
        built, "labels", "examples", "rankers"
    )
    with Engine() as engine:
        verdicts = engine.rows(
            f"select verdict from {lake.scan('comparisons', [DAYS[-1]])} where policy = "
            f"'{USES_PURCHASES}' and yardstick = 'randomized_click_dcg' and slice = 'all'"
        )
    assert verdicts == [("better than raw_click",)]
    client = built.mlflow()
    assert client.search_registered_models() == []

    experiment = client.get_experiment_by_name(PROBLEM)
    runs = client.search_runs(
        [experiment.experiment_id], filter_string=f"tags.as_of = '{moment.isoformat()}'"
    )
    assert sorted(run.data.tags["kind"] for run in runs) == ["comparison", *["ranker"] * 3]
    for partition in (Partition("labels", day(2), "raw_click"), Partition("comparisons", DAYS[-1])):
        manifest = lake.manifest(partition)
        assert manifest is not None
        assert manifest.as_of == moment.isoformat()


def test_dagster_forgets_a_build_as_of_some_time(ingested: Installation) -> None:
    project = ingested.project()
    moment = datetime.now(UTC) + timedelta(hours=1)
    with instance_of(replace(project, as_of=moment)) as instance:
        assert instance.is_ephemeral
    assert not project.workspace.dagster_home.exists()
    with instance_of(project) as instance:
        assert not instance.is_ephemeral


def test_a_time_before_anything_was_known(punctual: Installation) -> None:
    first = day(1)
    with punctual.project().open() as context:
        (earliest,) = context.engine.row(
            f"select epoch_us(min(shown_at)) from {context.lake.scan('impressions', [first])}"
        )
    known = datetime.fromtimestamp(earliest // 1_000_000, UTC)
    assert known.date() == first
    with pytest.raises(
        ConfigurationError,
        match=rf"--as-of: {PROBLEM}: as of 2026-10-01T00:00:00\+00:00 no day of the log was known; "
        rf"the earliest ingested_at of an impression is {known:%Y-%m-%dT%H:%M:%S}",
    ):
        build(punctual, midnight(first))
    # known, but the day was still going on
    with pytest.raises(ConfigurationError, match=r"the first log day ended at 2026-10-02T00:00"):
        build(punctual, midnight(first) + timedelta(hours=20))


def test_nothing_was_ingested(ingested: Installation) -> None:
    shutil.rmtree(ingested.workspace.lake(PROBLEM).folder)
    with pytest.raises(ConfigurationError, match="`label-platform ingest` reads logs"):
        build(ingested, midnight(day(5)))


def test_a_view_is_collected_and_named_by_its_moment(punctual: Installation) -> None:
    moment = midnight(day(5))
    build(punctual, moment, until="impression_signals")
    lake = punctual.workspace.lake(PROBLEM)
    before = punctual.content_hashes()
    (partition,) = (lake.folder / "as_of=20261005T000000Z").rglob(
        f"impression_signals/day={day(1)}"
    )
    (partition / "part-nobody-names.parquet").write_bytes(b"")
    assert lake.collect(delay_s=0) >= 1
    assert {path.suffix for path in partition.iterdir()} == {".parquet", ".json"}
    assert len(list(partition.iterdir())) == 2
    assert punctual.content_hashes() == before
    assert view_of(datetime.fromisoformat("2026-10-05T02:00+02:00")) == view_of(moment)
    assert view_of(moment + timedelta(microseconds=5)).folder == "as_of=20261005T000000.000005Z"
