"""label-platform off-policy: on real logs of single items, and on a simulated search log."""

import json
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from label_platform.cli import application
from label_platform.pipeline.context import Project
from label_platform.pipeline.off_policy import Question, off_policy_value
from label_platform.pipeline.workspace import Workspace
from label_platform.strict_yaml import ConfigurationError
from tests.pipeline.conftest import DAYS, PROJECT, Installation

REAL = PROJECT.parent / "shared" / "data" / "open_bandit_men"
needs_the_sample = pytest.mark.skipif(not REAL.is_dir(), reason=f"needs {REAL}")


def run(monkeypatch: pytest.MonkeyPatch, data: Path, *arguments: str) -> int:
    monkeypatch.setenv("LABEL_PLATFORM_DATA", str(data))
    monkeypatch.setattr(sys, "argv", ["label-platform", "off-policy", *arguments])
    with pytest.raises(SystemExit) as end:
        application.main()
    return int(end.value.code or 0)


@needs_the_sample
def test_uniform_policy_of_open_bandit_from_the_thompson_sampling_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = yaml.safe_load((PROJECT / "data" / "problems" / "open_bandit.yaml").read_text())
    problem = tmp_path / "open_bandit.yaml"
    policies = {"from": str(PROJECT / "policies"), "use": ["raw_click"], "allow_refused": True}
    problem.write_text(yaml.safe_dump(given | {"policies": policies}))
    arguments = ("--problem", str(problem), "--logs", str(REAL), "--target", "uniform")

    # no estimate passes the gates, and the exit code says so
    assert run(monkeypatch, tmp_path / "data", *arguments, "--json") == 1
    found = json.loads(capsys.readouterr().out)

    logged = pd.read_csv(REAL / "bts.csv.gz", usecols=["item_id", "click", "propensity_score"])
    weight = 1 / 34 / logged["propensity_score"]
    weighted = weight * logged["click"]
    by_name = {each["estimator"]: each for each in found["old_log"]["estimates"]}
    expected = {"snips": weighted.sum() / weight.sum(), "ips": weighted.mean()}
    for name, value in expected.items():
        assert by_name[name]["estimate"] == pytest.approx(value)
        assert by_name[name]["value"] is None
        assert by_name[name]["verdict"] == "no_overlap"
        assert by_name[name]["ci_low"] < 46 / 10_000 < by_name[name]["ci_high"]
    share = weight.sum() ** 2 / (weight**2).sum() / 10_000
    assert by_name["snips"]["list_ess_share"] == pytest.approx(share)
    clicks_worth = weighted.sum() ** 2 / (weighted**2).sum()
    assert by_name["snips"]["effective_clicks"] == pytest.approx(clicks_worth)
    assert by_name["snips"]["max_weight"] == pytest.approx(weight.max() / weight.mean())
    assert "worth 6.6% of their number" in by_name["snips"]["reason"]
    assert "69 clicks are worth 15, needed 100" in by_name["snips"]["reason"]
    assert found["old_log"]["propensities"] == "logged_choice"
    (seen,) = found["randomized"]["estimates"]
    assert seen["value"] == pytest.approx(46 / 10_000)
    error = np.sqrt(0.0046 * (1 - 0.0046) / 9_999)
    assert seen["ci_low"] == pytest.approx(0.0046 - 1.96 * error, abs=2e-4)
    assert seen["ci_high"] == pytest.approx(0.0046 + 1.96 * error, abs=2e-4)

    # what was logged itself, for people
    logging = (*arguments[:4], "--target", "logging")
    assert run(monkeypatch, tmp_path / "data", *logging) == 0
    text = capsys.readouterr().out
    assert "logging policy: click rate of one item of 34" in text
    assert "0.0069 " in text
    assert "the randomised slice does not choose as logging does" in text

    project = Project.load(problem, Workspace(tmp_path / "data"), REAL)
    with project.open() as context:
        counted = off_policy_value(context, Question(target="uniform", propensities="estimated"))
        with pytest.raises(ConfigurationError, match="expected auto, logged or estimated"):
            off_policy_value(context, Question(target="uniform", propensities="as_shown"))
    assert counted.answer.old.source == "counted_choice"
    assert counted.answer.old.estimates[0].verdict == "no_overlap"


def test_a_policys_ranker_is_judged_on_evaluation_days_only(finished: Installation) -> None:
    with finished.project().open() as context:
        found = off_policy_value(context, Question(policy="coec_click"))
        relation = context.lake.scan("impression_signals", [DAYS[-1]])
        lists, by_chance = context.engine.row(
            "select count(distinct request_id), count(distinct request_id) filter (randomized) "
            f"from {relation} where excluded_reason is null"
        )
    assert found.days == (DAYS[-1],)
    assert found.answer.old.lists == lists - by_chance
    assert found.answer.randomized.lists == by_chance
    assert found.answer.old.source == "as_shown"
    assert found.answer.randomized.source == "shuffled"
    assert "logging_probability" in found.answer.passed_over["logged"]
    values = {each.estimator: each for each in found.answer.old.estimates}
    assert list(values) == ["snips", "ips", "clipped", "doubly_robust"]
    # positions are given and nothing is clipped, so the weights add up to what is wanted
    assert values["snips"].estimate == pytest.approx(values["ips"].estimate)
    assert values["doubly_robust"].estimate == pytest.approx(values["ips"].estimate, rel=0.3)


def test_targets_without_a_ranker_use_the_whole_log(finished: Installation) -> None:
    with finished.project().open() as context:
        uniform = off_policy_value(context, Question(target="uniform"))
        logging = off_policy_value(context, Question(target="logging"))
        counted = off_policy_value(context, Question(target="uniform", propensities="estimated"))
        some = off_policy_value(context, Question(target="uniform", days=(DAYS[1], DAYS[2])))
    assert uniform.days == DAYS
    assert some.days == DAYS[1:3]
    value, of_logging = uniform.answer.old.estimates[0], logging.answer.old.estimates[0]
    assert value.verdict == of_logging.verdict == "ok"
    assert value.estimate != of_logging.estimate
    assert of_logging.ci_low < value.ci_high
    beside = uniform.answer.randomized.estimates[0]
    assert beside.ci_low < beside.estimate < beside.ci_high
    assert counted.answer.old.source == "estimated"
    assert counted.answer.randomized.source == "uniform"
    assert "all items shown for a query ranked" in counted.answer.measure


def test_what_cannot_be_judged_is_named(finished: Installation) -> None:
    questions = {
        "--policy: 'coec' is no policy of product_search": Question(policy="coec"),
        "--ranker: coec_click has no 'best'; valid: ": Question(policy="coec_click", ranker="best"),
        "--curve: 'affine' was not estimated": Question(target="uniform", curve="affine"),
        "--days: none of these days has anything to judge by": Question(
            target="uniform", days=(date(1999, 1, 1), date(1999, 1, 2))
        ),
    }
    for message, question in questions.items():
        with finished.project().open() as context, pytest.raises(ConfigurationError) as error:
            off_policy_value(context, question)
        assert str(error.value).startswith(message)


def test_wrong_options_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {
        (): "expected one of --policy and --target",
        ("--policy", "a", "--target", "uniform"): "expected one of --policy and --target",
        ("--target", "uniform", "--ranker", "a"): "--ranker: expected --policy",
        ("--target", "uniform", "--clip", "1"): "--clip: expected 0 or more and below 1, found 1",
    }
    for arguments, message in wrong.items():
        assert run(monkeypatch, tmp_path, *arguments) == 2
        assert message in capsys.readouterr().err
