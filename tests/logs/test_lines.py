import gzip
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from label_platform.logs import lines
from label_platform.logs.lines import read_blocks
from label_platform.logs.records import UnreadableFileError

Row = tuple[int, str, str | None]


def rows(path: Path, block_bytes: int = 1 << 20) -> list[Row]:
    return [
        (row["line"], row["text"].rstrip("\r\n"), row["broken"])
        for block in read_blocks(path, block_bytes)
        for row in block.to_pylist()
    ]


def written(folder: Path, content: bytes, name: str = "log.jsonl") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_blank_lines_are_no_records_but_count_as_lines(tmp_path: Path, end: bytes) -> None:
    path = written(tmp_path, end.join([b"a", b"", b"  ", b"b", b""]))
    assert rows(path) == [(1, "a", None), (4, "b", None)]


def test_the_last_line_needs_no_end(tmp_path: Path) -> None:
    assert rows(written(tmp_path, b"a\nb")) == [(1, "a", None), (2, "b", None)]


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    assert rows(written(tmp_path, b"\xef\xbb\xbfa\n")) == [(1, "a", None)]


def test_a_carriage_return_within_a_line_stays(tmp_path: Path) -> None:
    assert rows(written(tmp_path, b"a\rb\r\n")) == [(1, "a\rb", None)]


def test_an_invalid_byte_breaks_its_line_and_no_other(tmp_path: Path) -> None:
    path = written(tmp_path, "é\n".encode() + b"a\xff\n" + "ü\n".encode())
    detail = "invalid_utf8|found byte 0xff at 2, expected UTF-8"
    assert rows(path) == [(1, "é", None), (2, "a�", detail), (3, "ü", None)]


def test_a_letter_cut_by_the_line_end_is_invalid(tmp_path: Path) -> None:
    first, last = "é".encode()
    found = rows(written(tmp_path, bytes([first, 10, last, 10])))
    assert [broken is None for _, _, broken in found] == [False, False]


@pytest.mark.parametrize("block_bytes", [8, 1 << 20])
def test_an_oversized_line_breaks_itself_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    monkeypatch.setattr(lines, "LARGEST_RECORD", 20)
    monkeypatch.setattr(lines, "KEPT_OF_LARGE", 5)
    path = written(tmp_path, b"a\n" + b"x" * 100 + b"\nb\n")
    found = rows(path, block_bytes)
    assert [(line, text) for line, text, _ in found] == [(1, "a"), (2, "xxxxx"), (3, "b")]
    assert (found[1][2] or "").startswith("record_too_large|")


def test_an_oversized_last_line_without_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LARGEST_RECORD", 20)
    assert [row[0] for row in rows(written(tmp_path, b"a\n" + b"x" * 100), 8)] == [1, 2]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log.jsonl.gz", gzip.compress(b"a\nb\n")),
        ("appended.jsonl.gz", gzip.compress(b"a\n") + gzip.compress(b"b\n")),
        ("log.jsonl.zst", pa.compress(b"a\nb\n", codec="zstd", asbytes=True)),
    ],
    ids=["gzip", "two gzips", "zstd"],  # compressed bytes hold the time
)
def test_compressed_files(tmp_path: Path, name: str, content: bytes) -> None:
    assert rows(written(tmp_path, content, name)) == [(1, "a", None), (2, "b", None)]


@pytest.mark.parametrize(
    "content", [b"no gzip at all\n", gzip.compress(b"a\n" * 9999)[:-12]], ids=["none", "cut"]
)
def test_a_corrupt_file_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path, content, "log.jsonl.gz")
    with pytest.raises(UnreadableFileError, match=r"log\.jsonl\.gz: cannot be read"):
        rows(path)


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    assert rows(written(tmp_path, b"")) == []


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(
        st.sampled_from([b"a", b"\n", b"\r\n", b" ", b"\xff", "é".encode()]), max_size=30
    ),
    block_bytes=st.integers(3, 40),
)
def test_blocks_of_any_size_give_the_lines_that_python_gives(
    tmp_path: Path, parts: list[bytes], block_bytes: int
) -> None:
    content = b"".join(parts)
    expected = [
        (number, line.removesuffix(b"\r").decode(errors="replace"))
        for number, line in enumerate(content.split(b"\n"), start=1)
        if line.strip()
    ]
    found = rows(written(tmp_path, content), block_bytes)
    assert [(line, text) for line, text, _ in found] == expected
