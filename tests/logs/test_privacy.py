import hmac
import json
from typing import TYPE_CHECKING

import pytest

from label_platform.logs.contract import REDACTED_FIELDS
from label_platform.logs.privacy import SECRET_VARIABLE, redacted_json
from label_platform.strict_yaml import ConfigurationError

if TYPE_CHECKING:
    from tests.logs.conftest import Shop


def write(shop: "Shop") -> None:
    users = ["ann", "bob", "ann", None]
    records = [shop.impression(item_id=f"i{n}", user_id=user) for n, user in enumerate(users)]
    shop.write("impressions.jsonl", *records)
    shop.write("interactions.jsonl", shop.event())


def test_keyed_users_are_hmacs(shop: "Shop", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, "s3cret")
    write(shop)
    shop.ingest(user_ids="keyed")
    ann, bob = (hmac.digest(b"s3cret", user, "sha256").hex()[:32] for user in (b"ann", b"bob"))
    found = shop.table("impressions", "item_id, user_key")
    assert found == [("i0", ann), ("i1", bob), ("i2", ann), ("i3", None)]


def test_a_missing_secret_is_an_error(shop: "Shop") -> None:
    write(shop)
    with pytest.raises(ConfigurationError, match=SECRET_VARIABLE):
        shop.ingest(user_ids="keyed")


def test_another_secret_is_an_error(shop: "Shop", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, "s3cret")
    write(shop)
    shop.ingest(user_ids="keyed")
    monkeypatch.setenv(SECRET_VARIABLE, "another")
    shop.write("impressions-2.jsonl", shop.impression(request_id="r2", user_id="ann"))
    with pytest.raises(ConfigurationError, match="another secret"):
        shop.ingest(user_ids="keyed")


NAMES = ("Ann", "4711", "s-1")
SECRETIVE = [
    json.dumps({"user_id": "Ann", "session_id": "s-1", "item_id": "i"}),
    '{"user_id" : 4711, "item_id": "i"}',
    '{"item_id": "i", "user_id": 4711',
    '{"item_id": "i", "user_id": "Ann',
    '{"item_id": "i", "user_id": "A\\"Ann"}',
    "{'user_id': 'Ann', 'item_id': 'i'}",
    '{"user_id": {"name": {"first": "Ann"}}, "item_id": "i"}',
    '{"user_id": ["x", "Ann"], "item_id": "i"}',
    "user_id=Ann item_id=i",
]


@pytest.mark.parametrize("line", SECRETIVE)
def test_quarantined_text_names_nobody(shop: "Shop", line: str) -> None:
    found = shop.engine.row(f"select {redacted_json('$1', REDACTED_FIELDS)}", [line])[0]
    assert not [name for name in NAMES if name in found]
    assert "(redacted)" in found


def test_redaction_leaves_the_rest(shop: "Shop") -> None:
    line = '{"user_id":"Ann","item_id":"i1","position":0}'
    found = shop.engine.row(f"select {redacted_json('$1', REDACTED_FIELDS)}", [line])[0]
    assert found == '{"user_id":"(redacted)","item_id":"i1","position":0}'


@pytest.mark.parametrize("name", ["impressions.csv", "impressions.jsonl"])
def test_a_refused_record_is_kept_without_its_user(shop: "Shop", name: str) -> None:
    record = shop.impression(user_id="Ann", session_id="s-1", position=0)
    if name.endswith("csv"):
        shop.write(name, ",".join(record), ",".join(map(str, record.values())))
    else:
        shop.write(name, record)
    shop.write("interactions.jsonl", shop.event())
    shop.ingest()
    [(raw,)] = shop.table("rejected_records", "raw")
    assert not [secret for secret in NAMES if secret in raw]
    assert "2026-10-01T10:00:00Z" in raw


@pytest.mark.parametrize("name", ["impressions.csv", "impressions.jsonl"])
@pytest.mark.parametrize(("keep", "is_kept"), [("all", True), ("frequent", False), ("none", False)])
def test_a_refused_record_keeps_its_query_as_the_others_do(
    shop: "Shop", name: str, keep: str, *, is_kept: bool
) -> None:
    record = shop.impression(query_text="my illness", position=0)
    if name.endswith("csv"):
        shop.write(name, ",".join(record), ",".join(map(str, record.values())))
    else:
        shop.write(name, record)
    shop.write("interactions.jsonl", shop.event())
    shop.ingest(query_text={"keep": keep})
    [(raw,)] = shop.table("rejected_records", "raw")
    assert ("my illness" in raw) == is_kept
    assert "2026-10-01T10:00:00Z" in raw


def test_a_refused_query_text_is_not_in_the_reason(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression(query_text=["my illness"]))
    shop.write("interactions.jsonl", shop.event())
    shop.ingest(query_text={"keep": "none"})
    [(detail,)] = shop.table("rejected_records", "detail")
    assert detail == "query_text: found a value (redacted), expected text"
