"""A problem file that is changed after records were read, and what the lake can follow of it."""

from typing import TYPE_CHECKING

import pytest

from label_platform.logs import replay
from label_platform.strict_yaml import ConfigurationError
from tests.logs.conftest import NOW

if TYPE_CHECKING:
    from tests.logs.conftest import Shop


def fill(shop: "Shop", **changes: object) -> None:
    shop.write("impressions.jsonl", shop.impression(request_id="7", score=1, price=2))
    shop.write("interactions.jsonl", shop.event(request_id="7"))
    shop.ingest(**changes)


@pytest.mark.parametrize("added", ["price", "pri*", "*"])
def test_a_feature_that_was_added_is_not_silently_absent(shop: "Shop", added: str) -> None:
    fill(shop, features=["score"])
    with pytest.raises(ConfigurationError) as error:
        shop.ingest(features=["score", added])
    said = str(error.value)
    assert said.startswith(
        f"features: {added!r} was added after impressions.jsonl was read, which is not read "
        "again: the impressions that are there would lack it. Take the change back, or remove all "
    )
    assert str(shop.lake.folder) in said
    assert "_tombstones.json and ingest again" in said


def test_a_feature_may_go_and_come_back(shop: "Shop") -> None:
    fill(shop, features=["score", "price"])
    shop.ingest(features=["score"])
    shop.ingest(features=["price", "score"])
    assert shop.table("impressions", "score, price") == [(1.0, 2.0)]


def test_a_feature_that_is_missing_in_files_read_meanwhile_does_not_come_back(shop: "Shop") -> None:
    fill(shop, features=["score", "price"])
    shop.write("impressions-2.jsonl", shop.impression(request_id="8", score=3, price=4))
    shop.ingest(features=["score"])
    with pytest.raises(ConfigurationError, match=r"^features: 'price' .*impressions-2\.jsonl"):
        shop.ingest(features=["score", "price"])


def test_a_narrower_pattern_than_before_is_no_new_feature(shop: "Shop") -> None:
    fill(shop, features=["*"])
    for features in (["price"], ["p*", "score"], ["pric?"], ["[ps]*"]):
        shop.ingest(features=features)
    assert shop.table("impressions", "score, price") == [(1.0, 2.0)]


def test_a_feature_may_be_added_while_nothing_was_accepted(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression(score=1, price=2, shown_at=1))
    shop.write("interactions.jsonl", shop.event())
    shop.ingest(features=["score"])
    shop.ingest(features=["score", "price"])
    shop.write("impressions.jsonl", shop.impression(score=1, price=2))
    for _ in range(2):
        shop.ingest(features=["score", "price"])
    assert shop.table("impressions", "score, price") == [(1.0, 2.0)]


def test_an_item_feature_that_was_added_is_not_silently_absent(shop: "Shop") -> None:
    shop.write("items.jsonl", {"item_id": "i1", "brand": "b", "size": 3})
    shop.write("impressions.jsonl", shop.impression())
    native = {"format": "native", "impressions": "impressions*", "interactions": "interactions*"}
    shop.write("interactions.jsonl", shop.event())
    logs = [native | {"items": "items*"}]
    shop.ingest(logs=logs, item_features=["brand"])
    with pytest.raises(ConfigurationError, match=r"^item_features: 'size' was added after .*items"):
        shop.ingest(logs=logs, item_features=["brand", "size"])


def test_another_kind_of_ids_is_refused(shop: "Shop") -> None:
    fill(shop)
    with pytest.raises(ConfigurationError) as error:
        shop.ingest(ids="integer")
    assert str(error.value).startswith(
        "ids was 'string', is 'integer' after impressions.jsonl was read, which is not read "
        "again: ids of two kinds do not find each other. Take the change back, or remove all of "
    )


def test_records_of_an_earlier_problem_file_are_not_replayed_with_another(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression(score=1), shop.impression(item_id=...))
    shop.write("interactions.jsonl", shop.event())
    shop.ingest(features=["score"])
    with pytest.raises(ConfigurationError, match=r"^features: 'price' was added"):
        replay(shop.problem(features=["price"]), shop.lake, shop.engine, as_if=NOW)


def test_a_ledger_without_these_notes_is_taken_as_it_is(shop: "Shop") -> None:
    fill(shop, features=["score"])
    path = shop.lake.folder / "_ingested.json"
    path.write_text(path.read_text().replace('"read_as"', '"another_note"'))
    assert shop.ingest(features=["score", "price"]).unchanged == 2


@pytest.mark.parametrize(
    ("damaged", "found"),
    [
        ("", "Expecting value: line 1"),
        ('{"format_version": 2, "fi', "Unterminated string"),
        ("[]", "no format_version"),
        ("{}", "no format_version"),
    ],
)
def test_a_damaged_ledger_is_named_with_a_way_out(shop: "Shop", damaged: str, found: str) -> None:
    fill(shop)
    path = shop.lake.folder / "_ingested.json"
    path.write_text(damaged)
    with pytest.raises(ConfigurationError) as error:
        shop.ingest()
    said = str(error.value)
    assert said.startswith(f"{path}: cannot be read: found {found}")
    assert f"remove all of {shop.lake.folder} but _tombstones.json and ingest again" in said
