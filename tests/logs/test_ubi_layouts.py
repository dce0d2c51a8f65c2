"""UBI files in every layout, plain and compressed, and the real dump."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from label_platform.lake import Engine, Lake
from label_platform.logs import ingest
from label_platform.problem import Problem
from tests.logs.ubi_records import Record, event, of, outcome, query, read

if TYPE_CHECKING:
    from tests.logs.conftest import Shop

SAMPLE = Path(__file__).parents[3] / "shared" / "data" / "ubi_esci"


def as_lines(records: list[Record]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def as_bulk(records: list[Record]) -> str:
    actions = [{"index": {"_index": "ubi_events", "_id": "1"}}, {"create": {}}]
    pairs = [(actions[n % 2], record) for n, record in enumerate(records)]
    return as_lines([line for pair in pairs for line in pair])


def as_sources(records: list[Record]) -> str:
    return as_lines([{"_index": "ubi", "_id": "1", "_source": record} for record in records])


def as_elements(records: list[Record]) -> str:
    return "[\n" + ",\n".join(map(json.dumps, records)) + "\n]\n"


@pytest.mark.parametrize(
    "write",
    [
        as_lines,
        as_bulk,
        as_sources,
        as_elements,
        json.dumps,
        lambda records: json.dumps(records, indent=2),
        lambda records: "".join(json.dumps(record, indent=2) + "\n" for record in records),
    ],
    ids=["lines", "bulk", "sources", "elements", "array", "pretty array", "pretty documents"],
)
@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
def test_every_layout_says_the_same(
    shop: "Shop", write: Callable[[list[Record]], str], compression: str | None
) -> None:
    records = [
        query(query='{"_source": "a query of the search engine\'s own"}'),
        event(message='a "_source" in what somebody typed'),
        event(event_attributes=of("i2", 2)),
        event("click"),
    ]
    suffix = {None: "", "gzip": ".gz", "zstd": ".zst"}[compression]
    path = shop.write(f"ubi.json{suffix}")
    with pa.output_stream(str(path), compression=compression) as stream:
        stream.write(write(records).encode())
    assert outcome(read(shop)) == (4, 0, 0, 0)
    assert shop.table("impressions", "item_id, position") == [("i1", 1), ("i2", 2)]
    assert shop.table("interactions", "item_id, signal") == [("i1", "click")]
    assert shop.table("requests", "request_id") == [("l1",)]


@pytest.mark.skipif(not SAMPLE.is_dir(), reason=f"needs the UBI sample in {SAMPLE}")
def test_the_real_sample_reconciles_to_the_last_record(tmp_path: Path, engine: Engine) -> None:
    """473 queries and 3,448 events; what must come out is counted from the file by itself."""
    with gzip.open(SAMPLE / "ubi_queries_events.ndjson.gz", "rt") as lines:
        records = [json.loads(line) for line in list(lines)[1::2]]
    queries = [record for record in records if "action_name" not in record]
    events = [record for record in records if "action_name" in record]
    assert (len(queries), len(events)) == (473, 3448)
    asked = ("click", "add_to_cart", "purchase")
    wanted = [record for record in events if record["action_name"] in asked]
    shown = [record for record in events if record["action_name"] == "impression"]
    told = {(each["query_id"], each["timestamp"], each["user_query"]) for each in queries}
    problem = Problem.model_validate(
        {
            "name": "ubi_esci",
            "start_date": "2024-06-03",
            "logs": [
                {
                    "format": "ubi",
                    "path": "*.ndjson.gz",
                    "options": {"first_ordinal": {"default": 1, "esci_ubi_sample": 0}},
                }
            ],
            "logs_folder": str(SAMPLE),
            "signals": {name: {"window": "1d"} for name in asked},
            "policies": {"use": ["raw_click"]},
            "user_ids": "public",
        }
    )
    lake = Lake(tmp_path, problem.name)
    report = ingest(problem, lake, engine)
    [counts] = report.files
    assert counts.records == len(records)
    assert outcome(counts) == (
        len(told) + len(shown) + len(wanted),
        len(events) - len(shown) - len(wanted),
        0,
        len(queries) - len(told),
    )
    impressions = lake.scan("impressions", lake.days("impressions"))
    interactions = lake.scan("interactions", lake.days("interactions"))
    joined = (
        f"{interactions} as events left join {impressions} as lists using (request_id, item_id)"
    )
    lists = {(each["query_id"], each["event_attributes"]["object"]["object_id"]) for each in shown}
    lost = [
        each
        for each in wanted
        if (each["query_id"], each["event_attributes"]["object"]["object_id"]) not in lists
    ]
    found = engine.row(
        "select count(*), count(*) filter (lists.position is null),"
        f" count(*) filter (lists.position <> events.position) from {joined}"
    )
    assert found == (len(wanted), len(lost), 0)
    assert len(lost) == 95
    by_base = (
        f"select surface, min(position), max(position) from {impressions} group by 1 order by 1"
    )
    assert engine.rows(by_base) == [("Chorus", 1, 20), ("esci_ubi_sample", 0 + 1, 4 + 1)]
