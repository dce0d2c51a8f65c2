"""A policy whose propensities are refused: the reason, the others, the exit code."""

from io import StringIO

import dagster as dg
import pandas as pd
import pytest
from rich.console import Console

from label_platform.pipeline.assets import asset_key, build_assets
from label_platform.pipeline.context import Context
from label_platform.pipeline.policy_diff.plan import plan_of
from label_platform.pipeline.policy_diff.scratch import with_policy
from label_platform.pipeline.refusals import is_mixed, is_refused
from label_platform.pipeline.run import RunSummary
from label_platform.pipeline.session import Outcome, Session
from label_platform.policy import MixedLabelsError
from label_platform.strict_yaml import ConfigurationError
from tests.pipeline.conftest import DAYS, PROBLEM, Installation, day, quiet_instance

EVER = (DAYS[0], DAYS[-1])


@pytest.fixture
def refused(built: Installation) -> Installation:
    """More clicks are asked of the randomised lists than there are."""
    built.change_problem({"propensity": {"min_clicks": 1_000_000}})
    return built


def test_a_refused_policy_fails_with_the_reason_of_the_estimate(refused: Installation) -> None:
    refused.build("propensities", day(3))
    project = refused.project()
    with quiet_instance() as instance:
        done = dg.materialize(
            build_assets(project),
            selection=[asset_key(project, "labels", name) for name in ("coec_click", "raw_click")],
            partition_key=str(day(3)),
            instance=instance,
            raise_on_error=False,
        )
    (failure,) = done.get_step_failure_events()
    assert failure.step_key == f"{PROBLEM}__coec_click__labels"
    data = failure.step_failure_data.user_failure_data
    assert data is not None
    reason = refused.manifest("propensities", day(3)).attributes["reason"]
    assert data.description is not None
    assert data.description.startswith(
        "coec_click: its propensities are refused (insufficient_interventions)"
    )
    assert reason in data.description
    (other,) = done.get_asset_materialization_events()
    assert other.asset_key == asset_key(project, "labels", "raw_click")


def test_a_policy_may_fall_back_to_no_debiasing(refused: Installation) -> None:
    refused.change_policy("coec_click", {"debias.on_refusal": {"fall_back_to": "none"}})
    refused.build("propensities", day(3))
    refused.build("labels", day(3), policy="coec_click")
    assert refused.manifest("labels", day(3), "coec_click").attributes["debiased"] is False
    with refused.project().open() as context:
        rows, plain, clicks = context.engine.row(
            "select count(*), count(*) filter (where expected_examinations = impressions), "
            "cast(sum(gain_sum) - sum(clicks) as double) from "
            f"{context.lake.scan('labels', [day(3)], 'coec_click')}"
        )
    assert rows > 0
    assert plain == rows
    assert clicks == 0


def test_days_that_fell_back_are_not_trained_with_others(refused: Installation) -> None:
    refused.change_policy("coec_click", {"debias.on_refusal": {"fall_back_to": "none"}})
    for table, name in (("propensities", ""), ("labels", "coec_click")):
        refused.build(table, day(2), policy=name)
    words = (
        rf"coec_click: its propensities are refused on 1 of 4 days \({day(2)}\), so labels fell "
        "back to no debiasing there and not on the others"
    )
    with pytest.raises(MixedLabelsError, match=words):
        refused.build("examples", DAYS[-1], policy="coec_click")
    with refused.project().open() as context:
        policy = context.project.policy("coec_click")
        assert is_mixed(context, policy, DAYS[-1])
        assert not is_mixed(context, context.project.policy("raw_click"), DAYS[-1])
        # its labels are built all the same, and nothing is planned of them
        assert not is_refused(context, policy, DAYS[-1])
        clipped = policy.model_copy(
            update={"debias": policy.debias.model_copy(update={"clip": 0.2})}
        )
        changed = Context(with_policy(context.project, clipped), context.engine, context.lake)
        plan = plan_of(context, changed, clipped)
    assert {each.table for each in plan.affected} == {"labels"}
    assert "its examples and rankers would be refused" in plan.words
    for number in (1, 3, 4):
        for table, name in (("propensities", ""), ("labels", "coec_click")):
            refused.build(table, day(number), policy=name)
    refused.build("examples", DAYS[-1], policy="coec_click")
    with refused.project().open() as context:
        assert not is_mixed(context, context.project.policy("coec_click"), DAYS[-1])


def test_a_session_shows_who_was_refused_and_why(
    refused: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_PLATFORM_DATA", str(refused.workspace.folder))
    monkeypatch.setenv("DAGSTER_HOME", "put back afterwards")
    shown = StringIO()
    console = Console(file=shown, width=5000)
    session = Session.start(refused.problem_file, None, "raw_click,coec_click", EVER, console)
    outcome = session.run("labels")
    assert outcome.summary.refused.keys() == {"coec_click"}
    assert f"refused {outcome.summary.refused['coec_click']}" in shown.getvalue()
    assert outcome.exit_code(allow_refused=False) == 1
    assert outcome.exit_code(allow_refused=True) == 0
    assert outcome.as_json()["refused"] == outcome.summary.refused
    assert (refused.workspace.dagster_home / "dagster.yaml").is_file()
    with dg.DagsterInstance.from_config(str(refused.workspace.dagster_home)) as instance:
        statuses = {run.status for run in instance.get_runs()}
    assert statuses == {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE}


@pytest.mark.parametrize(
    ("summary", "allowed", "code"),
    [
        (RunSummary(), False, 0),
        (RunSummary(refused={"coec": "too few clicks"}), False, 1),
        (RunSummary(refused={"coec": "too few clicks"}), True, 0),
        (RunSummary(broken={"labels": "no disk left"}), True, 1),
    ],
)
def test_exit_codes(
    summary: RunSummary,
    allowed: bool,  # noqa: FBT001 - a parameter of the test
    code: int,
) -> None:
    assert Outcome(summary, pd.DataFrame()).exit_code(allow_refused=allowed) == code


def test_a_policy_that_is_not_active_is_named_with_the_nearest(
    finished: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_PLATFORM_DATA", str(finished.workspace.folder))
    words = r"--policies: 'raw_clik' is not active; did you mean 'raw_click'\?"
    with pytest.raises(ConfigurationError, match=words):
        Session.start(finished.problem_file, None, "raw_clik", EVER, Console(file=StringIO()))
