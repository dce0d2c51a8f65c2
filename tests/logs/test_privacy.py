import hmac
import json
from hashlib import md5
from shutil import rmtree
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
import pytest

from label_platform.logs.hidden_fields import REDACTED_FIELDS
from label_platform.logs.privacy import SECRET_VARIABLE, redacted_json
from label_platform.strict_yaml import ConfigurationError
from tests.logs.examples_of_formats import GA4_PURCHASE, GA4_VIEW

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
    with pytest.raises(ConfigurationError, match="another secret"):
        shop.ingest(user_ids="keyed")  # although nothing is new
    monkeypatch.delenv(SECRET_VARIABLE)
    with pytest.raises(ConfigurationError, match=SECRET_VARIABLE):
        shop.ingest(user_ids="keyed")


def pepper_of(secret: str) -> str:
    pepper = hmac.digest(secret.encode(), b"the pepper of content ids", "sha256")
    return pepper.hex()[:32] + "\x1f"


def peppered(secret: str, text: str) -> str:
    return md5((pepper_of(secret) + text).encode(), usedforsecurity=False).hexdigest()


def test_the_id_of_a_dropped_text_cannot_be_guessed(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, "s3cret")
    text = "my rare illness"
    shop.write("impressions.jsonl", shop.impression(query_id=..., query_text=text))
    shop.write("interactions.jsonl", shop.event())
    shop.ingest(user_ids="keyed", query_text={"keep": "none"})
    assert shop.table("impressions", "query_id") == [(peppered("s3cret", text),)]


def test_the_id_of_an_event_cannot_be_guessed(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, "s3cret")
    shop.write("impressions.jsonl", shop.impression())
    shop.write("interactions.jsonl", shop.event(request_id=..., user_id="ann", value=2))
    shop.ingest(user_ids="keyed")
    moment = np.base_repr(1_790_848_820_000_000, 36)  # 2026-10-01T10:00:20Z in microseconds
    said = f"\x1fi1\x1fclick\x1f2.0\x1f{moment}\x1f\x1f{pepper_of('s3cret')}ann\x1f\x1f"
    digest = md5(said.encode(), usedforsecurity=False).digest()
    # md5_number counts from the last byte
    assert shop.table("interactions", "interaction_id") == [(UUID(bytes=digest[::-1]),)]


@pytest.mark.parametrize("secret", ["s3cret", "another"])
def test_ids_of_ga4_depend_on_the_secret(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, secret)
    shop.write("log.jsonl", GA4_VIEW)
    shop.ingest(user_ids="keyed", logs=[{"format": "ga4", "path": "log.jsonl"}])
    visit = f"{GA4_VIEW['user_pseudo_id']}\x1f1790848000"
    request = peppered(secret, f"{visit}\x1flamps\x1f{GA4_VIEW['event_timestamp']}")
    assert shop.table("impressions", "distinct session_id, request_id") == [
        (peppered(secret, visit), request)
    ]


def test_a_row_of_kuairand_does_not_tell_its_user(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, "s3cret")
    shop.write("log.csv", "user_id,video_id,time_ms,is_click", "17345,2,1790848800000,1")
    shop.ingest(user_ids="keyed", logs=[{"format": "kuairand", "path": "log.csv"}])
    expected = peppered("s3cret", "17345\x1f2\x1f1790848800000")
    assert shop.table("impressions", "request_id") == [(expected,)]


def test_a_twin_of_an_event_does_not_tell_its_user(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.write("log.jsonl", GA4_PURCHASE | {"items": GA4_PURCHASE["items"][:1] * 2})
    ids = []
    for secret in ("s3cret", "another"):
        monkeypatch.setenv(SECRET_VARIABLE, secret)
        rmtree(shop.lake.folder, ignore_errors=True)
        shop.ingest(
            user_ids="keyed",
            logs=[{"format": "ga4", "path": "log.jsonl"}],
            signals={"purchase": {"window": "1d"}},
        )
        ids += shop.table("interactions", "interaction_id")
    assert len({*ids}) == len(ids) == 4


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
    '{"userId": "Ann", "sessionId": "s-1", "item_id": "i"}',
    '{"email": "Ann@example.com", "item_id": "i"}',
    '{"USER_ID": "Ann", "item_id": "i"}',
    '{"user\\u005fid": "Ann", "item_id": "i"}',
    '{"item_id": "i", "user_id" "Ann"}',
    '{"item_id": "i", "user_id": "4711", "User_Id" "Ann"}',
    '{"user_id":"Ann\\',
    *(
        json.dumps({name: "Ann", "item_id": "i"})
        for name in (
            "user-id",
            "User ID",
            "user.id",
            "uid",
            "user_token",
            "account_id",
            "ip_address",
            "ipAddress",
            "client_ip",
            "loginId",
            "context_userid",
            "c_user_id",
            "x-user-id",
            "customer_email",
        )
    ),
    '{"user_ids": ["Ann", "x"], "item_id": "i"}',
    '{"item_id": "i", "context_user_ids": [4711',
    json.dumps({"msg": json.dumps({"user_id": "Ann"}), "item_id": "i"}),
    json.dumps({"msg": json.dumps({"m": json.dumps({"user_id": 4711})}), "item_id": "i"}),
    json.dumps({"msg": "{'user_id': 'Ann'}", "item_id": "i"}),
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


@pytest.mark.parametrize(
    "line",
    [
        '{"item_id":"i1","device":"phone","position":',
        '{"item_id":"i1","title":"caf\\u0026\\u00e9","position":0}',
        '{"item_id":"i1","title":"the user of an email","position":0}',
        '{"query_id":"q1","request_id":"r1","product_id":"p1","item_uid":"u1","guid":"g1","zip":"z1"}',
        '{"user_agent":"Mozilla","randomized":true,"description":"d","member":"m","ship":"s"}',
        '{"query_id":"q1","request_id":"r1","user_agent":"Mozilla","item_ids":["i1"],"position":',
        json.dumps({"msg": json.dumps({"query_id": "q1", "user_agent": "Mozilla"})}),
    ],
)
def test_what_only_looks_like_a_key_withholds_nothing(shop: "Shop", line: str) -> None:
    assert shop.engine.row(f"select {redacted_json('$1', REDACTED_FIELDS)}", [line]) == (line,)


def test_columns_are_redacted_in_any_case(shop: "Shop") -> None:
    named = {"User_ID": "Ann", "Email": "Ann@example.com", "c-user-ids": "Ann", "User ID": "Ann"}
    record = shop.impression(position=0) | named
    shop.write("impressions.csv", ",".join(record), ",".join(map(str, record.values())))
    shop.write("interactions.jsonl", shop.event())
    shop.ingest()
    [(raw,)] = shop.table("rejected_records", "raw")
    assert raw == "r1,q1,i1,0,2026-10-01T10:00:00Z" + 4 * ",(redacted)"


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


@pytest.mark.parametrize(
    ("position", "found"),
    [
        ({"user_id": "alice"}, "an object (redacted)"),
        ([{"user_id": "alice"}], "an array (redacted)"),
        (' {"user_id": "alice"', "an object (redacted)"),
        ("a{1}", "'a{1}'"),
    ],
)
def test_what_stands_within_a_wrong_value_is_not_in_the_reason(
    shop: "Shop", position: object, found: str
) -> None:
    shop.write("impressions.jsonl", shop.impression(position=position))
    shop.write("interactions.jsonl", shop.event())
    shop.ingest()
    [(detail,)] = shop.table("rejected_records", "detail")
    assert detail == f"position: found {found}, expected a whole number from 1"
