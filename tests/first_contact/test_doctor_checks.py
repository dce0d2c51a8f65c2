"""Single checks of the doctor, each on the real thing: ports, folders, files, variables."""

import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from label_platform.first_contact.doctor import folders, machine, ports, project, software, stores
from label_platform.first_contact.doctor.finding import Finding, answers
from label_platform.first_contact.doctor.software import Demands
from tests.first_contact.conftest import PROJECT, event, guess, impression, write_native

SECRET = "LABEL_PLATFORM_USER_SECRET"  # noqa: S105 - a variable's name
MEMORY = "LABEL_PLATFORM_MEMORY_LIMIT"


def only(findings: Iterator[Finding]) -> Finding:
    (finding,) = findings
    return finding


def test_the_demands_are_those_of_the_project_file() -> None:
    demands = software.read_demands()
    text = (PROJECT / "pyproject.toml").read_text()
    assert f'requires-python = "{demands.python}"' in text
    for name in software.LIBRARIES:
        assert f'"{name}{demands.libraries[name]}"' in text
    assert str(demands.libraries["duckdb"]) != ""


def test_without_a_project_file_the_installed_package_says_it() -> None:
    installed = software.read_demands(Path("/nowhere/pyproject.toml"))
    assert set(software.LIBRARIES) <= set(installed.libraries)
    assert installed.python.contains("3.13")
    assert not installed.python.contains("3.9")


def test_python_and_libraries_that_are_too_old() -> None:
    demands = Demands(SpecifierSet(">=99"), {"duckdb": SpecifierSet(">=99")})
    python = only(software.python_version(demands))
    assert (python.status, python.expected) == ("problem", ">=99")
    duckdb = only(software.library_versions(demands, ["duckdb"]))
    assert duckdb.status == "problem"
    assert duckdb.expected == "duckdb>=99"
    assert duckdb.advice == 'pip install "duckdb>=99"'
    absent = only(software.library_versions(demands, ["no-such-library"]))
    assert (absent.status, absent.found) == ("problem", "nothing installed")


def test_what_is_installed_here_is_fine() -> None:
    demands = software.read_demands()
    found = [*software.python_version(demands), *software.library_versions(demands)]
    found += [*software.lightgbm_loads(), *software.time_zones(), *software.engine_extensions()]
    assert {finding.status for finding in found} == {"ok"}
    assert len(found) == 1 + len(software.LIBRARIES) + 3


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("OSError('libgomp.so.1: cannot open shared object file')", "apt-get install libgomp1"),
        ("OSError('lib_lightgbm.so: invalid ELF header')", "reinstall lightgbm"),
        ("ImportError('no module')", "reinstall lightgbm"),
    ],
)
def test_a_lightgbm_that_does_not_load(tmp_path: Path, error: str, advice: str) -> None:
    # another library of that name, in another process: here the real one is loaded already
    (tmp_path / "lightgbm.py").write_text(f"raise {error}")
    code = (
        "from label_platform.first_contact.doctor.software import lightgbm_loads\n"
        "print(*((each.status, each.advice) for each in lightgbm_loads()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{PROJECT}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == str(("problem", advice))


def test_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    total = machine.memory_of_machine()
    assert total > 10**8
    monkeypatch.setenv(MEMORY, "500MB")
    assert only(machine.memory_limit()).status == "ok"
    monkeypatch.setenv(MEMORY, f"{int(total * 0.9)}B")
    assert only(machine.memory_limit()).status == "warning"
    monkeypatch.setenv(MEMORY, f"{total * 2}B")
    found = only(machine.memory_limit())
    assert found.status == "problem"
    assert found.advice.startswith(f"export {MEMORY}=")
    monkeypatch.setenv(MEMORY, "a lot")
    found = only(machine.memory_limit())
    assert found.status == "problem"
    assert f"{MEMORY}=a lot" in found.found


def test_disk(tmp_path: Path) -> None:
    absent = tmp_path / "not" / "yet"
    more_than_there_is = 10**18
    assert only(machine.disk_space("workspace", absent, 1, 1)).status == "ok"
    little = only(machine.disk_space("workspace", absent, more_than_there_is, 1))
    assert (little.status, little.expected) == ("warning", "at least 1000000000.0 GB")
    assert "LABEL_PLATFORM_DATA" in little.advice
    full = only(machine.disk_space("spill", absent, more_than_there_is, more_than_there_is))
    assert full.status == "problem"
    assert "TMPDIR" in full.advice
    assert not absent.parent.exists()


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody can write to, whoever runs the test."""
    if os.geteuid() == 0:  # to whom permissions mean nothing
        yield Path("/proc")
        return
    folder = tmp_path / "read_only"
    folder.mkdir(mode=0o555)
    yield folder
    folder.chmod(0o755)


def test_a_folder_that_cannot_be_written(read_only: Path) -> None:
    finding = only(folders.writable_folders([read_only / "lake"]))
    assert finding.status == "problem"
    assert str(read_only) in finding.found
    assert "LABEL_PLATFORM_DATA" in finding.advice


def test_a_file_in_the_way_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x")
    found = list(folders.writable_folders([tmp_path / "data" / "lake"]))
    assert found[0].status == "problem"
    assert found[0].found == f"a file at {tmp_path / 'data'}"


def test_a_folder_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    found = list(folders.writable_folders([tmp_path / "lake", tmp_path / "mlflow", tmp_path / "x"]))
    # the second and the third are absent: both would be made in the same folder
    assert [(each.status, each.check) for each in found] == [
        ("ok", "folder lake"),
        ("ok", f"folder {tmp_path.name}"),
    ]
    assert list(tmp_path.rglob("*")) == [tmp_path / "lake"]


def test_ports() -> None:
    with socket.socket() as taken:
        taken.bind((ports.LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        finding = only(ports.free_port("mlflow", port))
        assert (finding.status, finding.found) == ("warning", f"{port} is taken")
        assert "label-platform ui --mlflow-port" in finding.advice
    assert only(ports.free_port("mlflow", port)).status == "ok"


def test_stores(tmp_path: Path) -> None:
    assert only(stores.store("mlflow", tmp_path / "absent")).found.startswith("none yet at")
    database = tmp_path / "history" / "runs.db"
    database.parent.mkdir()
    with sqlite3.connect(database) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table runs (id)")
    connection.close()
    before = sorted(tmp_path.rglob("*"))
    finding = only(stores.store("dagster", tmp_path))
    assert (finding.status, finding.found) == ("ok", f"1 database at {tmp_path}")
    assert sorted(tmp_path.rglob("*")) == before
    database.write_bytes(b"no database" * 100)
    finding = only(stores.store("dagster", tmp_path))
    assert finding.status == "problem"
    assert str(database) in finding.found


def test_a_check_that_fails_itself_says_so() -> None:
    def check() -> Iterator[Finding]:
        yield from ()
        raise RuntimeError("first line\nsecond line")

    (finding,) = answers("ports", check)
    assert (finding.check, finding.status) == ("ports", "problem")
    assert finding.found.endswith("RuntimeError: first line")


@pytest.fixture
def problem_file(tmp_path: Path) -> Path:
    logs = write_native(tmp_path / "logs", [impression(0)], [event("click")])
    return guess(logs, tmp_path / "mine.yaml").path


def statuses(problem_file: Path) -> dict[str, str]:
    return {each.check: each.status for each in project.project(problem_file, is_default=False)}


def test_a_sound_problem(problem_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, "x" * 16)
    found = list(project.project(problem_file, is_default=False))
    assert [each.check for each in found] == [
        "problem file",
        "policies",
        "log files",
        "user secret",
    ]
    assert {each.status for each in found} == {"ok"}
    assert found[2].found == "2 match the patterns"


@pytest.mark.parametrize(
    ("secret", "status"), [(None, "problem"), ("", "problem"), ("x" * 15, "warning")]
)
def test_a_secret_that_is_absent_or_short(
    problem_file: Path, monkeypatch: pytest.MonkeyPatch, secret: str | None, status: str
) -> None:
    if secret is not None:
        monkeypatch.setenv(SECRET, secret)
    assert statuses(problem_file)["user secret"] == status


def test_public_ids_need_no_secret(problem_file: Path) -> None:
    problem_file.write_text(problem_file.read_text().replace("user_ids: keyed", "user_ids: public"))
    assert statuses(problem_file)["user secret"] == "ok"


@pytest.mark.parametrize(
    ("old", "new", "check", "words"),
    [
        (
            "ids: string",
            "ids: strings",
            "problem file",
            "ids: found 'strings'; did you mean 'string'?",
        ),
        ("raw_click]", "raw_clik]", "policies", "did you mean 'raw_click'?"),
        ("shown.jsonl", "show.jsonl", "log files", "found no file that matches"),
        ("format: native", "format: nativ", "log files", "did you mean 'native'?"),
    ],
)
def test_a_problem_file_with_a_mistake(
    problem_file: Path, old: str, new: str, check: str, words: str
) -> None:
    text = problem_file.read_text()
    assert old in text
    problem_file.write_text(text.replace(old, new))
    found = {each.check: each for each in project.project(problem_file, is_default=False)}
    assert found[check].status == "problem"
    assert words in found[check].found


def test_the_default_problem_need_not_be_there(tmp_path: Path) -> None:
    absent = tmp_path / "product_search.yaml"
    finding = only(project.project(absent, is_default=True))
    assert (finding.status, finding.advice) == ("ok", "label-platform init LOGS writes one")
    assert only(project.project(absent, is_default=False)).status == "problem"
