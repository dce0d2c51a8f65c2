"""Wrong usage is answered in one line that names what was typed, before any work."""

from pathlib import Path

import pytest

from tests.command_lines import copied_problem, run, simulate, wrong


@pytest.fixture
def problem(tmp_path: Path) -> Path:
    return copied_problem(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("signals:\n  click:", "signals:\n  clik:", "did you mean 'click'?"),
        ("grain: impression", "grains: impression", "did you mean 'grain'?"),
    ],
)
def test_a_misspelt_policy_is_named_with_the_nearest_word(
    problem: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    old: str,
    new: str,
    words: str,
) -> None:
    policy = problem.parents[2] / "policies" / "raw_click.yaml"
    assert old in policy.read_text()
    policy.write_text(policy.read_text().replace(old, new))
    assert run(monkeypatch, "policies", "check", "--problem", problem) == 2
    error = capsys.readouterr().err
    assert "raw_click.yaml" in error
    assert words in error
    assert "Traceback" not in error


def test_a_misspelt_problem_file_is_named_with_the_nearest(
    problem: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    misspelt = problem.with_name("product_serch.yaml")
    assert run(monkeypatch, "run", "--problem", misspelt) == 2
    line = wrong(capsys)
    assert f"error: {misspelt}: there is no such file" in line
    assert "did you mean 'product_search.yaml'?" in line


def test_a_misspelt_policy_of_a_run_is_named_with_the_nearest(
    problem: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "run", "--problem", problem, "--policies", "raw_click,coec_clik") == 2
    assert "'coec_clik' is not active; did you mean 'coec_click'?" in wrong(capsys)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--policy nope", "--policy: 'nope' is no policy of product_search; valid: coec_click, "),
        ("--policy ips_clik", "did you mean 'ips_click'?"),
        ("--policy ips_click,raw_click", "--policy: 'ips_click,raw_click' is no policy"),
        (
            "--policy coec_click --ranker best",
            "has no 'best'; valid: 'lambdarank', 'pointwise, weight expected_examinations'",
        ),
        (
            "--target uniform --curve affin",
            "--curve: 'affin' is no estimator; did you mean 'affine'?",
        ),
    ],
)
def test_wrong_options_of_off_policy_are_named_before_any_work(
    problem: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: str,
    words: str,
) -> None:
    monkeypatch.setenv("LABEL_PLATFORM_DATA", str(problem.parents[1]))
    assert run(monkeypatch, "off-policy", *options.split()) == 2
    shown = capsys.readouterr()
    (line,) = shown.err.strip().splitlines()
    assert words in line
    assert not shown.out
    assert sorted(path.name for path in problem.parents[1].iterdir()) == ["problems"]


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ("yesterday", "--days: expected FROM..TO such as 2026-10-01..2026-10-07, found"),
        ("2026-10-01", "expected FROM..TO"),
        ("2026-10-01..2026-13-01", "month must be in 1..12"),
        ("2026-10-07..2026-10-01", "2026-10-07 is after 2026-10-01"),
    ],
)
def test_days_that_are_none_are_refused(
    problem: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    days: str,
    words: str,
) -> None:
    assert run(monkeypatch, "labels", "--problem", problem, "--days", days) == 2
    line = wrong(capsys)
    assert line.startswith("error: --days")
    assert words in line


@pytest.mark.parametrize(
    ("as_of", "words"),
    [
        ("yesterday", "--as-of: 'yesterday': Invalid isoformat string"),
        ("2026-10-08T12:00", "--as-of: found '2026-10-08T12:00' without a zone, expected a date"),
        ("2026-13-01", "month must be in 1..12"),
    ],
)
def test_a_time_that_is_none_is_refused(
    problem: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    as_of: str,
    words: str,
) -> None:
    assert run(monkeypatch, "labels", "--problem", problem, "--as-of", as_of) == 2
    assert words in wrong(capsys)


@pytest.mark.parametrize("command", [["ingest"], ["quarantine", "replay"]])
def test_a_workspace_that_cannot_be_written_is_named(
    problem: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
) -> None:
    folder = problem / "below a file"
    monkeypatch.setenv("LABEL_PLATFORM_DATA", str(folder))
    assert run(monkeypatch, *command, "--problem", problem) == 2
    said = wrong(capsys)
    assert f"workspace {folder}: found Not a directory, expected a folder" in said
    assert "name another one by LABEL_PLATFORM_DATA" in said


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--logger", "wek", "'weak'"),
        ("--days", "0", "--days"),
        ("--randomized-share", "1.5", "--randomized-share"),
        ("--start-date", "tomorrow", "tomorrow"),
        ("--lists", "5", "No such option"),
    ],
)
@pytest.mark.parametrize("scenario", ["product_search", "short_video"])
def test_wrong_settings_of_a_simulation_write_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    scenario: str,
    option: str,
    value: str,
    words: str,
) -> None:
    out = tmp_path / "shop"
    assert simulate(monkeypatch, out, option, value, scenario=scenario) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error
    assert not out.exists()


@pytest.mark.parametrize("command", ["ui", "doctor"])
@pytest.mark.parametrize("option", ["--dagster-port", "--mlflow-port"])
def test_a_port_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, option: str
) -> None:
    for port in ("0", "65536"):
        assert run(monkeypatch, command, option, port) == 2
        assert f"Invalid value for '{option}'" in capsys.readouterr().err
