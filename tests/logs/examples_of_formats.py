"""Records of the web analytics formats, written from their documentation."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from label_platform.logs import FileCounts, unreconciled

if TYPE_CHECKING:
    from tests.logs.conftest import Shop

Record = dict[str, Any]
AT_TEN = datetime(2026, 10, 1, 10, tzinfo=UTC)
AT_TEN_MS = 1_790_848_800_000
"""2026-10-01 10:00 UTC."""

ALGOLIA_LIST = "43b15df305339e827f0ac0bdc5ebcaa7"
ALGOLIA_VIEW: Record = {
    "eventType": "view",
    "eventName": "Items Viewed",
    "index": "products",
    "userToken": "anonymous-1",
    "authenticatedUserToken": "user-1",
    "timestamp": AT_TEN_MS,
    "queryID": ALGOLIA_LIST,
    "objectIDs": ["i1", "i2"],
    "positions": [21, 22],
}
ALGOLIA_CLICK: Record = ALGOLIA_VIEW | {
    "eventType": "click",
    "eventName": "Item Clicked",
    "timestamp": AT_TEN_MS + 5_000,
    "objectIDs": ["i2"],
    "positions": [22],
}
ALGOLIA_CART: Record = {
    "eventType": "conversion",
    "eventSubtype": "addToCart",
    "eventName": "Item Added To Cart",
    "index": "products",
    "userToken": "anonymous-1",
    "timestamp": AT_TEN_MS + 10_000,
    "queryID": ALGOLIA_LIST,
    "objectIDs": ["i2"],
    "objectData": [{"price": 19.5, "quantity": 2}],
    "value": 39,
    "currency": "EUR",
}
ALGOLIA_PURCHASE: Record = {
    "eventType": "conversion",
    "eventSubtype": "purchase",
    "eventName": "Items Bought",
    "index": "products",
    "userToken": "anonymous-1",
    "timestamp": AT_TEN_MS + 60_000,
    "objectIDs": ["i2", "i9"],
    "objectData": [
        {"queryID": ALGOLIA_LIST, "price": 19.5, "quantity": 2, "discount": 1},
        {"price": "4", "quantity": 1},
    ],
    "value": 43,
    "currency": "EUR",
}
ALGOLIA_FILTERS: Record = {
    "eventType": "click",
    "eventName": "Filter Clicked",
    "index": "products",
    "userToken": "anonymous-1",
    "timestamp": AT_TEN_MS,
    "filters": ["brand:apple"],
}
ALGOLIA = [ALGOLIA_VIEW, ALGOLIA_CLICK, ALGOLIA_CART, ALGOLIA_PURCHASE, ALGOLIA_FILTERS]

GA4_VIEW: Record = {
    "event_date": "20261001",
    "event_timestamp": "1790848800000123",
    "event_name": "view_item_list",
    "event_params": [
        {"key": "ga_session_id", "value": {"int_value": "1790848000"}},
        {"key": "page_title", "value": {"string_value": "Lamps"}},
    ],
    "user_pseudo_id": "1234567.1690000000",
    "device": {"category": "mobile", "language": "en"},
    "items": [
        {
            "item_id": "i1",
            "item_name": "Lamp",
            "item_list_id": "lamps",
            "item_list_name": "All lamps",
            "item_list_index": "1",
            "price": 20.0,
        },
        {
            "item_id": "i2",
            "item_name": "Bulb",
            "item_list_id": "lamps",
            "item_list_name": "All lamps",
            "item_list_index": "2",
            "price": 2.5,
        },
    ],
}
GA4_SELECT: Record = GA4_VIEW | {
    "event_timestamp": "1790848805000000",
    "event_name": "select_item",
    "items": [GA4_VIEW["items"][1]],
}
GA4_CART: Record = GA4_SELECT | {
    "event_timestamp": "1790848810000000",
    "event_name": "add_to_cart",
    "user_id": "user-1",
}
GA4_PURCHASE: Record = GA4_SELECT | {
    "event_timestamp": "1790848860000000",
    "event_name": "purchase",
    "items": [{"item_id": "i2", "item_list_name": "(not set)", "price": 2.5, "quantity": "4"}],
}
GA4_REFUND: Record = GA4_PURCHASE | {
    "event_timestamp": "1790935260000000",
    "event_name": "refund",
    "items": [{"item_id": "i2", "price": 2.5, "quantity": "1"}],
}
GA4_PAGE: Record = GA4_VIEW | {"event_name": "page_view", "items": []}
GA4 = [GA4_VIEW, GA4_SELECT, GA4_CART, GA4_PURCHASE, GA4_REFUND, GA4_PAGE]

COVEO_SEARCH: Record = {
    "timestamp": AT_TEN_MS,
    "searchQueryUid": "74682726-0e20-46eb-85ac-f37259346f57",
    "queryText": "lamp",
    "actionCause": "searchboxSubmit",
    "responseTime": 42,
    "numberOfResults": 2,
    "results": [
        {"documentUri": "https://shop.example/1", "documentUriHash": "h1"},
        {"documentUri": "https://shop.example/2", "documentUriHash": "h2"},
    ],
    "queryPipeline": "ml",
    "originLevel1": "ProductSearch",
    "userAgent": "Mozilla/5.0",
    "visitorId": "visitor-1",
    "visitId": "visit-1",
    "username": "anonymous",
    "anonymous": True,
}
COVEO_CLICK: Record = {
    "timestamp": AT_TEN_MS + 5_000,
    "searchQueryUid": "74682726-0e20-46eb-85ac-f37259346f57",
    "actionCause": "documentOpen",
    "documentUri": "https://shop.example/2",
    "documentUriHash": "h2",
    "documentPosition": 2,
    "originLevel1": "ProductSearch",
    "visitorId": "visitor-1",
    "visitId": "visit-1",
}
COVEO_CUSTOM: Record = {
    "timestamp": AT_TEN_MS + 10_000,
    "eventType": "smartSnippet",
    "eventValue": "likeSmartSnippet",
    "lastSearchQueryUid": "74682726-0e20-46eb-85ac-f37259346f57",
    "customData": {"contentIDKey": "urihash", "contentIDValue": "h2"},
    "visitorId": "visitor-1",
    "visitId": "visit-1",
}
COVEO_PAGE: Record = {
    "timestamp": AT_TEN_MS,
    "location": "https://shop.example/1",
    "contentIdKey": "permanentid",
    "contentIdValue": "p1",
    "contentType": "Product",
    "visitorId": "visitor-1",
}
COVEO = [COVEO_SEARCH, COVEO_CLICK, COVEO_CUSTOM, COVEO_PAGE]

METARANK_RANKING: Record = {
    "event": "ranking",
    "id": "ranking-1",
    "timestamp": str(AT_TEN_MS),
    "user": "user-1",
    "session": "session-1",
    "fields": [{"name": "query", "value": "lamp"}, {"name": "source", "value": "search"}],
    "items": [
        {"id": "i1", "fields": [{"name": "bm25", "value": 2.5}]},
        {"id": "i2", "relevancy": 1.5},
    ],
}
METARANK_INTERACTION: Record = {
    "event": "interaction",
    "id": "interaction-1",
    "ranking": "ranking-1",
    "timestamp": AT_TEN_MS + 5_000,
    "user": "user-1",
    "session": "session-1",
    "type": "addToCart",
    "item": "i2",
    "fields": [{"name": "shipping", "value": "post"}],
}
METARANK_ITEM: Record = {
    "event": "item",
    "id": "item-1",
    "timestamp": str(AT_TEN_MS - 1_000),
    "item": "i1",
    "fields": [
        {"name": "title", "value": "Lamp"},
        {"name": "price", "value": 20},
        {"name": "color", "value": ["white", "black"]},
        {"name": "is_new", "value": True},
    ],
}
METARANK_USER: Record = {
    "event": "user",
    "id": "user-event-1",
    "timestamp": str(AT_TEN_MS),
    "user": "user-1",
    "fields": [{"name": "age", "value": 33}],
}
METARANK = [METARANK_RANKING, METARANK_INTERACTION, METARANK_ITEM, METARANK_USER]

EXAMPLES: dict[str, list[Record]] = {
    "algolia": ALGOLIA,
    "ga4": GA4,
    "coveo": COVEO,
    "metarank": METARANK,
}
"""Records of each format, by its name; the first of each is a list that was shown."""

OPTIONS: dict[str, Record] = {"coveo": {"timestamp": "timestamp"}}
"""What a format must be told."""


def changed(record: Record, **changes: object) -> Record:
    """A record with other values; a key that is changed to ... is left out."""
    return {key: value for key, value in (record | changes).items() if value is not ...}


def read(shop: "Shop", name: str, options: Record | None = None, **changes: object) -> FileCounts:
    """Ingest the files log* of a shop, of which there is one, and check that all is counted."""
    source = {"format": name, "path": "log*", "options": OPTIONS.get(name, {}) | (options or {})}
    signals = {each: {"window": "1d"} for each in ("click", "add_to_cart")}
    signals["purchase"] = {"window": "7d", "reversed_by": "return"}
    [counts] = shop.ingest(**({"logs": [source], "signals": signals} | changes)).files
    assert counts.refusal == ""
    assert sum(outcome(counts)) == counts.records
    assert min(outcome(counts)) >= 0
    assert unreconciled(shop.engine, shop.lake) == []
    return counts


def outcome(counts: FileCounts) -> tuple[int, int, int, int]:
    """Accepted, ignored, rejected, duplicates."""
    return counts.accepted, counts.ignored, counts.rejected, counts.duplicates
