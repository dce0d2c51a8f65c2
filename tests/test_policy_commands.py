"""`policies list` and `policies check` on the command line."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from label_platform.cli import application
from label_platform.policy import label_version, load_policies, load_policy, policy_version
from label_platform.problem import load_problem

PROJECT = Path(__file__).parents[1]
WARNED = "warning: multi_signal: rankers.0.objective: the weights of negatives (positives 1, "


class Commands:
    """The product's own problem file and policies, and commands on them."""

    def __init__(
        self,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        shutil.copytree(PROJECT / "policies", folder / "policies")
        (folder / "data" / "problems").mkdir(parents=True)
        self.policies = folder / "policies"
        self.problem = folder / "data" / "problems" / "product_search.yaml"
        shutil.copy(PROJECT / "data" / "problems" / "product_search.yaml", self.problem)
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def answer(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, what was printed, and what was complained about."""
        line = ["label-platform", "policies", *arguments, "--problem", str(self.problem)]
        self._monkeypatch.setattr(sys, "argv", line)
        with pytest.raises(SystemExit) as end:
            application.main()
        shown = self._capsys.readouterr()
        return int(str(end.value.code)), " ".join(shown.out.split()), " ".join(shown.err.split())


@pytest.fixture
def commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Commands:
    return Commands(tmp_path, monkeypatch, capsys)


def test_used_policies_come_first_and_the_others_of_the_folder_are_marked(
    commands: Commands,
) -> None:
    code, shown, _ = commands.answer("list")
    used, unused = shown.split("Policy files that the problem does not use")
    assert code == 0
    assert "click 0.3 by log dwell_s + add_to_cart 0.5 + purchase 1 pointwise, weight" in used
    assert "grain query_item, debias coec" in used
    assert "debias coec, prior model" in used
    assert "…" not in shown
    assert "inverse_propensity_weight: " not in used
    assert "grain impression, debias ips into weight click 1 pointwise" in unused
    assert "purchase, add_to_cart before others: click 1 by log dwell_s" in unused
    assert "does not fit: line 7: watch_time.watch_s: the problem has no such signal" in unused


def test_programs_get_the_same_list(commands: Commands) -> None:
    problem = load_problem(commands.problem)
    code, shown, _ = commands.answer("list", "--json")
    assert code == 0
    listed = {each["name"]: each for each in json.loads(shown)}
    assert set(listed) == {file.stem for file in commands.policies.glob("*.yaml")}
    used = {policy.name for policy in load_policies(problem)}
    assert {name for name, each in listed.items() if each["is_used"]} == used
    for name in ("coec_click", "affine_click"):
        policy = load_policy(commands.policies / f"{name}.yaml")
        assert listed[name]["label_version"] == label_version(policy, problem)
        assert listed[name]["policy_version"] == policy_version(policy, problem)
        assert listed[name]["misfit"] == ""
    assert listed["coec_click"]["rankers"] == [
        "pointwise, weight expected_examinations",
        "lambdarank",
    ]
    assert listed["wt"]["misfit"].startswith("line 7: watch_time.watch_s: ")


def test_a_file_is_checked_that_the_problem_does_not_use(
    commands: Commands, tmp_path: Path
) -> None:
    draft = tmp_path / "draft.yaml"
    draft.write_text((commands.policies / "raw_click.yaml").read_text().replace("raw_", "draft_"))
    code, _, said = commands.answer("check", str(draft))
    assert (code, "found 'draft_click', expected 'draft' as the file is called" in said) == (
        2,
        True,
    )
    draft.write_text(draft.read_text().replace("draft_click", "draft"))
    code, shown, _ = commands.answer("check", str(draft), "affine_click")
    assert (code, shown) == (0, "2 policies are fine: draft, affine_click")
    code, shown, _ = commands.answer("check", str(draft))
    assert (code, shown) == (0, "1 policy is fine: draft")


def test_every_file_that_does_not_fit_is_named(commands: Commands) -> None:
    files = [str(commands.policies / f"{name}.yaml") for name in ("wt", "raw_click", "ef")]
    code, shown, said = commands.answer("check", *files)
    assert code == 2
    assert "are fine" not in shown
    assert "wt.yaml: line 7: watch_time.watch_s: " in said
    assert "ef.yaml: line 6: signals.like: " in said
    assert "raw_click" not in said


def test_warnings_are_shown_and_are_no_errors(commands: Commands) -> None:
    file = commands.policies / "multi_signal.yaml"
    file.write_text(file.read_text().replace("objective: pointwise", "objective: lambdarank"))
    code, shown, said = commands.answer("check")
    assert (code, said) == (0, "")
    assert shown.count("warning:") == 1
    assert shown.startswith(WARNED)
    assert "6 policies are fine" in shown


def test_what_all_policies_share_is_warned_of_once(commands: Commands) -> None:
    text = commands.problem.read_text()
    assert 'features: ["f_*"] ' in text
    commands.problem.write_text(text.replace('features: ["f_*"] ', 'features: ["f_*", slot] '))
    _, shown, _ = commands.answer("check", "raw_click", "ips_click")
    assert shown.count("warning:") == 1
    assert shown.startswith("warning: raw_click, ips_click: rankers: the problem's features name")


def test_health_without_labels_says_what_builds_them(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_PLATFORM_DATA", str(tmp_path / "data"))
    none = "raw_click: no day is built yet, `label-platform labels` builds them"
    code, shown, _ = commands.answer("health", "--policies", "raw_click")
    assert (code, shown) == (0, none)
    days = ("--days", "2026-10-01..")
    code, _, said = commands.answer("health", "--policies", "raw_click", *days)
    assert code == 2
    assert f"--days: no labels are built for 2026-10-01..; {none}" in said
    code, _, said = commands.answer("health", "--policies", "raw_clik")
    assert code == 2
    assert "raw_clik is not used by the problem; did you mean 'raw_click'? valid: " in said


SLICES = "slices: [device, query_frequency, new_items]"


def change(commands: Commands, before: str, after: str) -> None:
    text = commands.problem.read_text()
    assert text.count(before) == 1
    commands.problem.write_text(text.replace(before, after))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            "slices: [device, devise]",
            (
                "product_search: evaluation: slices: entry 2: 'devise' is no column of the "
                "impressions; did you mean 'device'? valid: "
            ),
        ),
        ("slices: [device, device]", "product_search: evaluation: slices: 'device' stands twice"),
        (
            "outcomes: tests.csv",
            (
                "product_search: evaluation: outcomes: {folder}/tests.csv: there is no such file; "
                "expected a CSV, relative to the problem file"
            ),
        ),
        ("outcomes: empty.csv", "{folder}/empty.csv"),
        ("slicing: [device]", "evaluation.slicing: unknown key"),
    ],
)
def test_what_a_comparison_refuses_is_said_when_policies_are_checked(
    commands: Commands, wrong: str, said: str
) -> None:
    folder = commands.problem.parent
    (folder / "empty.csv").write_text("")
    change(commands, SLICES, wrong)
    code, shown, complained = commands.answer("check", "raw_click")
    assert (code, "fine" in shown) == (2, False)
    assert said.format(folder=folder) in complained


def test_a_wrong_policy_and_a_wrong_slice_are_both_said(commands: Commands) -> None:
    change(commands, SLICES, "slices: [devise, ingested_at]")
    draft = commands.problem.parent / "draft.yaml"
    draft.write_text("name: draft\nsignal: {}\n")
    code, _, complained = commands.answer("check", str(draft))
    assert code == 2
    for words in ("draft.yaml", "entry 1: 'devise' is no column", "entry 2: 'ingested_at' is no"):
        assert words in complained
    assert complained.count("device, ") <= 2  # once in the hint of each


def test_slices_that_the_log_may_have_pass(commands: Commands) -> None:
    # f_price may be a column by the pattern f_*; list_length and purchases are, in any log
    change(commands, SLICES, "slices: [device, f_price, list_length, purchase, new_items]")
    assert commands.answer("check", "affine_click")[:2] == (0, "1 policy is fine: affine_click")


@pytest.mark.parametrize(("fits", "warned"), [(2, True), (4, True), (5, False)])
def test_few_fits_are_warned_of(commands: Commands, fits: int, warned: bool) -> None:  # noqa: FBT001
    change(commands, "fits: 5,", f"fits: {fits},")
    code, shown, _ = commands.answer("check", "affine_click")
    assert code == 0
    words = f"warning: product_search: training.fits: {fits} trainings on resampled logs tell"
    assert shown.count(words) == int(warned)
    assert shown.count("warning:") == int(warned)
    assert shown.endswith("1 policy is fine: affine_click")


def test_a_binary_loss_is_refused_by_line(commands: Commands, tmp_path: Path) -> None:
    draft = tmp_path / "draft.yaml"
    draft.write_text(
        "name: draft\ngrain: impression\nsignals: {click: {gain: 0.3}}\nrankers:\n"
        "  - {objective: pointwise}\n  - {objective: pointwise, loss: binary}\n"
    )
    code, _, said = commands.answer("check", str(draft))
    assert code == 2
    assert (
        "draft.yaml: line 6: rankers.1.loss: binary takes labels of 0 and 1, and signals.click."
        "gain makes labels of 0.3"
    ) in said
