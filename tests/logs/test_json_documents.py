"""JSON files cut into documents, whatever their layout."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from label_platform.logs.json_documents import ARRAY_PUNCTUATION, layout_of, read_documents

DOCUMENTS = [{"a": 1}, {"b": {"c": [1, 2, "x}]\\,{"]}}, {"d": 'quote " and \\ and ü'}]


def found(path: Path, block_bytes: int = 1 << 20) -> tuple[str, list[object], list[str | None]]:
    layout, blocks = read_documents(path, block_bytes)
    rows = [row for block in blocks for row in block.to_pylist()]
    if layout == "lines_of_array":  # as the reader of records does
        bare = [row | {"text": row["text"].strip(ARRAY_PUNCTUATION)} for row in rows]
        rows = [row for row in bare if row["text"]]
    texts = [json.loads(row["text"]) for row in rows if row["broken"] is None]
    return layout, texts, [row["broken"] for row in rows]


@pytest.mark.parametrize(
    ("layout", "content"),
    [
        ("lines", "\n".join(map(json.dumps, DOCUMENTS))),
        ("array", json.dumps(DOCUMENTS)),
        ("array", json.dumps(DOCUMENTS, indent=2)),
        ("lines_of_array", "[\n" + ",\n".join(map(json.dumps, DOCUMENTS)) + "\n]\n"),
        ("lines_of_array", "[" + ",\n".join(map(json.dumps, DOCUMENTS)) + "]"),
        ("spanning", "\n".join(json.dumps(each, indent=1) for each in DOCUMENTS)),
    ],
)
@pytest.mark.parametrize("block_bytes", [16, 1 << 20])
def test_each_layout_gives_its_documents(
    tmp_path: Path, layout: str, content: str, block_bytes: int
) -> None:
    path = tmp_path / "log.json.gz"
    path.write_bytes(gzip.compress(content.encode()))
    if layout in {"array", "spanning"} and block_bytes == 16:
        pytest.skip("a document may not be longer than a block")
    shown, texts, refusals = found(path, block_bytes)
    assert shown == layout
    assert texts == DOCUMENTS
    assert set(refusals) == {None}


TEXTS = st.text(st.characters(exclude_characters="\x00", codec="utf-8"))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    documents=st.lists(
        st.dictionaries(
            TEXTS,
            st.recursive(TEXTS | st.integers(), st.lists, max_leaves=5),
            min_size=1,
            max_size=4,
        ),
        min_size=1,
    ),
    indent=st.sampled_from([None, 2]),
    block_bytes=st.integers(2_000, 5_000),
)
def test_any_array_is_cut_where_json_says(
    tmp_path: Path, documents: list[object], indent: int | None, block_bytes: int
) -> None:
    path = tmp_path / "log.json"
    path.write_text(json.dumps(documents, indent=indent))
    assert found(path, block_bytes)[1] == documents


def test_an_array_that_is_still_being_written_gives_its_whole_elements(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text('[{"a": 1}, {"b": 2}, {"c": ')
    _, texts, refusals = found(path)
    assert texts == [{"a": 1}, {"b": 2}]
    reason = "found something that never ends, expected a whole document"
    assert refusals == [None, None, f"broken_array|{reason}"]


def test_a_broken_first_line_does_not_change_how_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text('{"a": \n{"b": 2}\n{"c": 3}\n')
    assert layout_of(path.read_bytes()) == "lines"


@pytest.mark.parametrize("beginning", [b"", b"\n \n", b"nonsense", b"[1, 2]", b"[" * 5000, b"{"])
def test_whatever_is_no_document_is_read_by_lines(beginning: bytes) -> None:
    assert layout_of(beginning) == "lines"


SOUND = [
    {"id": f"r{number}", "items": [{"id": "i1"}, {"id": "i2"}], "text": 'a "b", {c}]'}
    for number in range(300)
]
DAMAGES: dict[str, Callable[[str], str]] = {
    "quote too many": lambda text: text.replace('"i1"', '"i"1"'),
    "quote missing": lambda text: text.replace('"text"', '"text', 1),
    "bracket missing": lambda text: text[:-1],
    "bracket too many": lambda text: text + "}",
    "end of the array": lambda text: text.replace('"items": [', '"items": ]['),
    "beginning missing": lambda text: text[1:],
    "cut in a list": lambda text: text[: text.index("}") + 1],
    "cut in a text": lambda text: text[: text.index("i2") + 1],
    "no JSON": lambda _: "nonsense",
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("separator", [", ", ",\n", "\n"])
@pytest.mark.parametrize("block_bytes", [2_000, 1 << 20])
def test_a_damaged_document_takes_no_others_with_it_but_its_neighbours(
    tmp_path: Path, damage: str, indent: int | None, separator: str, block_bytes: int
) -> None:
    if separator == "\n" and indent is None:
        pytest.skip("documents on lines of their own are not cut here")
    texts = [json.dumps(each, indent=indent) for each in SOUND]
    damaged = {9, 150, 290}
    for number in damaged:
        texts[number] = DAMAGES[damage](texts[number])
    joined = separator.join(texts)
    path = tmp_path / "log.json"
    path.write_text(joined if separator == "\n" else f"[{joined}]")
    _, blocks = read_documents(path, block_bytes)
    rows = [row for block in blocks for row in block.to_pylist()]
    kept = [row["text"].strip(ARRAY_PUNCTUATION) for row in rows]
    beside = {number + step for number in damaged for step in (-1, 0, 1)}
    sound = [text for number, text in enumerate(texts) if number not in beside]
    assert [text for text in sound if text not in kept] == []
    # each damage is one record, alone, with a neighbour, or with both
    assert len(SOUND) - 2 * len(damaged) <= len(rows) <= len(SOUND) + len(damaged)
    assert [row["line"] for row in rows] == list(range(1, len(rows) + 1))


def test_an_array_that_ends_too_early_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text('[{"a": 1}, {"a": 2}], {"a": 3}, {"a": 4}]\n[{"a": 5}, {"a": 6}]\n')
    assert found(path)[1] == [{"a": number} for number in range(1, 7)]


def test_what_never_ends_is_one_record_until_the_next_document(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    junk = '{"a": "' + "x, " * 5_000
    path.write_text(f'[{{"a": 1}}, {{"a": 2}}, {junk}, {{"a": 3}}, {{"a": 4}}]')
    _, texts, refusals = found(path, block_bytes=1_000)
    assert texts == [{"a": 1}, {"a": 2}, {"a": 3}, {"a": 4}]
    assert [refusal for refusal in refusals if refusal] == [
        "broken_array|found no end of a document within 1000 bytes"
    ]


def test_sound_documents_of_a_new_kind_are_found_after_a_damaged_one(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    others = [{"at": number, "a": [{"x": 1}, {"x": 2}]} for number in range(5)]
    path.write_text('[{"a": 1}, {"a" 2, ' + json.dumps(others)[1:])
    _, blocks = read_documents(path)
    rows = [row["text"] for block in blocks for row in block.to_pylist()]
    assert rows == ['{"a": 1}', '{"a" 2', *map(json.dumps, others)]
