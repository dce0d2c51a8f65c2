"""What is no log is answered in one line that says what was seen and what was expected."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from label_platform.strict_yaml import ConfigurationError
from tests.first_contact.conftest import (
    Guessed,
    event,
    impression,
    write_lines,
    write_native,
)

Guess = Callable[..., Guessed]


def refusal(guessed: Guess, where: Path | str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        guessed(where)
    words = str(refused.value)
    assert "\n" not in words
    return words


def test_nothing_there(tmp_path: Path, guessed: Guess) -> None:
    (tmp_path / "logs").mkdir()
    words = refusal(guessed, tmp_path / "lgos")
    assert "found nothing there, expected a folder, a file or a glob of logs" in words
    assert "did you mean 'logs'?" in words


def test_of_what_is_there_only_the_closest_names_are_shown(tmp_path: Path, guessed: Guess) -> None:
    for name in [*(f"unrelated{n:02d}" for n in range(30)), *(f"log_{n}" for n in range(5))]:
        (tmp_path / name).mkdir()
    assert "unrelated" not in refusal(guessed, tmp_path / "zzz")
    words = refusal(guessed, tmp_path / "logs")
    assert words.count("'log_") == 3
    assert "unrelated" not in words
    words = refusal(guessed, f"{tmp_path}/*.csv")
    assert words.endswith(f"; in {tmp_path} there are log_0, log_1, log_2, ...")


def test_an_empty_folder(tmp_path: Path, guessed: Guess) -> None:
    assert "found an empty folder, expected files of logs" in refusal(guessed, tmp_path)


def test_files_of_other_kinds(tmp_path: Path, guessed: Guess) -> None:
    (tmp_path / "notes.docx").write_text("x")
    (tmp_path / "empty.jsonl").write_text("")
    words = refusal(guessed, tmp_path)
    assert "found only empty.jsonl, notes.docx" in words
    assert ".parquet, .jsonl, .ndjson, .json, .csv, .tsv" in words


def test_a_glob_that_matches_nothing(tmp_path: Path, guessed: Guess) -> None:
    write_lines(tmp_path / "events.jsonl", [{}])
    words = refusal(guessed, f"{tmp_path}/*.csv")
    assert "found no file that matches this glob" in words
    assert "events.jsonl" in words


def test_an_unknown_format_with_the_nearest(tmp_path: Path, guessed: Guess) -> None:
    record = {"requestId": 1, "item_id": 2, "position": 1, "shown_at": 3, "query_text": "x"}
    words = refusal(guessed, write_lines(tmp_path / "lists.jsonl", [record]))
    assert "lists.jsonl has the keys item_id, position, query_text, requestId, shown_at" in words
    assert "nearest: native impressions, which would need request_id (found requestId)" in words
    assert "formats: ubi, algolia, ga4, coveo, metarank, kuairand, open_bandit, native" in words


def test_keys_that_are_nobodys(tmp_path: Path, guessed: Guess) -> None:
    words = refusal(guessed, write_lines(tmp_path / "x.jsonl", [{"colour": "red"}]))
    assert "no format has any of these keys" in words


@pytest.mark.parametrize("name", ["events.jsonl.gz", "events.csv.gz"])
def test_a_corrupt_file(tmp_path: Path, guessed: Guess, name: str) -> None:
    (tmp_path / name).write_bytes(b"no gzip at all")
    words = refusal(guessed, tmp_path)
    assert name in words
    assert "cannot be read" in words


def test_a_truncated_file(tmp_path: Path, guessed: Guess) -> None:
    whole = gzip.compress(b'{"action_name": "click"}\n' * 1000)
    (tmp_path / "events.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    assert "cannot be read" in refusal(guessed, tmp_path)


def test_corrupt_parquet(tmp_path: Path, guessed: Guess) -> None:
    (tmp_path / "shown.parquet").write_bytes(b"PAR1 and then nothing")
    words = refusal(guessed, tmp_path)
    assert "shown.parquet" in words
    assert "cannot be read" in words


def test_one_corrupt_file_among_others_is_named_and_left_to_ingestion(
    tmp_path: Path, guessed: Guess
) -> None:
    logs = write_native(tmp_path / "logs", [impression(0)], [event("click")])
    (logs / "more.jsonl.gz").write_bytes(b"no gzip at all")
    found = guessed(logs)
    assert found.source["format"] == "native"
    assert "could not be read" in found.words
    assert "more.jsonl.gz" in found.words


def test_broken_lines_do_not_hide_the_others(tmp_path: Path, guessed: Guess) -> None:
    logs = write_native(tmp_path / "logs", [impression(n) for n in range(3)], [event("click")])
    with (logs / "shown.jsonl").open("ab") as file:
        file.write(b'{"request_id": \n[1, 2]\n"text"\n\xff\xfe\n\x00\n{"a": 1e999}\n')
    found = guessed(logs)
    assert "Seen: 3 impressions in 1 lists" in found.words


def test_hidden_files_and_notes_of_writers_are_no_logs(tmp_path: Path, guessed: Guess) -> None:
    logs = write_native(tmp_path / "logs", [impression(0), impression(1)], [event("click")])
    write_lines(logs / "_delta_log" / "0.json", [{"commit": 1}])
    write_lines(logs / ".cache" / "0.json", [{"commit": 1}])
    (logs / "_SUCCESS").write_text("")
    assert guessed(logs).proposal.notes == ()
