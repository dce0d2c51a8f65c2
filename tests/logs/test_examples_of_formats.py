"""What holds for every web analytics format: layouts, compression, growth, damage, options."""

import gzip
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from label_platform.strict_yaml import ConfigurationError
from tests.logs.examples_of_formats import EXAMPLES, OPTIONS, Record, outcome, read
from tests.logs.mutations import mutated

if TYPE_CHECKING:
    from tests.logs.conftest import Shop

TABLES = ("impressions", "interactions", "items", "rejected_records")


def as_lines(records: list[Record]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


LAYOUTS: dict[str, Callable[[list[Record]], str]] = {
    "lines": as_lines,
    "array": json.dumps,
    "pretty array": lambda records: json.dumps(records, indent=2),
    "elements": lambda records: "[\n" + ",\n".join(map(json.dumps, records)) + "\n]\n",
    "pretty documents": lambda records: "\n".join(json.dumps(each, indent=2) for each in records),
}


def contents(shop: "Shop") -> dict[str, list[tuple[Any, ...]]]:
    """All rows but the refused texts, which keep the layout of their file."""
    columns = {"rejected_records": "line, reason, detail"}
    return {table: shop.table(table, columns.get(table, "*")) for table in TABLES}


def path_of(shop: "Shop", name: str) -> Path:
    path = shop.folder / "logs" / name
    path.parent.mkdir(exist_ok=True)
    return path


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize(
    ("layout", "compression"),
    [
        ("lines", "gzip"),
        ("lines", "zstd"),
        ("array", None),
        ("pretty array", "gzip"),
        ("elements", "zstd"),
        ("pretty documents", None),
    ],
)
def test_every_layout_says_the_same(
    shop_factory: "Callable[[], Shop]", name: str, layout: str, compression: str | None
) -> None:
    records = EXAMPLES[name] + EXAMPLES[name][:1]
    plain, shop = shop_factory(), shop_factory()
    plain.write("log.jsonl", as_lines(records))
    expected = read(plain, name)
    assert (expected.records, expected.rejected, expected.duplicates) == (len(records), 0, 1)
    suffix = {"gzip": ".gz", "zstd": ".zst"}.get(compression or "", "")
    path = path_of(shop, f"log.json{suffix}")
    with pa.output_stream(str(path), compression=compression) as stream:
        stream.write(LAYOUTS[layout](records).encode())
    assert outcome(read(shop, name)) == outcome(expected)
    assert contents(shop) == contents(plain)


@pytest.mark.parametrize("name", EXAMPLES)
def test_parquet_says_the_same(shop_factory: "Callable[[], Shop]", name: str) -> None:
    # one column has one type, so that what JSON mixes cannot stand in one Parquet file
    record = EXAMPLES[name][0]
    plain, shop = shop_factory(), shop_factory()
    plain.write("log.jsonl", record)
    pq.write_table(pa.Table.from_pylist([record]), path_of(shop, "log.parquet"))
    assert outcome(read(shop, name)) == outcome(read(plain, name)) == (1, 0, 0, 0)
    assert contents(shop) == contents(plain)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_file_that_has_grown_adds_only_what_is_new(shop: "Shop", name: str) -> None:
    records = EXAMPLES[name]
    shop.write("log.jsonl", *records[:-1])
    before = read(shop, name)
    shop.write("log.jsonl", *records)
    after = read(shop, name)
    assert after.duplicates == before.accepted
    assert (after.records, after.rejected) == (len(records), 0)
    whole = contents(shop)
    shop.write("log.jsonl.gz", *records)
    (shop.folder / "logs" / "log.jsonl").unlink()
    resent = read(shop, name)
    assert (resent.accepted, resent.duplicates) == (0, before.accepted + after.accepted)
    assert contents(shop) == whole


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("damage", ["cut", "bytes"])
def test_a_broken_file_is_refused_whole(shop: "Shop", name: str, damage: str) -> None:
    content = gzip.compress(as_lines(EXAMPLES[name]).encode())
    if damage == "cut":
        path_of(shop, "log.jsonl.gz").write_bytes(content[:-20])
    else:
        path_of(shop, "log.parquet").write_bytes(b"PAR1 but nothing more")
    source = {"format": name, "path": "log*", "options": OPTIONS.get(name, {})}
    [refused] = shop.ingest(logs=[source]).refused
    assert "cannot be read" in refused.refusal
    assert shop.lake.days("impressions") == []


@pytest.mark.parametrize("name", EXAMPLES)
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32))
def test_whatever_stands_in_a_line_is_one_record(
    shop_factory: "Callable[[], Shop]", name: str, seed: int
) -> None:
    draw = random.Random(seed)  # noqa: S311 - which damage, not a secret
    first, *_ = EXAMPLES[name]
    lines = [mutated(draw.choice(EXAMPLES[name]), draw) for _ in range(30)]
    lines = [json.dumps(first).encode(), *lines]
    shop = shop_factory()
    shop.write("log.jsonl", *lines)
    counts = read(shop, name, features=[], item_features=[])
    assert counts.records == sum(1 for line in lines if line.strip())
    assert len(shop.table("rejected_records")) == counts.rejected
    assert counts.accepted > 0


@pytest.mark.parametrize("name", EXAMPLES)
def test_nobody_is_known_from_quarantine(shop: "Shop", name: str) -> None:
    records: list[Record] = [
        {key: "x" if "time" in key else value for key, value in record.items()}
        for record in EXAMPLES[name]
    ]
    shop.write("log.jsonl", *records, *(json.dumps(record)[:-1] for record in records))
    counts = read(shop, name)
    assert counts.rejected >= len(records) + 1
    texts = " ".join(raw for (raw,) in shop.table("rejected_records", "raw"))
    for secret in ("anonymous-1", "user-1", "1234567", "visit-1", "visitor-1", "session-1"):
        assert secret not in texts
    assert "1790848000" not in texts  # the session of GA4


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("algolia", {"querry": "a"}, "options: querry: unknown key; did you mean 'query'?"),
        ("algolia", {"query": "a..b"}, "options: query: String should match pattern"),
        ("algolia", {"query": "queryid"}, "options: query: found 'queryid', expected a key that"),
        ("ga4", {"first_indx": 0}, "unknown key; did you mean 'first_index'?"),
        ("ga4", {"first_index": 2}, "options: first_index: Input should be 0 or 1, found 2"),
        ("coveo", {"timestamp": 5}, "options: timestamp: Input should be a valid string, found 5"),
        ("coveo", {"timestamp": "queryText.at", "time": "b"}, "options: time: unknown key"),
        ("coveo", {"timestamp": "Results"}, "did you mean 'results'?"),
        ("metarank", {"query": "q"}, "options: query: unknown key; did you mean 'query_field'?"),
        ("metarank", {"query_field": ""}, "options: query_field: String should have at least"),
    ],
)
def test_options_that_do_not_fit(shop: "Shop", name: str, options: Record, message: str) -> None:
    shop.write("log.jsonl", *EXAMPLES[name])
    with pytest.raises(ConfigurationError) as error:
        read(shop, name, options)
    assert message in str(error.value)
    assert str(error.value).startswith("problem shop: logs.0: options")


@pytest.mark.parametrize("name", EXAMPLES)
def test_there_is_one_path(shop: "Shop", name: str) -> None:
    source = {"format": name, "impressions": "log*", "options": OPTIONS.get(name, {})}
    with pytest.raises(ConfigurationError, match=f"format {name} needs the key path"):
        shop.ingest(logs=[source])


def test_the_pages_problem_files_work(shop_factory: "Callable[[], Shop]") -> None:
    text = (Path(__file__).parents[2] / "docs" / "log-formats.md").read_text()
    snippets = [yaml.safe_load(each) for each in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    snippets = [each for each in snippets if each["logs"][0]["format"] in EXAMPLES]
    assert [snippet["logs"][0]["format"] for snippet in snippets] == list(EXAMPLES)
    for snippet in snippets:
        shop = shop_factory()
        [source] = snippet["logs"]
        records = EXAMPLES[source["format"]]
        if source["format"] == "coveo":
            records = [{**record, "datetime": record["timestamp"]} for record in records]
        shop.write("log.jsonl", *records)
        [counts] = shop.ingest(**{**snippet, "logs": [{**source, "path": "log*"}]}).files
        assert counts.accepted >= 2
        assert counts.rejected == 0
