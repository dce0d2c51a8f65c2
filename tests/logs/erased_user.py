"""Two users' lists and events; one of them, Ann, is to be erased."""

from typing import TYPE_CHECKING, Any

from label_platform.logs import Erasure, UserKeys, erase_user

if TYPE_CHECKING:
    from tests.logs.conftest import Shop

ANN, BOB = "ann-4711@example.org", "bob-0815@example.org"
LATER = "2026-10-02T10:00:00Z"


def records(shop: "Shop", *, without: str = "") -> dict[str, list[Any]]:
    """Two users' lists and events; without one of them, what a log would be that never saw them."""
    impressions = [
        (ANN, shop.impression(request_id="r1", user_id=ANN, session_id="s1")),
        (ANN, shop.impression(request_id="r1", user_id=ANN, session_id="s1", item_id="i2")),
        (BOB, shop.impression(request_id="r2", user_id=BOB, session_id="s2")),
        (BOB, shop.impression(request_id="r3", user_id=BOB, session_id="s3", shown_at=LATER)),
        (ANN, shop.impression(request_id="r4", user_id=ANN, session_id="s1", shown_at=LATER)),
        # a refused record of Ann's, and one of Bob's that speaks of her
        (ANN, shop.impression(request_id="r5", user_id=ANN, position=0)),
        (BOB, shop.impression(request_id="r6", user_id=BOB, position=0, query_text=f"<{ANN}>")),
    ]
    events = [
        (ANN, shop.event(request_id="r1")),
        (ANN, shop.event(request_id=..., user_id=ANN, item_id="i7")),
        (ANN, shop.event(request_id=..., session_id="s1", item_id="i8")),
        (BOB, shop.event(request_id="r2")),
        (BOB, shop.event(request_id=..., user_id=BOB, item_id="i9", occurred_at=LATER)),
        (BOB, shop.event(request_id=..., session_id="s2", item_id="i8")),
    ]
    return {
        "impressions.jsonl": [record for user, record in impressions if user != without],
        "interactions.jsonl": [record for user, record in events if user != without],
    }


def write(shop: "Shop", **options: str) -> None:
    for name, lines in records(shop, **options).items():
        shop.write(name, *lines)


def erase(shop: "Shop", user: str = ANN, **changes: object) -> Erasure:
    return erase_user(shop.problem(user_ids="keyed", **changes), shop.lake, shop.engine, user)


def key_of(shop: "Shop", user: str) -> str:
    return UserKeys(shop.problem(user_ids="keyed")).key(user)


def traces(shop: "Shop", *wanted: str) -> list[tuple[str, str]]:
    """Where texts stand: in columns of any Parquet file, or bytes of any file in the lake."""
    found = []
    for path in shop.lake.folder.rglob("*"):
        if not path.is_file():
            continue
        content = path.read_bytes().decode(errors="replace")
        if path.suffix == ".parquet":
            relation = f"read_parquet('{path}')"
            columns = shop.engine.schema(relation)
            rows = shop.engine.rows(f"select {', '.join(columns)} from {relation}")
            content += "\n".join(str(value) for row in rows for value in row)
        found += [(path.name, text) for text in wanted if text in content]
    return found
