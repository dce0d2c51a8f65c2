"""Search for a ranker's parameters from the command line."""

import json
import sys

import pytest
import yaml

from label_platform.cli import application
from label_platform.lake import Partition
from label_platform.pipeline.search import search_ranker
from label_platform.policy import BoosterParameters
from label_platform.strict_yaml import ConfigurationError
from tests.pipeline.conftest import DAYS, Installation, day

pytest.importorskip("optuna")


@pytest.fixture
def shop(finished: Installation, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.setenv("LABEL_PLATFORM_DATA", str(finished.workspace.folder))
    monkeypatch.setenv("COLUMNS", "200")
    return finished


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["label-platform", "search", *arguments])
    with pytest.raises(SystemExit) as end:
        application.main()
    return int(end.value.code or 0)


def test_programs_get_every_trial(
    shop: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "coec_click", "--trials", "5", "--seed", "3", "--json") == 0
    found = json.loads(capsys.readouterr().out)

    assert [trial["number"] for trial in found["trials"]] == [1, 2, 3, 4, 5]
    assert found["measure"] == "weighted squared error"
    assert not found["higher_is_better"]
    assert found["validate_days"] == [str(day(4))]
    judged = [trial["value"] for trial in (found["before"], *found["trials"]) if trial["value"]]
    assert found["best"]["value"] == min(judged)
    assert found["gain"]["value"] == pytest.approx(
        found["before"]["value"] - found["best"]["value"]
    )
    # the ranker as it is grows the trees of the chain's own
    with shop.project().open() as context:
        relation = context.lake.scan("rankers", [DAYS[-1]], "coec_click")
        (rounds,) = context.engine.row(f"select rounds from {relation}")
    assert found["before"]["rounds"] == rounds
    if found["best"]["number"]:
        (ranker,) = yaml.safe_load(found["yaml"])
        assert ranker.pop("parameters") == found["best"]["parameters"]
        assert ranker == {
            "objective": "pointwise",
            "weight": "expected_examinations",
            "position": "debias_only",
        }
        assert BoosterParameters(**found["best"]["parameters"])


def test_people_are_told_that_it_still_has_to_be_compared(
    shop: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {path: path.read_bytes() for path in shop.folder.glob("policies/*.yaml")}
    hashes = shop.content_hashes()
    assert run(monkeypatch, "raw_click", "--trials", "8") == 0
    shown = capsys.readouterr().out

    assert f"lists of {day(4)}" in shown
    assert ("Evaluation days were not looked at" in shown) == ("rankers:" in shown)
    assert "Evaluation days were not looked at" in shown or "no trial did better" in shown
    assert {path: path.read_bytes() for path in files} == files
    assert shop.content_hashes() == hashes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("coec_clck",), "did you mean 'coec_click'"),
        (("coec_click", "--ranker", "pointwis, weight"), "did you mean 'pointwise, weight expect"),
        (("coec_click", "--day", "2020-01-01"), "no examples of coec_click on 2020-01-01, built"),
    ],
)
@pytest.mark.usefixtures("shop")
def test_wrong_names_are_refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    words: str,
) -> None:
    assert run(monkeypatch, *arguments) == 2
    assert words in capsys.readouterr().err


@pytest.mark.usefixtures("shop")
def test_without_the_extra_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert run(monkeypatch, "coec_click") == 2
    said = capsys.readouterr().err.strip().splitlines()

    assert len(said) == 1
    assert "pip install 'label-platform[search]'" in said[0]


def test_examples_without_validation_rows_are_refused(built: Installation) -> None:
    partition = Partition("examples", DAYS[-1], "coec_click")
    with built.project().open() as context:
        relation = context.lake.scan("examples", [DAYS[-1]], "coec_click")
        train = context.engine.arrow(f"select * from {relation} where part = 'train'")
        context.engine.register("only_train", train)
        context.lake.publish(
            context.engine, partition, "from only_train", recipe="x", as_of=DAYS[-1].isoformat()
        )
    expected = "no rows with part 'validate'"
    with built.project().open() as context, pytest.raises(ConfigurationError, match=expected):
        search_ranker(context, "coec_click", trials=2)


def test_policies_without_examples_are_refused(built: Installation) -> None:
    built.forget("examples", DAYS[-1], policy="raw_click")
    with (
        built.project().open() as context,
        pytest.raises(ConfigurationError, match="`label-platform examples` builds them"),
    ):
        search_ranker(context, "raw_click", trials=2)
