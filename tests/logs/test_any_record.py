"""Whatever a log holds, ingestion ends and every record is in exactly one count."""

import json
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.logs.conftest import Shop

SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        [
            "",
            "r1",
            "click",
            "1.5",
            "1e999",
            "nan",
            "-0",
            "infinity",
            "epoch",
            "2026-10-01",
            "\ud800",
        ]
    ),
    st.sampled_from(["2026-10-01T10:00:00Z", "294247-01-01T00:00:00Z", "0001-01-01 BC"]),
    st.sampled_from([10**18, -(10**18), 10**15, 2**63, 1_790_848_800_000]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2)
    ),
    max_leaves=4,
)
KEYS = st.sampled_from(
    [
        "request_id",
        "item_id",
        "position",
        "signal",
        "value",
        "occurred_at",
        "shown_at",
        "query_id",
        "query_text",
        "user_id",
        "randomized",
        "logging_probability",
        "ingested_at",
        "interaction_id",
        "f_a",
        "F_A",
        "f_b",
    ]
)
CHANGES = st.dictionaries(KEYS | st.text(max_size=3), VALUES, max_size=4)
BYTES = st.tuples(st.integers(0, 400), st.binary(max_size=3))


def damaged(line: bytes, damage: tuple[int, bytes] | None) -> bytes:
    if damage is None:
        return line
    place = damage[0] % (len(line) + 1)
    return line[:place] + damage[1] + line[place + len(damage[1]) // 2 :]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    records=st.lists(st.tuples(CHANGES, st.none() | BYTES), min_size=1, max_size=12),
    ids=st.sampled_from(["integer", "string"]),
)
def test_in_is_accepted_plus_ignored_plus_rejected_plus_duplicates(
    shop_factory: "Callable[[], Shop]", records: list[Any], ids: str
) -> None:
    shop = shop_factory()
    base = shop.impression(request_id=1, item_id=2, f_a=1.5)
    lines = [damaged(json.dumps(base | changes).encode(), damage) for changes, damage in records]
    shop.write("impressions.jsonl", base, *lines)
    event = shop.event(request_id=1, item_id=2)
    lines = [damaged(json.dumps(event | changes).encode(), damage) for changes, damage in records]
    shop.write("interactions.jsonl", event, *lines)  # a sound document says how the file lies
    report = shop.ingest(ids=ids, features=["f_*"])
    for counts in report.files:
        kept = counts.accepted, counts.ignored, counts.rejected, counts.duplicates
        lines = (shop.folder / "logs" / counts.source).read_bytes().split(b"\n")
        assert sum(kept) == counts.records == sum(1 for line in lines if line.strip())
        assert min(kept) >= 0
        assert counts.refusal == ""
    stored = [len(shop.table(name)) for name in ("impressions", "interactions")]
    assert stored == [counts.accepted for counts in report.files]
    rejected = sum(counts.rejected for counts in report.files)
    assert len(shop.table("rejected_records")) == rejected
