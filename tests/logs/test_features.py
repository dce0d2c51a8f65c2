import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from label_platform.logs import IngestReport
from label_platform.strict_yaml import ConfigurationError

if TYPE_CHECKING:
    from tests.logs.conftest import Shop


def ingest_features(
    shop: "Shop", *records: dict[str, Any], name: str = "impressions.jsonl"
) -> IngestReport:
    shop.write(name, *(shop.impression(item_id=f"i{n}") | r for n, r in enumerate(records)))
    shop.write("interactions.jsonl", shop.event())
    return shop.ingest(features=["f_*"])


def test_columns_that_match_are_kept_and_others_are_not(shop: "Shop") -> None:
    ingest_features(shop, {"f_a": 1, "f_b": "red", "x": 1}, {"f_a": 2.5}, {"f_a": "nan"})
    schema = shop.engine.schema(shop.lake.scan("impressions", shop.lake.days("impressions")))
    assert (schema["f_a"], schema["f_b"], "x" in schema) == ("FLOAT", "VARCHAR", False)
    assert shop.table("impressions", "item_id, f_a, f_b") == [
        ("i0", 1.0, "red"),
        ("i1", 2.5, None),
        ("i2", None, None),
    ]


def test_an_infinite_feature_is_refused(shop: "Shop") -> None:
    assert ingest_features(shop, {"f_a": 1}, {"f_a": "1e39"}, {"f_a": "inf"}).files[0].rejected == 2
    assert {reason for (reason,) in shop.table("rejected_records", "reason")} == {
        "value_not_finite"
    }


def test_a_type_holds_for_all_files_once_it_is_known(shop: "Shop") -> None:
    ingest_features(shop, {"f_a": 1}, {"f_a": 2}, {"f_a": "?"})
    report = ingest_features(shop, {"request_id": "r2", "f_a": "red"}, name="impressions-2.jsonl")
    assert (report.files[0].accepted, report.files[0].rejected) == (0, 1)
    assert shop.table("rejected_records", "source, detail") == [
        ("impressions-2.jsonl", "f_a: found 'red', expected a number, as in the files before"),
        ("impressions.jsonl", "f_a: found '?', expected a number, as in the files before"),
    ]


def test_a_file_without_a_column_others_have(shop: "Shop") -> None:
    ingest_features(shop, {"f_a": 1})
    ingest_features(shop, {"request_id": "r2", "f_b": 2}, name="impressions-2.jsonl")
    columns = "request_id, f_a, f_b"
    assert shop.table("impressions", columns) == [("r1", 1.0, None), ("r2", None, 2.0)]


def test_parquet_says_itself_what_is_a_number(shop: "Shop") -> None:
    records = [shop.impression(item_id=f"i{n}") for n in range(2)]
    columns = {key: [record[key] for record in records] for key in records[0]}
    columns |= {"f_code": ["1", "2"], "f_on": [True, False], "f_x": [math.nan, 2.0]}
    folder = shop.write("interactions.jsonl", shop.event()).parent
    pq.write_table(pa.table(columns), folder / "impressions.parquet")
    shop.ingest(features=["f_*"])
    found = shop.table("impressions", "item_id, f_code, f_on, f_x")
    assert found == [("i0", "1", 1.0, None), ("i1", "2", 0.0, 2.0)]


def test_a_nested_column_is_no_feature(shop: "Shop") -> None:
    columns = {key: [value] for key, value in shop.impression().items()} | {"f_vector": [[1.0]]}
    folder = shop.write("interactions.jsonl", shop.event()).parent
    pq.write_table(pa.table(columns), folder / "impressions.parquet")
    with pytest.raises(ConfigurationError, match=r"'f_vector': found type DOUBLE\[\]"):
        shop.ingest(features=["f_*"])


def test_a_glob_that_matches_no_column_is_an_error(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression(feature_price=1))
    shop.write("interactions.jsonl", shop.event())
    with pytest.raises(
        ConfigurationError, match=r"^features: 'f_price' matches no column"
    ) as error:
        shop.ingest(features=["f_price"])
    assert "did you mean 'feature_price'?" in str(error.value)
    assert shop.lake.days("impressions") == []


@pytest.mark.parametrize("name", ["f_a-b", 'f_"quoted"', "f_ü", "f_\\", "f_a.b"])
def test_names_that_sql_or_json_would_trip_over(shop: "Shop", name: str) -> None:
    ingest_features(shop, {name: 1.5})
    quoted = name.replace('"', '""')
    assert shop.table("impressions", f'"{quoted}"') == [(1.5,)]


def test_keys_of_the_contract_are_never_features(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression(extra=1, Extra=2, user_key="x"))
    shop.write("interactions.jsonl", shop.event())
    shop.ingest(features=["*"])
    schema = shop.engine.schema(shop.lake.scan("impressions", shop.lake.days("impressions")))
    assert sum(name.lower() == "extra" for name in schema) == 1
    assert shop.table("impressions", "user_key") == [(None,)]


@pytest.mark.parametrize("glob", ["*", "[a-z]*", "?????*"])
def test_a_wildcard_leaves_out_what_tells_people_apart(shop: "Shop", glob: str) -> None:
    told = {"email": "ann@x.org", "customer_id": 1, "user_pseudo_id": "a", "Device-Id": "b"}
    shop.write("impressions.jsonl", shop.impression(price=1, user_agent_age=2, **told))
    shop.write("interactions.jsonl", shop.event())
    shop.ingest(features=[glob])
    types = shop.engine.schema(shop.lake.scan("impressions", shop.lake.days("impressions")))
    assert told.keys().isdisjoint(types)
    assert shop.table("impressions", "price, user_agent_age") == [(1.0, 2.0)]


def test_a_feature_that_is_named_in_full_is_meant(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression(customer_id=7, email="ann@x.org"))
    shop.write("interactions.jsonl", shop.event())
    shop.ingest(features=["*", "customer_id"])
    types = shop.engine.schema(shop.lake.scan("impressions", shop.lake.days("impressions")))
    assert "email" not in types
    assert shop.table("impressions", "customer_id") == [(7.0,)]


WATCHED = (
    "user_id,video_id,time_ms,is_click,is_like,long_view,play_time_ms,label,duration_ms",
    "7,300,1790848800000,1,0,1,9000,0,20000",
)


def test_a_wildcard_leaves_out_what_came_of_an_impression(shop: "Shop") -> None:
    shop.write("log.csv", *WATCHED)
    logs = [{"format": "kuairand", "path": "log*"}]
    signals = {name: {"window": "1d"} for name in ("click", "watch_s")}
    shop.ingest(logs=logs, signals=signals, features=["*"])
    types = shop.engine.schema(shop.lake.scan("impressions", shop.lake.days("impressions")))
    came = {"is_click", "is_like", "long_view", "play_time_ms", "watch_s", "label"}
    assert came.isdisjoint(types)
    assert shop.table("impressions", "duration_ms") == [(20000.0,)]
    assert shop.table("interactions", "signal, value") == [("click", 1.0), ("watch_s", 9.0)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("long_view", "features: 'long_view' is the signal long_view of the format kuairand"),
        ("watch_s", "features: 'watch_s' is the signal watch_s"),
        ("play_time_ms", "features: 'play_time_ms' matches no column"),
    ],
)
def test_a_feature_that_came_of_an_impression_is_named(
    shop: "Shop", name: str, expected: str
) -> None:
    shop.write("log.csv", *WATCHED)
    logs = [{"format": "kuairand", "path": "log*"}]
    with pytest.raises(ConfigurationError, match=expected):
        shop.ingest(logs=logs, features=["duration_ms", name])
