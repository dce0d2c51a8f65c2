"""From counts in the lake to the table of propensities, its verdicts, checks and pictures."""

import json
from dataclasses import replace
from io import StringIO

import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from label_platform.cli.application import app
from label_platform.lake import Manifest, Partition
from label_platform.pipeline.propensities import attributes_of
from label_platform.pipeline.propensity_checks import PROPENSITY_CHECKS
from label_platform.pipeline.propensity_judgment import judgment_of, may_use
from label_platform.pipeline.propensity_report import latest_propensities
from label_platform.pipeline.steps import is_stale
from label_platform.pipeline.terminal import print_estimators, print_propensities
from label_platform.policy import PropensityRefusedError
from label_platform.propensity import Answer, Choice
from label_platform.propensity_settings import PropensityGates
from label_platform.strict_yaml import ConfigurationError
from tests.pipeline.conftest import DAYS, Installation, day

PNG = b"\x89PNG\r\n"


def table_of(installation: Installation, name: str) -> pd.DataFrame:
    with installation.project().open() as context:
        return context.engine.frame(
            f"from {context.lake.scan('propensities', [day(1)])} where estimator = '{name}'"
        )


def test_estimators_of_lists_features_and_views_run_on_a_log(built: Installation) -> None:
    names = ["randomized", "pbm", "sdbn", "dual_learning", "viewport"]
    built.change_problem(
        {"propensity": {"estimators": names, "viewed_signal": "dwell_s", "replicates": 20}}
    )
    built.build("position_statistics", *DAYS)  # which count views
    built.build("propensities", day(1))
    attributes = built.manifest("propensities", day(1)).attributes
    assert set(attributes["estimators"]) >= set(names)
    # without whole lists, features and views these would be refused for the lack of them
    for name in ("dual_learning", "viewport"):
        assert "no " not in attributes["estimators"][name]["reason"].split(";")[0]
        assert len(table_of(built, name)) > 10
    # "viewed" is what dwelt here: position 1 of ten more often than position 10
    viewed = table_of(built, "viewport").query("device.isna()").set_index("position")
    assert viewed.loc[10, "ci_high"] < 1


def test_a_policy_takes_the_estimator_that_it_names(built: Installation) -> None:
    built.change_policy("coec_click", {"debias.propensity": "pbm"})
    with built.project().open() as context:
        verdict, reason = judgment_of(context, day(3), "pbm")
        auto = judgment_of(context, day(3), "auto")
        known = context.require(Partition("propensities", day(3))).attributes
    of_pbm = known["estimators"]["pbm"]
    assert (verdict, reason) == (of_pbm["verdict"], of_pbm["reason"])
    assert auto == (known["verdict"], known["reason"])
    before = built.manifest("labels", day(3), "coec_click").content_hash
    built.build("labels", day(3), policy="coec_click")
    assert built.manifest("labels", day(3), "coec_click").content_hash != before


def test_what_a_policy_names_is_estimated_and_what_nobody_knows_is_refused(
    built: Installation,
) -> None:
    built.change_problem({"propensity": {"estimators": ["pbm"]}})
    built.change_policy("coec_click", {"debias.propensity": "harvest_adjacent"})
    built.build("propensities", day(3))
    estimated = built.manifest("propensities", day(3)).attributes["estimators"]
    assert {"pbm", "harvest_adjacent"} <= set(estimated)
    built.change_policy("coec_click", {"debias.propensity": "sdbn"})
    built.build("propensities", day(3))
    of_lists = built.manifest("propensities", day(3)).attributes["estimators"]["sdbn"]
    # of lists that were read; without them there would be none to speak of
    assert of_lists["reason"].startswith("all contexts: items were shown")
    # a run of other policies alone must not estimate the whole log anew
    project = built.project()
    others = replace(project, policies=project.policies[:1])
    with others.open() as context:
        assert not is_stale(context, Partition("propensities", day(3)))
    built.change_policy("coec_click", {"debias.propensity": "pmb"})
    with pytest.raises(ConfigurationError, match="'pmb' is no estimator; did you mean 'pbm'"):
        built.project()


def test_the_length_of_lists_may_be_a_context(built: Installation) -> None:
    built.change_problem({"context": ["list_length"]})
    built.build("position_statistics", *DAYS)
    built.build("propensities", day(1))
    table = table_of(built, "randomized")
    assert "list_length" in table
    assert table["list_length"].isna().any()
    built.build("labels", day(1), policy="coec_click")


def test_days_of_one_window_share_what_was_estimated_once(built: Installation) -> None:
    manifests = [built.manifest("propensities", day(number)) for number in (1, 2)]
    assert manifests[0].recipe_hash == manifests[1].recipe_hash
    assert manifests[0].content_hash == manifests[1].content_hash


@pytest.mark.parametrize(("high", "is_wide"), [(0.7, False), (0.8, True)])
def test_the_manifest_says_wide_beside_a_worse_verdict(high: float, *, is_wide: bool) -> None:
    rows = {
        "estimator": "pbm",
        "position": [1, 2],
        "propensity": [1, 0.6],
        "ci_low": [1, 0.5],
        "ci_high": [1, high],
        "verdict": "drift",
        "reason": "it moves",
    }
    answer = Answer({"pbm": pd.DataFrame(rows)}, Choice("pbm", "so"), [], ())
    # .7 / .5 = 1.4 and .8 / .5 = 1.6
    attributes = attributes_of(answer, PropensityGates(max_interval_ratio=1.5))
    assert attributes["verdict"] == "drift"
    assert attributes["is_wide"] is is_wide
    assert attributes["estimators"]["pbm"]["is_wide"] is is_wide


def test_a_wide_curve_that_drifts_is_refused_where_wide_is(built: Installation) -> None:
    built.change_problem({"propensity.refuse_wide": True})
    with built.project().open() as context:
        policy = context.project.policy("coec_click")
        partition = Partition("propensities", day(1))
        context.lake.annotate(partition, {"verdict": "drift", "is_wide": False})
        assert may_use(context, policy, day(1))
        context.lake.annotate(partition, {"is_wide": True})
        with pytest.raises(PropensityRefusedError, match=r"are refused \(wide\)"):
            may_use(context, policy, day(1))


@pytest.mark.parametrize(
    ("attributes", "broken"),
    [
        ({"verdict": "ok", "findings": []}, set()),
        ({"verdict": "wide", "is_wide": True, "findings": []}, {"intervals_are_narrow"}),
        ({"verdict": "drift", "is_wide": True, "findings": []}, {"intervals_are_narrow"}),
        ({"verdict": "not_identified", "findings": []}, {"verdict_is_not_a_refusal"}),
        (
            {
                "verdict": "disagreement",
                "findings": [
                    {"test": "drift", "fires": True, "context": "", "sentence": "it moves"},
                    {"test": "trust", "fires": False, "context": "", "sentence": "fine"},
                    {"test": "outliers", "fires": True, "context": "tv", "sentence": "a bot"},
                ],
            },
            {"estimates_agree", "curve_stays_the_same", "clicks_follow_the_position_model"},
        ),
    ],
)
def test_each_gate_is_a_check(
    built: Installation, attributes: dict[str, object], broken: set[str]
) -> None:
    manifest = built.manifest("propensities", day(1))
    changed = Manifest(**{**vars(manifest), "attributes": {"reason": "so", **attributes}})
    with built.project().open() as context:
        results = [check.look(context, [], [changed]) for check in PROPENSITY_CHECKS]
    assert {result.check_name for result in results if not result.passed} == broken
    said = {str(result.description) for result in results if not result.passed}
    assert said <= {"so", "it moves", "tv a bot"}


def in_a_row(output: str) -> str:
    """What a terminal of any width shows."""
    return " ".join(output.split())


@pytest.mark.usefixtures("drawn")
def test_the_command_prints_writes_a_picture_and_json(
    built: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_PLATFORM_DATA", str(built.workspace.folder))
    monkeypatch.setenv("DAGSTER_HOME", "put back afterwards")
    picture = built.folder / "curves.png"
    problem = ["--problem", str(built.problem_file)]
    done = CliRunner().invoke(app, ["propensities", *problem, "--plot", str(picture)])
    assert done.exit_code == 0, done.output
    assert picture.read_bytes().startswith(PNG)
    assert "→ combined" in done.output
    swap = "all contexts: no list was made by chance with its probability logged"
    assert "→ combined" in done.output.partition("Examination relative")[0]
    assert f"swap insufficient_interventions: {swap.partition(' by ')[0]}" in in_a_row(done.output)
    assert done.output.count("insufficient_interventions") == 2  # with its reason, and its curve
    done = CliRunner().invoke(app, ["propensities", *problem, "--details"])
    assert f"swap: insufficient_interventions {swap}" in in_a_row(done.output)
    done = CliRunner().invoke(app, ["propensities", *problem, "--json"])
    found = json.loads(done.stdout)["propensities"]
    assert found["estimator"] == "combined"
    assert {row["estimator"] for row in found["curves"]} == set(found["estimators"])
    assert {each["test"] for each in found["findings"]} == {
        "trust",
        "cascade",
        "outliers",
        "drift",
    }


def test_a_curve_of_other_settings_is_not_shown_as_that_of_now(built: Installation) -> None:
    with built.project().open() as context:
        assert latest_propensities(context, DAYS[-1]) is not None
    built.change_problem({"propensity.replicates": 21})
    with built.project().open() as context:
        assert latest_propensities(context, DAYS[-1]) is None
    console = Console(record=True, file=StringIO())
    with built.project().open() as context:
        print_propensities(console, context)
    assert console.export_text().startswith("Propensities: not built.")


def test_the_silence_of_a_blind_test_is_no_finding(built: Installation) -> None:
    with built.project().open() as context:
        found = latest_propensities(context, DAYS[-1])
    assert found is not None
    findings = [
        {"test": "trust", "context": "", "fires": False, "p_value": 1.0, "power": 0.2},
        {
            "test": "cascade",
            "context": "device = web",
            "fires": False,
            "p_value": 0.4,
            "power": 0.9,
        },
    ]
    text = StringIO()
    told = replace(found, attributes={**found.attributes, "findings": findings})
    print_estimators(Console(file=text, width=80), told)
    assert text.getvalue().splitlines()[-2:] == [
        "too few clicks to see trust: p = 1, power 20%",
        "no sign of cascade: device = web (p = 0.4, power 90%)",
    ]


@pytest.mark.parametrize(
    ("plot", "said"),
    [("curves.svg", "ending in .png"), ("nowhere/curves.png", "there is no folder")],
)
def test_a_picture_that_cannot_be_written_is_refused_before_the_work(plot: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        CliRunner().invoke(app, ["propensities", "--plot", plot], catch_exceptions=False)
