"""The report of delays on a built lake, through the command line."""

import json
import sys
from datetime import timedelta

import pytest

from label_platform.cli import application
from label_platform.lake import Partition, days_between
from tests.pipeline.conftest import DAYS, PROBLEM, Installation

LOOK_BACK = timedelta(days=2)


def match(installation: Installation) -> None:
    """Publish every event with the impression of its list and item, as attribution does."""
    with installation.project().open() as context:
        for on in DAYS:
            shown = [each for each in days_between(on - LOOK_BACK, on) if each >= DAYS[0]]
            context.lake.publish(
                context.engine,
                Partition("matched_interactions", on),
                f"""
                select interaction_id, impression_id, shown_at::date as impression_day, signal,
                    occurred_at, interactions.ingested_at as ingested_at,
                    epoch(occurred_at) - epoch(shown_at) as delay_s,
                    case
                        when impression_id is null then 'no_impression'
                        when occurred_at < shown_at then 'before_impression'
                    end as orphan_reason
                from {context.lake.scan("interactions", [on])} as interactions
                left join {context.lake.scan("impressions", shown)} as impressions
                    using (request_id, item_id)
                """,
                recipe="by hand",
            )


def run(monkeypatch: pytest.MonkeyPatch, installation: Installation, *arguments: str) -> int:
    monkeypatch.setenv("LABEL_PLATFORM_DATA", str(installation.workspace.folder))
    problem = ["--problem", str(installation.problem_file)]
    monkeypatch.setattr(sys, "argv", ["label-platform", "delays", *problem, *arguments])
    with pytest.raises(SystemExit) as end:
        application.main()
    return int(end.value.code or 0)


def test_delays_of_a_simulated_log(
    built: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    match(built)
    assert run(monkeypatch, built, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["click", "dwell_s", "add_to_cart", "purchase"]
    click = found["click"]["delays"]
    # six days, of which a list of the last day is followed for less than one; the window is 2 days
    assert 2 * 86400 < click["followed_s"] < 3 * 86400
    assert click["impressions"] == pytest.approx(6 * 200 * 10, rel=0.05)
    p50, p90, p99 = (each["delay_s"] for each in click["percentiles"])
    assert 0 < p50 < p90 < p99 < 1800
    assert click["recommended_s"] >= p99
    assert click["outside_window"] == pytest.approx(0, abs=0.02)
    # clicks of all lists but those of the last half hour are decided
    assert 0 < click["still_open"] < 0.05
    assert found["purchase"]["delays"]["still_open"] > 0.2

    assert run(monkeypatch, built) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"click {click['events']:,} " in shown
    assert "purchase: " in shown
    assert "from event to ingestion p50, p90, p99: " in shown


def test_events_must_have_been_attributed(
    built: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = built.workspace.lake(PROBLEM).folder
    (lake / "impression_signals").rename(lake / "elsewhere")
    assert run(monkeypatch, built) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "`label-platform labels` attributes events to impressions" in error
