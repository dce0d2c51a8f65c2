"""Logs of two days, of which some records are repeated, unwanted or damaged."""

from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.logs.conftest import Shop

DAY_1, DAY_2, DAY_3 = date(2026, 10, 1), date(2026, 10, 2), date(2026, 10, 3)


def on(day: int, time: str = "10:00:00") -> str:
    return f"2026-10-{day:02}T{time}Z"


def two_days(shop: "Shop") -> None:
    shop.write(
        "impressions-1.jsonl",
        shop.impression(),
        shop.impression(item_id="i2", position=2),
        shop.impression(),  # sent twice
        "not json",
    )
    shop.write("impressions-2.jsonl.gz", shop.impression(request_id="r2", shown_at=on(2)))
    shop.write(
        "interactions.jsonl",
        shop.event(),
        shop.event(signal="hover"),
        shop.event(signal="return", occurred_at=on(2)),
        shop.event(request_id="r2", occurred_at=on(2)),
        shop.event(value="abc"),
    )
