"""Logs with holes: a day on which nothing happened, or nothing at random."""

import shutil
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from label_platform.pipeline.run import RunSummary, run_chain
from tests.pipeline.conftest import DAYS, PROBLEM, Installation, day, quiet_instance


def impressions_of(installation: Installation, on: date) -> list[str]:
    return sorted(str(path) for path in (installation.logs / "impressions").glob(f"*{on}*"))


def read_anew(installation: Installation) -> None:
    shutil.rmtree(installation.workspace.lake(PROBLEM).folder)
    installation.ingest()


def take_out_chance(installation: Installation, *days: date) -> None:
    """The same log, but nobody wrote down that some lists were in random order."""
    for each in days:
        for path in impressions_of(installation, each):
            rows = pq.read_table(path, partitioning=None)
            place = rows.column_names.index("randomized")
            none = pa.array([False] * len(rows))
            pq.write_table(rows.set_column(place, "randomized", none), path)
    read_anew(installation)


def run(installation: Installation, until: str) -> RunSummary:
    with quiet_instance() as instance:
        return run_chain(installation.project(), instance, until=until)


@pytest.mark.usefixtures("drawn")
def test_days_on_which_nothing_happened_stop_nobody(ingested: Installation) -> None:
    """The first day, and the last training day, whose labels and curve MLflow is shown."""
    empty = (day(1), day(3))
    for folder in ("impressions", "interactions"):
        for each in empty:
            (file,) = (ingested.logs / folder).glob(f"*{each}*")
            file.unlink()
    read_anew(ingested)
    ingested.change_problem({"policies.use": ["raw_click", "coec_click"]})
    ingested.change_problem({"training.evaluate": "2d"})  # as the windows are shorter now
    summary = run(ingested, "rankers")
    assert (summary.refused, summary.broken) == ({}, {})
    assert summary.built["labels"] == 2 * len(DAYS)
    rows = {each: ingested.manifest("labels", each, "raw_click").rows for each in DAYS}
    assert {each for each in DAYS if rows[each] == 0} == set(empty)
    assert summary.built["rankers"] == 2


def test_a_day_without_randomised_lists_takes_its_window_as_evidence(
    ingested: Installation,
) -> None:
    take_out_chance(ingested, day(2))
    ingested.build("matched_interactions", *DAYS)
    ingested.build("impression_signals", *DAYS[:3])
    ingested.build("position_statistics", *DAYS[:3])
    ingested.build("propensities", day(2))
    judged = ingested.manifest("propensities", day(2)).attributes["estimators"]["randomized"]
    assert judged["verdict"] != "insufficient_interventions"
    with ingested.project().open() as context:
        counted = context.engine.rows(
            "select day(shown_at), count(*) filter (where randomized and excluded_reason is null) "
            f"from {context.lake.scan('impression_signals', DAYS[:3])} group by 1 order by 1"
        )
        (used,) = context.engine.row(
            f"select sum(impressions) from {context.lake.scan('propensities', [day(2)])} "
            "where device is null and estimator = 'randomized'"
        )
    by_day = dict(counted)
    assert by_day[2] == 0
    assert used == by_day[1] + by_day[3]


def test_without_randomised_lists_changes_of_rank_are_the_evidence(ingested: Installation) -> None:
    take_out_chance(ingested, *DAYS)
    for table in ("matched_interactions", "impression_signals", "position_statistics"):
        ingested.build(table, *DAYS)
    ingested.build("propensities", day(3))
    curve = ingested.manifest("propensities", day(3)).attributes
    # the simulator logs each probability, which swaps read
    assert (curve["estimator"], curve["verdict"]) == ("combined", "wide")
    assert curve["reason"].startswith("combined, since swap and pbm agree, on the same lists")
    reason = curve["estimators"]["randomized"]["reason"]
    assert reason.startswith("all contexts: no randomised list was shown")


def test_without_any_evidence_debiased_policies_are_refused_and_others_go_on(
    ingested: Installation,
) -> None:
    take_out_chance(ingested, *DAYS)
    ingested.change_problem({"propensity": {"estimators": ["randomized"]}})
    summary = run(ingested, "examples")
    curve = ingested.manifest("propensities", day(3)).attributes
    assert curve["verdict"] == "insufficient_interventions"
    assert "randomised" in curve["reason"]
    assert summary.broken == {}
    assert summary.refused.keys() == {"coec_click", "multi_signal"}  # labels; weights of examples
    assert all(curve["reason"] in words for words in summary.refused.values())
    assert summary.built["labels"] == 2 * len(DAYS)
    assert summary.built["examples"] == 1
    assert ingested.manifest("examples", DAYS[-1], "raw_click").rows > 0
