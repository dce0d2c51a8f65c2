"""The report of delays on a built lake, through the command line."""

import json
import sys

import pytest

from label_platform.cli import application
from tests.pipeline.conftest import PROBLEM, Installation


def run(monkeypatch: pytest.MonkeyPatch, installation: Installation, *arguments: str) -> int:
    monkeypatch.setenv("LABEL_PLATFORM_DATA", str(installation.workspace.folder))
    problem = ["--problem", str(installation.problem_file)]
    monkeypatch.setattr(sys, "argv", ["label-platform", "delays", *problem, *arguments])
    with pytest.raises(SystemExit) as end:
        application.main()
    return int(end.value.code or 0)


def test_delays_of_a_simulated_log(
    finished: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, finished, "--json") == 0
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

    assert run(monkeypatch, finished) == 0
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
