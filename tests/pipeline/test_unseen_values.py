"""Segments whose values none of the labelled impressions has are warned of."""

import pytest
import yaml
from typer.testing import CliRunner

from label_platform.cli.application import app
from label_platform.lake import Partition
from label_platform.pipeline.evaluation_slices import wrong_slices
from label_platform.pipeline.policy_warnings import Days, unseen_in
from label_platform.policy import Policy, load_policy
from label_platform.problem import Problem
from tests.pipeline.conftest import DAYS, Installation
from tests.pipeline.test_policy_diff_command import answer

FIRST, SECOND = DAYS[:2]
WARNING = "segments.0.when.device: 'tv' occurs in none of the labelled impressions"


@pytest.fixture
def signals(ingested: Installation) -> Installation:
    """Two days of impression_signals, and a policy of its own for television sets."""
    for table in ("matched_interactions", "impression_signals"):
        ingested.build(table, FIRST, SECOND)
    mine = yaml.safe_load(ingested.policy_file("raw_click").read_text()) | {"name": "mine"}
    mine["segments"] = [{"when": {"device": "tv"}, "signals": {"click": {"gain": 2.0}}}]
    ingested.policy_file("mine").write_text(yaml.safe_dump(mine))
    return ingested


@pytest.fixture
def mine(signals: Installation) -> Policy:
    return load_policy(signals.policy_file("mine"))


def put(installation: Installation, device: str, excluded: str) -> None:
    """One impression of the second day becomes that of a device; SQL of why it is set aside."""
    with installation.project().open() as context:
        scan = context.lake.scan("impression_signals", [SECOND])
        one = f"impression_id = (select min(impression_id) from {scan})"
        query = f"""
            select * replace (
                case when {one} then {device} else device end as device,
                case when {one} then {excluded} else excluded_reason end as excluded_reason)
            from {scan}"""
        context.lake.publish(
            context.engine, Partition("impression_signals", SECOND), query, recipe="r"
        )


def found(installation: Installation, policy: Policy, days: Days = None) -> list[str]:
    with installation.project().open() as context:
        return unseen_in(context, policy, days)


def test_values_are_those_of_labelled_impressions(signals: Installation, mine: Policy) -> None:
    (line,) = found(signals, mine)
    assert line == f"{WARNING}; they have: desktop, mobile"
    put(signals, "null", "null")
    assert found(signals, mine) == [line]
    put(signals, "'tv'", "'bot'")
    assert found(signals, mine) == [line]
    put(signals, "'tv'", "null")
    assert found(signals, mine) == []
    assert found(signals, mine, (FIRST, FIRST)) == [line]
    # days without impressions say nothing of values
    assert found(signals, mine, (DAYS[4], DAYS[5])) == []


def test_a_lake_without_impressions_says_nothing(ingested: Installation, mine: Policy) -> None:
    ingested.forget("impression_signals", FIRST, SECOND)
    assert found(ingested, mine) == []


def test_the_commands_warn(
    signals: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, shown, _ = answer(monkeypatch, capsys, signals, "mine", command="check")
    assert (code, shown.count(f"warning: mine: {WARNING}")) == (0, 1)
    code, shown, _ = answer(monkeypatch, capsys, signals, "raw_click", "mine")
    built = shown.partition("What would be built")[2]
    assert (code, built.count(f"warning: {WARNING}")) == (0, 1)
    put(signals, "'tv'", "null")
    code, shown, _ = answer(monkeypatch, capsys, signals, "mine", command="check")
    assert (code, "warning: mine" in shown) == (0, False)


def test_it_is_said_when_labels_are_built(
    signals: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals.change_problem({"policies.use": ["raw_click", "mine"]})
    monkeypatch.setenv("LABEL_PLATFORM_DATA", str(signals.workspace.folder))
    monkeypatch.setenv("DAGSTER_HOME", "put back afterwards")
    days = ["--days", f"{FIRST}..{FIRST}"]
    problem = ["--problem", str(signals.problem_file)]
    done = CliRunner().invoke(app, ["labels", *problem, *days, "--policies", "mine"])
    assert done.exit_code == 0, done.output
    assert done.output.count(f"warning: mine: {WARNING}; they have: desktop, mobile") == 1
    done = CliRunner().invoke(app, ["labels", *problem, *days, "--policies", "raw_click"])
    assert (done.exit_code, "occurs in none" in done.output) == (0, False)


def test_slices_by_a_pattern_of_features_are_held_against_the_log(signals: Installation) -> None:
    with signals.project().open() as context:
        scan = context.lake.scan("impression_signals", [SECOND])
        every = context.engine.schema(scan)
        problem = context.problem
    # what impressions have is known before there are any
    assert wrong_slices(sliced(problem, *every)) == []
    assert wrong_slices(sliced(problem, *every), every) == []
    # f_* may mean it, but this log has none
    guessed = sliced(problem, "f_guessed")
    assert wrong_slices(guessed) == []
    (line,) = wrong_slices(guessed, every)
    assert line.startswith(
        "product_search: evaluation: slices: entry 1: 'f_guessed' is no column of the impressions"
    )


def sliced(problem: Problem, *names: str) -> Problem:
    settings = problem.evaluation.model_copy(update={"slices": names})
    return problem.model_copy(update={"evaluation": settings})


def test_a_score_that_no_log_has_is_refused(
    signals: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The problem's patterns name f_bm25 and f_bm52 alike; only the log tells them apart."""
    mine = yaml.safe_load(signals.policy_file("raw_click").read_text()) | {"name": "mine"}
    with signals.project().open() as context:
        columns = context.require(Partition("impression_signals", SECOND)).columns
    right = min(name for name in columns if name.startswith("f_"))
    for score, expected in ((right, 0), (f"{right}e", 2)):
        mine["negatives"] = {"hard": {"by": "score", "score": score}}
        signals.policy_file("mine").write_text(yaml.safe_dump(mine))
        code, _, complained = answer(monkeypatch, capsys, signals, "mine", command="check")
        assert code == expected
    assert f"negatives.hard.score: '{right}e' is none of the numbers that the logs" in complained
    assert f"did you mean '{right}'?" in complained
