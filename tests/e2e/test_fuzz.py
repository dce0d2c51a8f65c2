"""Twenty thousand damaged records of every format: no crash, and every one is accounted for."""

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from label_platform.lake import Engine, Lake
from label_platform.logs import FileCounts, ingest, unreconciled
from label_platform.logs.json_documents import ARRAY_PUNCTUATION
from label_platform.problem import Problem
from tests.logs.examples_of_formats import EXAMPLES, OPTIONS
from tests.logs.mutations import damaged_bytes, mutated, mutated_row
from tests.logs.test_kuairand import ROW
from tests.logs.ubi_records import event, query

pytestmark = pytest.mark.e2e

RECORDS = 20_000
AT = "2026-10-01T10:00:00Z"
IMPRESSION = {
    "request_id": "r1",
    "query_id": "q1",
    "item_id": "i1",
    "position": 1,
    "shown_at": AT,
    "user_id": "u1",
    "randomized": True,
    "logging_probability": 0.5,
    "f_a": 1.5,
}
INTERACTION = {
    "request_id": "r1",
    "item_id": "i1",
    "signal": "click",
    "value": 1,
    "occurred_at": AT,
    "user_id": "u1",
    "session_id": "s1",
}
DOCUMENTS: dict[str, list[dict[str, Any]]] = {
    "ubi": [event(), event("click"), event("purchase", query_id=...), query()],
    **EXAMPLES,
}
OPEN_BANDIT = {
    "": "0",
    "timestamp": "2026-10-01 00:03:13+00:00",
    "item_id": "14",
    "position": "3",
    "click": "1",
    "propensity_score": "0.029",
    "user_feature_0": "cef3",
    "user-item_affinity_0": "0.5",
}
ROWS = {"open_bandit": OPEN_BANDIT, "kuairand": {name: str(value) for name, value in ROW.items()}}


def read(folder: Path, source: dict[str, Any], **changes: object) -> tuple[FileCounts, ...]:
    """Ingest a folder into a new lake, and see that ledger and lake agree."""
    settings = {
        "name": "fuzzed",
        "start_date": "2026-09-01",
        "logs_folder": str(folder),
        "logs": [source],
        "signals": {name: {"window": "1d"} for name in ("click", "purchase", "add_to_cart")},
        "features": ["f_*"] if source["format"] == "native" else [],
        "policies": {"use": ["raw_click"]},
        "user_ids": "public",
    }
    problem = Problem.model_validate(settings | changes)
    lake = Lake(folder / "lake", "fuzzed")
    with Engine() as engine:
        moment = datetime(2026, 11, 1, tzinfo=UTC)
        report = ingest(problem, lake, engine, as_if=moment)
        assert unreconciled(engine, lake) == []
        assert ingest(problem, lake, engine, as_if=moment).files == ()
    return report.files


def source_of(name: str, path: str) -> dict[str, Any]:
    return {"format": name, "path": path, "options": OPTIONS.get(name, {})}


def assert_accounted_for(counts: FileCounts, name: str) -> None:
    """Every record is counted once, and the damage was neither too small nor total."""
    assert counts.refusal == "", name
    kept = counts.accepted, counts.ignored, counts.rejected, counts.duplicates
    assert sum(kept) == counts.records, name
    assert min(kept) >= 0
    assert counts.rejected > RECORDS / 20, f"{name}: the damage was too small to test anything"
    assert counts.accepted > 0


def not_blank(lines: Sequence[bytes]) -> int:
    return sum(1 for line in lines if line.strip())


def damaged_lines(documents: Sequence[dict[str, Any]], seed: int) -> list[bytes]:
    draw = random.Random(seed)  # noqa: S311 - which damage, not a secret
    sound = json.dumps(documents[0]).encode()
    return [sound, *(mutated(draw.choice(documents), draw) for _ in range(RECORDS))]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_nested_json_in_lines(tmp_path: Path, name: str) -> None:
    lines = damaged_lines(DOCUMENTS[name], seed=len(name))
    (tmp_path / "log.jsonl").write_bytes(b"\n".join(lines))
    [counts] = read(tmp_path, source_of(name, "log.jsonl"))
    assert counts.records == not_blank(lines)
    assert_accounted_for(counts, name)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_nested_json_in_an_array(tmp_path: Path, name: str) -> None:
    lines = damaged_lines(DOCUMENTS[name], seed=100 + len(name))
    (tmp_path / "log.json").write_bytes(b"[" + b",\n".join(lines) + b"]")
    [counts] = read(tmp_path, source_of(name, "log.json"))
    assert counts.records == not_blank([line.strip(ARRAY_PUNCTUATION.encode()) for line in lines])
    assert_accounted_for(counts, name)


@pytest.mark.parametrize("layout", ["array", "indented_array", "spanning"])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_sound_documents_among_damaged_ones(tmp_path: Path, name: str, layout: str) -> None:
    """Three sound documents and a damaged one, again and again: the second is beside no damage."""
    draw = random.Random(200 + len(name))  # noqa: S311 - which damage, not a secret
    indent = None if layout == "array" else 1
    sound = json.dumps(DOCUMENTS[name][0], indent=indent)
    item = '"h1"' if name == "coveo" else '"i1"'
    assert item in sound
    texts: list[bytes] = []
    for group in range(RECORDS // 4):
        named = [sound.replace(item, f'"sound {group} {place}"') for place in range(3)]
        texts += [each.encode() for each in named]
        damaged = mutated(draw.choice(DOCUMENTS[name]), draw)
        texts.append(damaged if indent is None else damaged_bytes(sound.encode(), draw))
    joined = (b"\n" if layout == "spanning" else b", ").join(texts)
    (tmp_path / "log.json").write_bytes(joined if layout == "spanning" else b"[" + joined + b"]")
    [counts] = read(tmp_path, source_of(name, "log.json"))
    items = items_in_the_lake(tmp_path)
    assert [group for group in range(RECORDS // 4) if f"sound {group} 1" not in items] == []
    beside = [f"sound {group} {place}" for group in range(RECORDS // 4) for place in (0, 2)]
    assert len(items.intersection(beside)) > len(beside) * 0.8
    assert counts.records > RECORDS * 0.8


def items_in_the_lake(folder: Path) -> set[str]:
    lake = Lake(folder / "lake", "fuzzed")
    with Engine() as engine:
        scans = [lake.scan(table, lake.days(table)) for table in ("impressions", "interactions")]
        return {item for scan in scans for (item,) in engine.rows(f"select item_id from {scan}")}


@pytest.mark.parametrize("ids", ["string", "integer"])
def test_native_json(tmp_path: Path, ids: str) -> None:
    numbers = {"request_id": 1, "query_id": 2, "item_id": 3} if ids == "integer" else {}
    both = {"impressions": IMPRESSION | numbers, "interactions": INTERACTION | numbers}
    both["interactions"].pop("query_id", None)
    lines = {name: damaged_lines([record], seed=len(name)) for name, record in both.items()}
    for name, each in lines.items():
        (tmp_path / f"{name}.jsonl").write_bytes(b"\n".join(each))
    paths = {name: f"{name}.jsonl" for name in lines}
    for counts in read(tmp_path, {"format": "native", **paths}, ids=ids):
        assert counts.records == not_blank(lines[counts.source.removesuffix(".jsonl")])
        assert_accounted_for(counts, counts.source)


@pytest.mark.parametrize("separator", [",", "\t"])
@pytest.mark.parametrize("name", ["native", *ROWS])
def test_rows(tmp_path: Path, name: str, separator: str) -> None:
    record = ROWS.get(name) or {key: str(value) for key, value in IMPRESSION.items()}
    draw = random.Random(len(name))  # noqa: S311 - which damage, not a secret
    fields = list(record.values())
    lines = [separator.join(fields).encode()]
    lines += [mutated_row(fields, separator, draw).rstrip(b"\r") for _ in range(RECORDS)]
    header = separator.join(record).encode()
    (tmp_path / "random.csv").write_bytes(b"\n".join([header, *lines]))
    source = {"format": name, "path": "random.csv"}
    if name == "native":
        (tmp_path / "events.csv").write_text("request_id,item_id,signal,occurred_at\n")
        source = {"format": name, "impressions": "random.csv", "interactions": "events.csv"}
    counts = read(tmp_path, source, start_date="2022-04-01")[0]
    # a quoted field may hold line ends, so that lines are at least as many as records
    assert counts.records <= not_blank(lines)
    assert_accounted_for(counts, name)
