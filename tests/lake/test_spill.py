"""What is left of rows that did not fit into memory: nothing, however the process ended."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from label_platform.lake import Engine
from label_platform.lake.spill import SpillFolder

# as little memory as makes a million ids spill, then a death that nothing can clean up after
_DIES = """
import os, signal
from label_platform.lake import Engine
with Engine("60MB", threads=1) as engine:
    engine.execute("create table ids as select concat('ann-', range) as id from range(2000000)")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_goes_away_with_its_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Engine() as engine:
        engine.execute("select 1")
        assert len(entries(tmp_path)) == len(("the folder", "its lock"))
    assert entries(tmp_path) == []


def test_what_a_killed_process_left_goes_away_with_the_next_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _DIES],
        env={"TMPDIR": str(tmp_path), "PATH": ""},
        check=False,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL
    (left,) = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert b"ann-1" in b"".join(path.read_bytes() for path in left.iterdir())
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    Engine().close()
    assert entries(tmp_path) == []


def test_folders_in_use_stay(tmp_path: Path) -> None:
    mine = SpillFolder(tmp_path)
    (mine.path / "spilled").touch()
    other = SpillFolder(tmp_path)
    assert (mine.path / "spilled").exists()
    assert mine.path.stat().st_mode & 0o077 == 0
    other.remove()
    mine.remove()
    mine.remove()
    assert entries(tmp_path) == []
