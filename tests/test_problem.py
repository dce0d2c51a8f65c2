from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from label_platform.problem import Problem, load_problem
from label_platform.strict_yaml import ConfigurationError

MINIMAL = {
    "name": "shop",
    "start_date": date(2026, 10, 1),
    "logs": [{"format": "native", "impressions": "i/*.parquet", "interactions": "e/*.jsonl"}],
    "signals": {"click": {"window": "30m"}, "dwell_s": {"window": "45s", "of": "click"}},
    "policies": {"use": ["raw_click"]},
}


def write(below: Path, **changes: object) -> Path:
    path = below / "shop.yaml"
    path.write_text(yaml.safe_dump(MINIMAL | changes))
    return path


def load(below: Path, **changes: object) -> Problem:
    return load_problem(write(below, **changes))


def test_durations_and_windows(tmp_path: Path) -> None:
    problem = load(tmp_path)
    assert problem.signals["click"].window == timedelta(minutes=30)
    assert problem.longest_window == timedelta(minutes=30)


def test_paths_start_from_the_logs_folder_and_logs_can_be_moved(tmp_path: Path) -> None:
    path = write(tmp_path, logs_folder="../logs")
    assert load_problem(path).resolve("i/*.parquet") == tmp_path / "../logs/i/*.parquet"
    elsewhere = tmp_path / "elsewhere"
    assert load_problem(path, elsewhere).resolve("i/*.parquet") == elsewhere / "i/*.parquet"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"signalz": {}}, r"shop.yaml: line \d+: signalz: unknown key; did you mean 'signals'\?"),
        ({"training": {"windw": "14d"}}, r"training.windw: unknown key; did you mean 'window'\?"),
        ({"signals": {"click": {"window": "30 minutes"}}}, "expected a duration such as 30m"),
        (
            {"signals": {"click": {"window": 7}}},
            "signals.click.window: expected a duration such as 30m, 12h or 7d, found 7",
        ),
        ({"training": {"window": 1.5}}, "expected a duration such as 30m, 12h or 7d, found 1.5"),
        ({"retention": "7"}, "retention: expected a duration such as 30m, 12h or 7d, found '7'"),
        ({"retention": True}, "retention: expected a duration such as 30m, 12h or 7d, found True"),
        (
            {"signals": {"click": {"window": "1d"}, "dwell_s": {"window": "1d", "of": "clik"}}},
            r"line \d+: signals.dwell_s.of: found 'clik'; did you mean 'click'\? valid: click, dw",
        ),
        (
            {"propensity": {"viewed_signal": "dwel_s"}},
            r"propensity.viewed_signal: found 'dwel_s'; did you mean 'dwell_s'\? valid: .*dwell_s",
        ),
        (
            {"propensity": {"viewed_signal": "vieww"}},
            "propensity.viewed_signal: found 'vieww'; valid: .*click",
        ),
        ({"logs": [{"format": "Native", "path": "x"}]}, "logs.0.format: String should match"),
        (
            {"logs": [{"format": "native", "path": "x", "time_zone": "Europe/Berlinn"}]},
            "did you mean 'Europe/Berlin'?",
        ),
        ({"logs": []}, "logs: .*at least 1"),
        ({"name": "../etc"}, "name: "),
        ({"ids": "integr"}, "ids: found 'integr'; did you mean 'integer'"),
        ({"folder": "/"}, "folder: unknown key"),
        (
            {"propensity": {"estimators": []}},
            "propensity.estimators: .*auto has none to choose from",
        ),
        ({"propensity": {"estimator": "viewport"}}, "propensity: .*viewport needs viewed_signal"),
        (
            {"propensity": {"estimators": ["pbm", "viewport"]}},
            "propensity: .*viewport needs viewed_signal",
        ),
        ({"start_date": "someday"}, "start_date: .*found 'someday'"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        load(tmp_path, **changes)


def test_views_may_be_those_of_a_signal(tmp_path: Path) -> None:
    viewed = {"estimator": "viewport", "viewed_signal": "dwell_s"}
    assert load(tmp_path, propensity=viewed).propensity.viewed_signal == "dwell_s"


def test_an_estimator_that_is_named_needs_none_beside_it(tmp_path: Path) -> None:
    settings = load(tmp_path, propensity={"estimator": "pbm", "estimators": []}).propensity
    assert settings.estimators == ()


def test_the_line_is_named(tmp_path: Path) -> None:
    path = write(tmp_path)
    lines = path.read_text().splitlines()
    (number,) = [number for number, line in enumerate(lines, 1) if line.strip() == "window: 30m"]
    lines[number - 1] = lines[number - 1].replace("window", "windw")
    path.write_text("\n".join(lines))
    with pytest.raises(
        ConfigurationError, match=f"shop.yaml: line {number}: signals.click.windw: unknown key"
    ):
        load_problem(path)


def test_the_line_of_a_signal_that_is_not_defined_is_that_of_its_key(tmp_path: Path) -> None:
    path = write(tmp_path, propensity={"replicates": 100, "viewed_signal": "vieww"})
    lines = path.read_text().splitlines()
    (number,) = [number for number, line in enumerate(lines, 1) if "vieww" in line]
    with pytest.raises(ConfigurationError, match=f"shop.yaml: line {number}: propensity.viewed_s"):
        load_problem(path)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("name: shop")
    with pytest.raises(ConfigurationError, match="signals: this key is required and absent"):
        load_problem(path)


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(ConfigurationError, match=r"did you mean 'shop.yaml'\?"):
        load_problem(tmp_path / "shpo.yaml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty; expected a mapping of keys"),
        (
            "a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n",
            "line 5: not valid YAML: the key 'c' stands twice, first on line 3",
        ),
        ("a:\n  b: &x\n    c: *x\n", "line 3: not valid YAML: &x, line 2, holds itself"),
        ("a: 1\nb: c: d\n", "line 2: not valid YAML: mapping values are not allowed here"),
        (
            "a: 1\nb: 'x\n\n",
            (
                "line 4: not valid YAML: found unexpected end of stream (while scanning a quoted "
                "scalar that starts on line 2)"
            ),
        ),
        (
            "a: \0",
            "not valid YAML: unacceptable character #x0000: special characters are not allowed",
        ),
    ],
)
def test_what_is_no_yaml_is_told_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as refusal:
        load_problem(path)
    assert str(refusal.value) == f"{path}: {words}"


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_text(path.read_text() + "name: again\n")
    with pytest.raises(ConfigurationError, match="the key 'name' stands twice"):
        load_problem(path)


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "!!python/object/apply:os.system [ls]"])
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"p.yaml: "):
        load_problem(path)
