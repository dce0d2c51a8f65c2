"""`policies diff` on the command line: what it shows, where policies come from, wrong input."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from label_platform.cli import application
from label_platform.pipeline.policy_diff.source import read_policy
from label_platform.strict_yaml import ConfigurationError
from tests.pipeline.conftest import DAYS, Installation
from tests.pipeline.test_policy_diff import draft

Answer = tuple[int, str, str]


def answer(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    installation: Installation,
    *arguments: str,
    width: int = 160,
    command: str = "diff",
) -> Answer:
    """Exit code and what was printed."""
    line = ["label-platform", "policies", command, *arguments]
    monkeypatch.setattr(sys, "argv", [*line, "--problem", str(installation.problem_file)])
    monkeypatch.setenv("LABEL_PLATFORM_DATA", str(installation.workspace.folder))
    monkeypatch.setenv("COLUMNS", str(width))
    code: object = 0
    try:
        application.main()
    except SystemExit as end:
        code = end.code or 0
    shown = capsys.readouterr()
    return int(str(code)), shown.out, shown.err


def test_a_revision_of_git_is_read(
    ingested: Installation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    problem = ingested.project().problem
    with pytest.raises(ConfigurationError, match="is not in a git checkout"):
        read_policy("raw_click@HEAD", problem)
    folder = ingested.folder / "policies"
    for arguments in (
        ["init", "--quiet"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--quiet", "-m", "first"],
        ["branch", "feature/clicks"],
    ):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    ingested.change_policy("raw_click", {"signals.click.gain": 2.0})
    assert read_policy("raw_click@HEAD", problem).signals["click"].gain == 1.0
    assert read_policy("raw_click@feature/clicks", problem).signals["click"].gain == 1.0
    assert read_policy("raw_click", problem).signals["click"].gain == 2.0
    # a file of that very name comes first
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw_click@feature").mkdir()
    (tmp_path / "raw_click@feature" / "raw_click").write_bytes(
        ingested.policy_file("raw_click").read_bytes()
    )
    assert read_policy("raw_click@feature/raw_click", problem).signals["click"].gain == 2.0
    for wrong, words in (
        ("raw_click@nowhere", "git knows no revision 'nowhere'"),
        ("raw_click@origin/main", "git knows no revision 'origin/main'"),
        ("drafts/raw_click@HEAD", "there is no such file"),
        ("raw_clik@HEAD", "no policy 'raw_clik' .* did you mean 'raw_click'"),
        ("raw_click@", "expected a revision"),
        ("raw_click@--output=x", "expected a revision"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            read_policy(wrong, problem)
    code, _, error = answer(monkeypatch, capsys, ingested, "raw_click@HEAD", "raw_click")
    assert code == 2
    assert "impression_signals: no day is built yet; `label-platform labels`" in error
    assert not (tmp_path / "x").exists()


def test_a_folder_is_no_policy(
    ingested: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = ingested.project().problem
    monkeypatch.chdir(tmp_path)
    for name in ("drafts", "raw_click"):
        (tmp_path / name).mkdir()
    for folder in ("drafts", "drafts/", str(tmp_path / "drafts")):
        with pytest.raises(ConfigurationError, match=rf"^{folder} is a folder: expected the name"):
            read_policy(folder, problem)
    # the problem's policies come before folders that happen to be there
    assert read_policy("raw_click", problem).name == "raw_click"


def test_the_command_shows_every_part_and_the_same_for_programs(
    finished: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text, _ = answer(monkeypatch, capsys, finished, "raw_click", "multi_signal")
    assert code == 0
    for words in (
        "signals.click.gain: 1.0 -> 0.3",
        "signals.purchase: (none) -> {gain: 1.0}",
        "affects labels",
        "negatives acts on training rows, which are not compared here",
        "Rows that change",
        "device mobile",
        "Rows by old label (down) and new label (across)",
        "Distributions",
        "The rows that move most",
        "= 1.8",
        "What would be built\n  nothing: all of it is there and up to date",
        "nothing was written",
    ):
        assert words in text
    code, text, _ = answer(monkeypatch, capsys, finished, "raw_click", "multi_signal", "--json")
    assert code == 0
    found = json.loads(text)
    assert found["difference"] is True
    assert len(found["movers"]) == 10
    total = found["labels"]["total"]
    assert total["rows"] == sum(
        rows for row in found["labels"]["cross_table"].values() for rows in row.values()
    )


def test_the_same_policy_twice_is_no_difference(
    finished: Installation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for new in ("raw_click", str(draft(finished, tmp_path, "raw_click", {"combine": "sum"}))):
        code, text, _ = answer(monkeypatch, capsys, finished, "raw_click", new)
        assert code == 0
        assert "no difference between raw_click and" in text.replace("\n", " ")
    code, text, _ = answer(monkeypatch, capsys, finished, "raw_click", "raw_click", "--json")
    assert (code, json.loads(text)["difference"]) == (0, False)


def test_nothing_is_cut_at_80_columns(
    finished: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for old, new in (("raw_click", "coec_click"), ("multi_signal", "coec_click")):
        code, text, _ = answer(monkeypatch, capsys, finished, old, new, width=80)
        assert code == 0
        assert "…" not in text
        code, shown, _ = answer(monkeypatch, capsys, finished, old, new, "--json")
        table = text.partition("Rows by old label")[2].partition("Distributions")[0]
        assert table.count("old \\ new") > 1
        assert max(map(len, table.splitlines())) <= 80
        counts = [
            rows
            for row in json.loads(shown)["labels"]["cross_table"].values()
            for rows in row.values()
        ]
        assert all(f" {rows:,}" in table for rows in counts)


def test_where_only_weights_change_they_are_compared(
    finished: Installation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    weighed = draft(
        finished,
        tmp_path,
        "raw_click",
        {
            "debias": {"method": "ips", "into": "weight"},
            "decay": {"half_life": "7d"},
            "rankers": [{"objective": "pointwise", "position": "debias_only"}],
        },
    )
    code, text, _ = answer(monkeypatch, capsys, finished, "raw_click", str(weighed))
    assert code == 0
    assert "no label changes" in text
    assert "decay acts on training rows, which are not compared here" in text
    for absent in ("The rows that move most", "Distributions", "Rows by old label"):
        assert absent not in text
    _, shown, _ = answer(monkeypatch, capsys, finished, "raw_click", str(weighed), "--json")
    found = json.loads(shown)["labels"]
    old, new = found["means"]["weight"]
    both = found["total"]["rows"]
    assert old == 1 < new
    assert f"mean 1 -> {new:.4g}, sum {both:,.6g} -> {new * both:,.6g}" in text


def test_wrong_input_is_answered_in_words(
    finished: Installation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    foreign = draft(finished, tmp_path, "raw_click", {"signals": {"like": {"gain": 1.0}}})
    for arguments, words in (
        (("raw_click", "multi_signl"), "did you mean 'multi_signal'?"),
        (("raw_click", str(foreign)), "signals.like: the problem has no such signal"),
        (("raw_click", str(tmp_path / "no.yaml")), "there is no such file"),
        (
            ("raw_click", "multi_signal", "--days", "2020-01-01..2020-01-02"),
            f"no impressions from 2020-01-01 to 2020-01-02; there are days from {DAYS[0]}",
        ),
    ):
        code, _, error = answer(monkeypatch, capsys, finished, *arguments)
        assert code == 2
        assert words in " ".join(error.split())
        assert "Traceback" not in error


def test_an_estimator_that_was_not_run_is_told_with_those_that_were(
    finished: Installation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    debias = {"method": "ips", "propensity": "pbm_em"}
    rankers = [{"objective": "pointwise", "position": "debias_only"}]
    path = draft(finished, tmp_path, "raw_click", {"debias": debias, "rankers": rankers})
    code, _, error = answer(monkeypatch, capsys, finished, "raw_click", str(path))
    assert code == 2
    estimators = finished.manifest("propensities", DAYS[0]).attributes["estimators"]
    assert (
        f"the curves of {DAYS[0]} hold no estimator pbm_em, they hold "
        f"{', '.join(sorted(estimators))}; `label-platform propensities` estimates it once"
    ) in " ".join(error.split())


def test_days_without_labels_are_answered_with_those_that_are_built(
    finished: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = ("--policies", "raw_click", "--days")
    code, _, error = answer(
        monkeypatch, capsys, finished, *wanted, "..2020-01-02", command="health"
    )
    assert code == 2
    assert (
        "--days: no labels are built for ..2020-01-02; raw_click: "
        f"{DAYS[0]} to {DAYS[-1]} are built"
    ) in " ".join(error.split())
    code, text, _ = answer(
        monkeypatch, capsys, finished, *wanted, f"{DAYS[1]}..{DAYS[1]}", command="health"
    )
    assert code == 0
    assert str(DAYS[1]) in text
    assert str(DAYS[2]) not in text
