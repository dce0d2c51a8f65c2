"""Former versions of a policy: found in git and MLflow, told apart, restored and built again."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from mlflow import MlflowClient

from label_platform.cli import application
from label_platform.lake import Partition
from label_platform.pipeline.policy_versions import (
    PolicyHistory,
    policy_history,
    restore_policy,
    revisions_of,
)
from label_platform.pipeline.steps import build_partition
from label_platform.policy import label_version, load_policy, policy_version
from label_platform.strict_yaml import ConfigurationError
from label_platform.tracking import TrackingStore
from tests.pipeline.conftest import Installation, day
from tests.pipeline.policy_checkout import HEAVIER, PAIRS, POLICY, Checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "shop")


def log_run(checkout: Checkout, text: str | None, versions: tuple[str, str], hour: int) -> str:
    """A run as training a ranker leaves it."""
    client = MlflowClient(checkout.store.uri)
    run = client.create_run(
        checkout.store.experiment_id,
        start_time=int(datetime(2026, 10, 1, hour, tzinfo=UTC).timestamp() * 1000),
        tags={
            "kind": "ranker",
            "policy": "mine",
            "policy_version": versions[0],
            "label_version": versions[1],
            "day": f"2026-09-{hour}",
        },
    )
    if text is not None:
        client.log_text(run.info.run_id, text, "policy.yaml")
    return str(run.info.run_id)


def told(history: PolicyHistory) -> list[tuple[str, list[str], list[str], tuple[str, ...]]]:
    """Versions, subjects of commits, runs and changes."""
    return [
        (
            each.policy_version,
            [commit.subject for commit in each.commits],
            [run.run_id for run in each.runs],
            each.changes,
        )
        for each in history.versions
    ]


def test_versions_of_git_stand_newest_first_with_what_changed(checkout: Checkout) -> None:
    checkout.commit(POLICY, "first", 10)
    checkout.commit("# a comment\n" + POLICY, "say why", 11)
    checkout.commit(HEAVIER, "clicks count more", 12)
    (checkout.policies / "mine.yaml").write_text(PAIRS)
    found = checkout.history()
    assert told(found) == [
        (
            checkout.versions_of(PAIRS)[0],
            [],
            [],
            ("rankers.0.objective: pointwise -> lambdarank",),
        ),
        (
            checkout.versions_of(HEAVIER)[0],
            ["clicks count more"],
            [],
            ("signals.click.gain: 1.0 -> 2.0",),
        ),
        (checkout.versions_of(POLICY)[0], ["first", "say why"], [], ()),
    ]
    assert [each.is_current for each in found.versions] == [True, False, False]
    # rankers change no label
    assert found.versions[0].label_version == found.versions[1].label_version
    assert found.versions[2].label_version == checkout.versions_of(POLICY)[1]
    assert {commit.author for commit in found.versions[2].commits} == {"Ann"}
    assert found.versions[2].text.startswith("# a comment\n# what")
    assert found.skipped == ()


def test_a_file_keeps_its_history_when_it_is_renamed_but_not_when_it_is_copied(
    checkout: Checkout,
) -> None:
    checkout.commit(POLICY.replace("mine", "older"), "first", 10, name="older")
    checkout.git("mv", "policies/older.yaml", "policies/mine.yaml")
    checkout.commit(POLICY, "rename", 11)
    assert [each.subject for each in revisions_of(checkout.policies / "mine.yaml")] == [
        "first",
        "rename",
    ]
    assert told(checkout.history())[0][1] == ["first", "rename"]
    checkout.commit(POLICY.replace("mine", "copy"), "copy", 12, name="copy")
    checkout.commit(HEAVIER.replace("mine", "copy"), "go on", 13, name="copy")
    assert [each.subject for each in revisions_of(checkout.policies / "copy.yaml")] == [
        "copy",
        "go on",
    ]


def test_a_deleted_policy_has_a_history(checkout: Checkout) -> None:
    checkout.commit(POLICY.replace("mine", "other"), "another", 9, name="other")
    checkout.commit(POLICY, "first", 10)
    checkout.git("rm", "--quiet", "policies/mine.yaml")
    checkout.git("commit", "--quiet", "-m", "no longer")
    (version,) = checkout.history().versions
    assert version.policy_version == checkout.versions_of(POLICY)[0]
    assert not version.is_current


def test_what_does_not_parse_is_skipped_with_a_word(checkout: Checkout) -> None:
    checkout.commit(POLICY, "first", 10)
    checkout.commit(POLICY.replace("grain:", "grains:"), "misspelt", 11)
    checkout.commit(POLICY.replace("click:", "clik:"), "unknown signal", 12)
    (checkout.policies / "mine.yaml").write_text("name: [\n")
    found = checkout.history()
    commit = revisions_of(checkout.policies / "mine.yaml")[1].commit
    assert found.skipped[0].startswith(f"git {commit[:12]}: line 2: grain: this key is required")
    assert "mine.yaml as it is now: line 2: not valid YAML" in found.skipped[1]
    assert [each.misfit.split(";")[0] for each in found.versions] == [
        "signals.clik: the problem has no such signal",
        "",
    ]
    with pytest.raises(ConfigurationError, match="no version 0000 is known"):
        restore_policy(found, "0000", checkout.problem)


def test_runs_of_mlflow_know_versions_that_were_never_committed(
    checkout: Checkout, migrated_once: Path
) -> None:
    shutil.copytree(migrated_once, checkout.folder / "mlflow")
    checkout.commit(POLICY, "first", 10)
    heavier, first = checkout.versions_of(HEAVIER), checkout.versions_of(POLICY)
    runs = [
        log_run(checkout, HEAVIER, heavier, 12),
        log_run(checkout, HEAVIER, heavier, 13),
        log_run(checkout, POLICY, first, 14),
        # trained when the problem or the formulas were others
        log_run(checkout, POLICY, ("aaaaaaaaaaaa", "bbbbbbbbbbbb"), 15),
    ]
    gone = log_run(checkout, None, ("cccccccccccc", "dddddddddddd"), 16)
    found = checkout.history()
    assert told(found) == [
        (heavier[0], [], [runs[0]], ("signals.click.gain: 1.0 -> 2.0",)),
        (first[0], ["first"], [runs[2], runs[3]], ()),
    ]
    assert [each.is_current for each in found.versions] == [False, True]
    (tracked,) = found.versions[0].runs
    assert (tracked.runs, tracked.last_day) == (2, "2026-09-13")
    assert tracked.first_trained_at == datetime(2026, 10, 1, 12, tzinfo=UTC)
    assert found.skipped == (f"MLflow run {gone}: its policy file is gone",)
    # the tag of the run finds the file that it logged
    for version, gain in ((heavier[0], 2.0), ("aaaa", 1.0), ("bbbbbbbb", 1.0)):
        out = checkout.policies / f"from_{version}.yaml"
        assert restore_policy(found, version, checkout.problem, out).signals["click"].gain == gain


def test_a_restored_version_differs_by_its_name_alone(checkout: Checkout) -> None:
    checkout.commit(POLICY, "first", 10)
    checkout.commit(HEAVIER, "clicks count more", 11)
    checkout.commit(PAIRS, "pairs", 12)
    found, problem = checkout.history(), checkout.problem
    version, labels = checkout.versions_of(POLICY)
    restored = restore_policy(found, version, problem)
    assert restored.path == checkout.policies / f"mine_{version}.yaml"
    assert restored.path.read_text() == POLICY.replace("name: mine ", f"name: mine_{version} ")
    assert load_policy(restored.path) == restored
    assert policy_version(restored, problem) == version
    assert label_version(restored, problem) == labels
    with pytest.raises(FileExistsError, match="is there already; name another file by --out"):
        restore_policy(found, version[:6], problem)
    again = restore_policy(found, labels[:6], problem, checkout.folder / "by_labels.yaml")
    assert again.name == "by_labels"
    assert policy_version(again, problem) == version


def test_a_version_has_to_name_one_that_is_known(checkout: Checkout) -> None:
    checkout.commit(HEAVIER, "first", 10)
    checkout.commit(PAIRS, "pairs", 11)
    found, problem = checkout.history(), checkout.problem
    heavier, pairs = checkout.versions_of(HEAVIER), checkout.versions_of(PAIRS)
    assert heavier[1] == pairs[1]
    for version, words in (
        (heavier[1], f"mine: {heavier[1]} stands for 2 versions: {pairs[0]}, {heavier[0]}"),
        ("HEAD~1", "--version: expected 4 hex digits or more, found 'HEAD~1'"),
        ("0" * 12, f"mine: no version {'0' * 12} is known; known: {pairs[0]}, {heavier[0]}"),
    ):
        with pytest.raises(ConfigurationError) as refusal:
            restore_policy(found, version, problem)
        assert str(refusal.value) == words
    with pytest.raises(ConfigurationError, match=r"ends in \.yaml"):
        restore_policy(found, pairs[0], problem, checkout.folder / "mine.txt")
    for name, words in (("min", "did you mean 'mine'"), ("../mine", "expected a policy's name")):
        with pytest.raises(ConfigurationError, match=words):
            checkout.history(name)


def test_labels_of_a_restored_version_are_those_of_before(ingested: Installation) -> None:
    folder = ingested.folder / "policies"
    for arguments in (
        ["init", "--quiet"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--quiet", "-m", "first"],
    ):
        subprocess.run(["git", *arguments], cwd=folder, check=True)

    def built(policy: str) -> list[str]:
        with ingested.project().open() as context:
            for number in (1, 2):
                build_partition(context, Partition("labels", day(number), policy))
        return [ingested.manifest("labels", day(n), policy).content_hash for n in (1, 2)]

    with ingested.project().open() as context:
        for table in ("matched_interactions", "impression_signals"):
            for each in context.event_days:
                build_partition(context, Partition(table, each))
    before = built("raw_click")
    ingested.change_policy("raw_click", {"signals.click.gain": 3.0})
    assert built("raw_click") != before
    problem = ingested.project().problem
    store = TrackingStore(ingested.workspace.mlflow_folder, problem.name)
    found = policy_history(problem, store, "raw_click")
    restored = restore_policy(found, found.versions[1].policy_version, problem)
    ingested.change_problem({"policies.use": ["raw_click", restored.name]})
    assert built(restored.name) == before


def test_the_commands_tell_and_restore(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(*arguments: str) -> tuple[int, str, str]:
        line = ["label-platform", "policies", *arguments]
        monkeypatch.setattr(sys, "argv", [*line, "--problem", str(checkout.problem_file)])
        monkeypatch.setenv("LABEL_PLATFORM_DATA", str(checkout.folder))
        with pytest.raises(SystemExit) as end:
            application.main()
        shown = capsys.readouterr()
        return int(str(end.value.code)), shown.out, shown.err

    checkout.commit(POLICY, "first", 10)
    checkout.commit(POLICY.replace("grain", "grains"), "misspelt", 11)
    checkout.commit(HEAVIER, "clicks count more", 12)
    heavier, first = checkout.versions_of(HEAVIER), checkout.versions_of(POLICY)
    wrong, later = (each.commit[:12] for each in revisions_of(checkout.policies / "mine.yaml")[1:])
    code, shown, _ = answer("history", "mine")
    assert code == 0
    lines = shown.splitlines()
    assert lines[0] == f"{heavier[0]}  labels {heavier[1]}  the file as it is now"
    assert lines[1] == f"    2026-10-01 12:00  git {later} by Ann: clicks count more"
    assert lines[2] == "    signals.click.gain: 1.0 -> 2.0"
    assert lines[3] == f"{first[0]}  labels {first[1]}"
    assert lines[5].startswith(f"not readable: git {wrong}: ")
    code, shown, _ = answer("history", "mine", "--json")
    found = json.loads(shown)
    assert [each["policy_version"] for each in found["versions"]] == [heavier[0], first[0]]
    assert found["versions"][0]["changes"] == ["signals.click.gain: 1.0 -> 2.0"]
    assert found["versions"][1]["commits"][0]["subject"] == "first"
    assert found["versions"][1]["first_seen"] == "2026-10-01T10:00:00+00:00"
    code, shown, _ = answer("restore", "mine", "--version", first[0])
    assert code == 0
    assert f"to build it, add mine_{first[0]} to policies.use" in shown
    elsewhere = str(checkout.folder / "back.yaml")
    code, shown, _ = answer("restore", "mine", "--version", first[0], "--out", elsewhere)
    assert code == 0
    assert f"to build it, move it to {checkout.policies} and add back to policies.use" in shown
    code, _, said = answer("restore", "mine", "--version", first[0])
    assert code == 2
    assert "is there already" in said
