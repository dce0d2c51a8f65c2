"""UBI records as the schema documents them, and how a test reads them."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from label_platform.logs import FileCounts

if TYPE_CHECKING:
    from tests.logs.conftest import Shop

AT_TEN = datetime(2026, 10, 1, 10, tzinfo=UTC)
Record = dict[str, Any]


def event(action: str = "impression", ordinal: object = 1, **changes: object) -> Record:
    """An event as 1.3 documents it; a key that is changed to ... is left out."""
    record = {
        "application": "shop",
        "action_name": action,
        "query_id": "l1",
        "session_id": "s1",
        "client_id": "c1",
        "user_id": "u1",
        "message_type": "INFO",
        "message": "a message",
        "user_query": "lamp",
        "timestamp": "2026-10-01T10:00:00.000Z",
        "event_attributes": {
            "object": {"object_id": "i1", "object_id_field": "ean"},
            "position": {"ordinal": ordinal},
        },
    }
    return {key: value for key, value in (record | changes).items() if value is not ...}


def query(**changes: object) -> Record:
    record = {
        "application": "shop",
        "query_id": "l1",
        "client_id": "c1",
        "user_query": "lamp",
        "query_attributes": {},
        "timestamp": "2026-10-01T09:59:59.000Z",
        "query_response_id": "a1",
        "query_response_hit_ids": ["i1", "i2"],
    }
    return {key: value for key, value in (record | changes).items() if value is not ...}


def of(item: object, ordinal: object = 1) -> Record:
    return {"object": {"object_id": item}, "position": {"ordinal": ordinal}}


def read(
    shop: "Shop", options: Record | None = None, *, zone: str | None = None, **changes: object
) -> FileCounts:
    source = {"format": "ubi", "path": "ubi*", "options": options or {}, "time_zone": zone}
    [counts] = shop.ingest(**({"logs": [source]} | changes)).files
    kept = counts.accepted, counts.ignored, counts.rejected, counts.duplicates
    assert sum(kept) == counts.records
    return counts


def outcome(counts: FileCounts) -> tuple[int, int, int, int]:
    return counts.accepted, counts.ignored, counts.rejected, counts.duplicates
