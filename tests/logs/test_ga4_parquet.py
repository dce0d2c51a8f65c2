"""The GA4 export as Parquet files, with the types that BigQuery gives the columns."""

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from label_platform.logs import parquet_documents
from tests.logs.examples_of_formats import GA4, GA4_PURCHASE, GA4_VIEW, Record, outcome, read

if TYPE_CHECKING:
    from tests.logs.conftest import Shop

VALUE = pa.struct(
    {
        "string_value": pa.string(),
        "int_value": pa.int64(),
        "float_value": pa.float64(),
        "double_value": pa.float64(),
    }
)
ITEM = pa.struct(
    {
        "item_id": pa.string(),
        "item_list_id": pa.string(),
        "item_list_index": pa.string(),
        "price": pa.float64(),
        "quantity": pa.int64(),
    }
)
SCHEMA = pa.schema(
    {
        "event_date": pa.string(),
        "event_timestamp": pa.int64(),
        "event_name": pa.string(),
        "event_params": pa.list_(pa.struct({"key": pa.string(), "value": VALUE})),
        "user_id": pa.string(),
        "user_pseudo_id": pa.string(),
        "device": pa.struct({"category": pa.string()}),
        "items": pa.list_(ITEM),
        "is_active_user": pa.bool_(),
    }
)


def typed(record: Record) -> Record:
    """A record as it stands in the table: with integers, and absent values null."""
    parameters = [
        {"key": each["key"], "value": {kind: each["value"].get(kind) for kind in VALUE.names}}
        for each in record["event_params"]
    ]
    for each in parameters:
        if each["value"]["int_value"] is not None:
            each["value"]["int_value"] = int(each["value"]["int_value"])
    items = [{key: item.get(key) for key in ITEM.names} for item in record["items"]]
    for item in items:
        item["quantity"] = None if item["quantity"] is None else int(item["quantity"])
    moment = int(record["event_timestamp"])
    return record | {"event_timestamp": moment, "event_params": parameters, "items": items}


def write_parquet(shop: "Shop", records: list[Record], schema: pa.Schema = SCHEMA) -> None:
    path = shop.folder / "logs" / "log.parquet"
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(records, schema), path)


def test_a_parquet_export_adds_nothing_to_a_json_export(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_documents, "_BLOCK_ROWS", 2)
    shop.write("log.jsonl", *GA4)
    read(shop, "ga4")
    (shop.folder / "logs" / "log.jsonl").unlink()
    bad = typed(GA4_VIEW) | {"event_timestamp": 5}
    write_parquet(shop, [*map(typed, GA4), bad])
    assert outcome(read(shop, "ga4")) == (0, 1, 1, 5)
    assert shop.table("rejected_records", "source, line") == [("log.parquet", 7)]


def test_absent_numbers_of_pandas_are_absent(shop: "Shop") -> None:
    nan = float("nan")
    items = [{"item_id": "i2", "price": nan, "quantity": 2}]
    write_parquet(shop, [typed(GA4_PURCHASE) | {"items": items}])
    assert outcome(read(shop, "ga4")) == (1, 0, 0, 0)
    assert shop.table("interactions", "item_id, value") == [("i2", 1.0)]
