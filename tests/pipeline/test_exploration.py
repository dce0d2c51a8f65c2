"""Plans of exploration from a built lake, through the command line."""

import json
import sys

import numpy as np
import pandas as pd
import pytest

from label_platform.cli import application
from label_platform.pipeline import exploration
from label_platform.pipeline.exploration import LoggedTraffic, logged_traffic
from label_platform.strict_yaml import ConfigurationError
from tests.pipeline.conftest import DAYS, Installation


@pytest.fixture
def counted(ingested: Installation) -> Installation:
    """Clicks are counted by position, and nothing further is built."""
    for table in ("matched_interactions", "impression_signals", "position_statistics"):
        ingested.build(table, *DAYS)
    return ingested


def run(monkeypatch: pytest.MonkeyPatch, installation: Installation, *arguments: str) -> int:
    monkeypatch.setenv("LABEL_PLATFORM_DATA", str(installation.workspace.folder))
    problem = ["--problem", str(installation.problem_file)]
    monkeypatch.setattr(sys, "argv", ["label-platform", "plan-exploration", *problem, *arguments])
    with pytest.raises(SystemExit) as end:
        application.main()
    return int(end.value.code or 0)


def test_a_plan_from_a_log(
    counted: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with counted.project().open() as context:
        relation = context.lake.scan("impression_signals", list(DAYS))
        lists, clicks, ranked = context.engine.row(
            "select count(*) filter (position = 1), sum(cast(click > 0 as integer)) filter "
            "(position = 1 and not randomized), count(*) filter (position = 1 and not randomized) "
            f"from {relation} where excluded_reason is null"
        )
        traffic = logged_traffic(context)
    assert traffic.days == len(DAYS)
    assert traffic.positions == 10
    assert traffic.lists_per_day == lists / len(DAYS)
    assert traffic.randomised_lists == lists - ranked
    assert traffic.click_rates[0] == clicks / ranked
    flat = traffic.random_click_rate(np.ones(10))
    randomised = traffic.randomised
    assert flat == randomised["clicks"].sum() / randomised["impressions"].sum()

    assert run(monkeypatch, counted, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["lists_per_day"] == traffic.lists_per_day
    assert found["clicks_per_list"] == pytest.approx(traffic.click_rates.sum())
    random_clicks = (randomised["clicks"] / randomised["impressions"]).sum()
    assert found["clicks_per_random_list"] == pytest.approx(random_clicks, rel=0.05)
    assert f"{traffic.randomised_lists:,} lists in random order, which" in found["notes"][-1]

    # what is said on the command line comes first
    assert run(monkeypatch, counted, "--positions", "3", "--lists-per-day", "777", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["lists_per_day"] == 777
    assert len(found["curve"]) == 3


def test_a_log_that_cannot_say_is_an_error(
    counted: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, counted, "--positions", "11") == 2
    error = capsys.readouterr().err
    assert "no list of the ranker's own with 11 or more items shows position 1" in error
    with (
        counted.project().open() as context,
        pytest.raises(ConfigurationError, match="choose fewer --positions"),
    ):
        logged_traffic(context, 11)


def test_a_log_without_clicks_is_said_to_be_one(
    ingested: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = pd.DataFrame({"impressions": 100, "clicks": 0}, index=[1, 2, 3])
    nothing = LoggedTraffic(5, 20.0, counts, counts, min_clicks=20)
    monkeypatch.setattr(exploration, "logged_traffic", lambda *_: nothing)
    assert run(monkeypatch, ingested) == 2
    error = capsys.readouterr().err
    assert "--problem: found no click on lists of 3 positions, expected some" in error


def test_clicks_must_have_been_counted(
    ingested: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, ingested) == 2
    assert "`label-platform labels` counts clicks by position" in capsys.readouterr().err


def test_a_built_curve_is_assumed_unless_another_is_named(
    finished: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with finished.project().open() as context:
        curve = logged_traffic(context).curve
    assert curve is not None
    assert run(monkeypatch, finished, "--json") == 0
    assert json.loads(capsys.readouterr().out)["curve"] == pytest.approx(curve.tolist(), abs=1e-3)
    assert run(monkeypatch, finished, "--curve", "0.5", "--json") == 0
    assert json.loads(capsys.readouterr().out)["curve"][3] == pytest.approx(1 / np.sqrt(4))


def test_a_click_rate_that_is_named_replaces_the_logs(
    counted: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    needed = []
    for rate in ("0.1", "0.2"):
        assert run(monkeypatch, counted, "--click-rate", rate, "--json") == 0
        needed.append(json.loads(capsys.readouterr().out)["designs"][0]["lists"])
    assert needed[0] > 1.5 * needed[1]
