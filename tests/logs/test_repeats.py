"""What is sent again around midnight is one record, whichever file or line comes first."""

from typing import TYPE_CHECKING, Any

import pytest

from label_platform.logs import unreconciled

if TYPE_CHECKING:
    from tests.logs.conftest import Shop

BEFORE, AFTER = "2026-10-02T23:59:59Z", "2026-10-03T00:00:02Z"
LATER = "2026-10-05T00:00:00Z"
MOMENT = {"impressions": "shown_at", "interactions": "occurred_at"}


def record(shop: "Shop", table: str, moment: str) -> dict[str, Any]:
    if table == "impressions":
        return shop.impression(shown_at=moment)
    return shop.event(interaction_id="e1", occurred_at=moment)


def write(shop: "Shop", table: str, *files: list[str]) -> None:
    for other in MOMENT.keys() - {table}:
        shop.write(f"{other}.jsonl")
    for number, moments in enumerate(files):
        shop.write(f"{table}-{number}.jsonl", *(record(shop, table, each) for each in moments))


def days(shop: "Shop", table: str) -> list[int]:
    return [day for (day,) in shop.table(table, f"day({MOMENT[table]})")]


@pytest.mark.parametrize("table", MOMENT)
@pytest.mark.parametrize("moments", [[BEFORE, AFTER], [AFTER, BEFORE]])
def test_of_one_file_the_earliest_counts(shop: "Shop", table: str, moments: list[str]) -> None:
    write(shop, table, moments)
    counts = [each for each in shop.ingest().files if each.records]
    assert [(each.accepted, each.duplicates) for each in counts] == [(1, 1)]
    assert days(shop, table) == [2]
    assert unreconciled(shop.engine, shop.lake) == []


@pytest.mark.parametrize("table", MOMENT)
@pytest.mark.parametrize("moments", [[BEFORE, AFTER], [AFTER, BEFORE]])
@pytest.mark.parametrize("at_once", [True, False])
def test_of_two_files_the_one_that_is_read_first_counts(
    shop: "Shop", table: str, moments: list[str], *, at_once: bool
) -> None:
    files = [[each] for each in moments]
    if not at_once:
        write(shop, table, files[0])
        shop.ingest()
    write(shop, table, *files)
    counts = {each.source: (each.accepted, each.duplicates) for each in shop.ingest().files}
    assert counts[f"{table}-1.jsonl"] == (0, 1)
    assert days(shop, table) == [2 if moments[0] == BEFORE else 3]
    assert unreconciled(shop.engine, shop.lake) == []


@pytest.mark.parametrize("table", MOMENT)
@pytest.mark.parametrize("at_once", [True, False])
def test_an_id_of_another_time_is_another_record(
    shop: "Shop", table: str, *, at_once: bool
) -> None:
    """Two days lie between the records of the 2nd and the 5th."""
    write(shop, table, *([[BEFORE, LATER]] if at_once else [[BEFORE], [LATER]]))
    shop.ingest()
    assert days(shop, table) == [2, 5]


@pytest.mark.parametrize("table", MOMENT)
def test_a_file_that_has_grown_adds_only_what_is_new(shop: "Shop", table: str) -> None:
    write(shop, table, [AFTER, BEFORE])
    shop.ingest()
    write(shop, table, [AFTER, BEFORE, LATER, AFTER])
    [grown] = shop.ingest().files
    assert (grown.accepted, grown.duplicates) == (1, 3)
    assert days(shop, table) == [2, 5]
