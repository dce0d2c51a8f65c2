import json
import os
import shutil
from datetime import UTC, date, datetime
from hashlib import md5
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from label_platform.lake import Lake, Partition
from label_platform.logs import FileCounts, ingest, publication, unreconciled
from label_platform.logs.ledger import LEDGER_NAME
from label_platform.strict_yaml import ConfigurationError

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


def test_every_record_is_accounted_for(shop: "Shop") -> None:
    two_days(shop)
    report = shop.ingest()
    assert report.files == (
        FileCounts("impressions-1.jsonl", 4, 2, 0, 1, 1, (DAY_1,)),
        FileCounts("impressions-2.jsonl.gz", 1, 1, 0, 0, 0, (DAY_2,)),
        FileCounts("interactions.jsonl", 5, 3, 1, 1, 0, (DAY_1, DAY_2)),
    )
    assert (report.days, report.unchanged, report.refused) == ((DAY_1, DAY_2), 0, ())


def test_what_an_impression_becomes(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression(user_id="ann", device="phone"))
    shop.write("interactions.jsonl", shop.event())
    shop.ingest()
    columns = "impression_id::varchar, request_id, user_key, device, surface, randomized"
    digest = md5(b"r1\x1fi1\x1f1", usedforsecurity=False).hexdigest()
    [(identity, *values)] = shop.table("impressions", columns)
    assert identity.replace("-", "") == digest
    assert values == ["r1", "ann", "phone", None, False]
    assert shop.table("impressions", "ingested_at") == [(datetime(2026, 11, 1, 12, tzinfo=UTC),)]


def test_a_separator_in_an_id_makes_no_two_records_one(shop: "Shop") -> None:
    shop.write(
        "impressions.jsonl",
        shop.impression(request_id="a|b", item_id="c"),
        shop.impression(request_id="a", item_id="b|c"),
    )
    shop.write(
        "interactions.jsonl",
        shop.event(request_id="a|b", item_id="c"),
        shop.event(request_id="a", item_id="b|c"),
    )
    assert [(each.accepted, each.duplicates) for each in shop.ingest().files] == [(2, 0), (2, 0)]


def test_a_surface_is_no_session(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression())
    shop.write(
        "interactions.jsonl",
        shop.event(request_id=..., user_id="x", surface="y"),
        shop.event(request_id=..., user_id="x", session_id="y"),
        shop.event(request_id=..., user_id="x", session_id="y", surface=""),
    )
    _, events = shop.ingest().files
    assert (events.accepted, events.duplicates) == (2, 1)


def test_ingested_at_of_the_record_counts(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression(ingested_at=on(1, "11:00:00")))
    shop.write("interactions.jsonl", shop.event(ingested_at=on(1, "12:00:00")))
    shop.ingest()
    assert shop.table("impressions", "ingested_at") == [(datetime(2026, 10, 1, 11, tzinfo=UTC),)]
    assert shop.table("interactions", "ingested_at") == [(datetime(2026, 10, 1, 12, tzinfo=UTC),)]


@pytest.mark.parametrize("ids", ["integer", "string"])
def test_a_query_without_id_is_known_by_its_text(shop: "Shop", ids: str) -> None:
    record = shop.impression(request_id=1, item_id=2, query_id=..., query_text="red shoes")
    shop.write("impressions.jsonl", record)
    shop.write("interactions.jsonl", shop.event(request_id=1, item_id=2))
    shop.ingest(ids=ids)
    digest = md5(b"red shoes", usedforsecurity=False).hexdigest()
    expected = int(digest[:15], 16) if ids == "integer" else digest
    assert shop.table("impressions", "query_id") == [(expected,)]


def test_reading_again_adds_nothing(shop: "Shop") -> None:
    two_days(shop)
    shop.ingest()
    before = shop.hashes()
    ledger = (shop.lake.folder / LEDGER_NAME).read_bytes()
    report = shop.ingest()
    assert (report.files, report.days, report.unchanged) == ((), (), 3)
    assert shop.hashes() == before
    assert (shop.lake.folder / LEDGER_NAME).read_bytes() == ledger


@pytest.mark.parametrize(("version", "kind"), [(1, ConfigurationError), (99, ValueError)])
def test_a_ledger_of_another_version_is_refused(
    shop: "Shop", version: int, kind: type[Exception]
) -> None:
    two_days(shop)
    shop.ingest()
    path = shop.lake.folder / LEDGER_NAME
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"format_version": version}))
    with pytest.raises(kind, match=f"{LEDGER_NAME}: format version {version}"):
        shop.ingest()


def test_a_file_that_was_only_touched_is_unchanged(shop: "Shop") -> None:
    two_days(shop)
    shop.ingest()
    os.utime(shop.folder / "logs" / "interactions.jsonl", (1, 1))
    assert shop.ingest().unchanged == 3


def test_a_grown_file_adds_only_what_is_new(shop: "Shop") -> None:
    two_days(shop)
    shop.ingest()
    path = shop.folder / "logs" / "impressions-1.jsonl"
    with path.open("a") as handle:
        handle.write(json.dumps(shop.impression(item_id="i3", position=3)) + "\n{bad\n")
    report = shop.ingest()
    assert report.files == (FileCounts("impressions-1.jsonl", 6, 1, 0, 2, 3, (DAY_1,)),)
    assert report.unchanged == 2
    items = shop.table("impressions", "request_id, item_id")
    assert items == [("r1", "i1"), ("r1", "i2"), ("r1", "i3"), ("r2", "i1")]
    refused = shop.table("rejected_records", "source, line, reason")
    assert refused == [
        ("impressions-1.jsonl", 4, "not_json"),
        ("impressions-1.jsonl", 6, "not_json"),
        ("interactions.jsonl", 5, "wrong_type"),
    ]


def test_content_does_not_depend_on_how_it_arrived(shop: "Shop", tmp_path: Path) -> None:
    two_days(shop)
    late = shop.impression(request_id="r3", item_id="i9")
    shop.ingest()
    shop.write("impressions-3.jsonl", late)
    shop.ingest()
    apart = shop.hashes()
    shutil.rmtree(tmp_path / "lake")
    shop.ingest()
    assert shop.hashes() == apart


def test_an_event_sent_again_in_another_file_is_one_event(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression())
    shop.write("interactions-1.jsonl", shop.event(), shop.event(interaction_id="e1", value=1))
    same_id = shop.event(interaction_id="e1", value=5)
    shop.write("interactions-2.jsonl", shop.event(value=1.0), same_id, shop.event(value=2))
    report = shop.ingest()
    counts = [(file.accepted, file.duplicates) for file in report.files]
    assert counts == [(1, 0), (2, 0), (1, 2)]
    assert sorted(shop.table("interactions", "value")) == [(1.0,), (1.0,), (2.0,)]


def test_the_first_of_two_records_wins(shop: "Shop") -> None:
    shop.write("impressions-b.jsonl", shop.impression(device="second file"))
    shop.write(
        "impressions-a.jsonl",
        shop.impression(device="first line"),
        shop.impression(device="second line"),
    )
    shop.write("interactions.jsonl", shop.event())
    shop.ingest()
    assert shop.table("impressions", "device") == [("first line",)]


def test_days_without_records_are_published_empty(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression(shown_at=on(3)))
    shop.write("interactions.jsonl", shop.event(occurred_at=on(5)))
    report = shop.ingest()
    # events that trail behind do not make a day whose impressions may still come
    assert shop.lake.days("impressions") == [DAY_1, DAY_2, DAY_3]
    assert shop.lake.days("interactions") == [DAY_1, DAY_2, DAY_3, date(2026, 10, 5)]
    assert report.days == (DAY_1, DAY_2, DAY_3, date(2026, 10, 5))
    assert shop.engine.row(f"select count(*) from {shop.lake.scan('impressions', [DAY_2])}") == (0,)


def test_a_signal_that_is_asked_for_later_is_read_later(shop: "Shop") -> None:
    two_days(shop)
    shop.ingest()
    signals = {name: {"window": "1d"} for name in ("click", "return", "hover")}
    report = shop.ingest(signals=signals)
    assert [(file.source, file.accepted) for file in report.files] == [("interactions.jsonl", 1)]


def test_files_are_reported_as_they_are_read(shop: "Shop") -> None:
    two_days(shop)
    seen: list[str] = []
    lake = shop.lake

    def on_file(counts: FileCounts) -> None:
        assert lake.days("impressions") == []
        seen.append(counts.source)

    ingest(shop.problem(), lake, shop.engine, on_file=on_file)
    assert seen == ["impressions-1.jsonl", "impressions-2.jsonl.gz", "interactions.jsonl"]


class PowerCutError(Exception):
    """Stands for a kill -9."""


@pytest.mark.parametrize("files", [0, 1, 2, 4])
def test_a_batch_that_died_before_it_counted_leaves_no_trace(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    two_days(shop)
    shop.ingest()
    undisturbed = shop.hashes()
    shutil.rmtree(shop.lake.folder)
    with monkeypatch.context() as patch:
        _die_after(patch, files, publication, "write_data_file")
        with pytest.raises(PowerCutError):
            shop.ingest()
    assert shop.hashes() == {}
    assert len(shop.ingest().files) == 3
    assert shop.hashes() == undisturbed


@pytest.mark.parametrize("manifests", [0, 1, 2, 4])
def test_a_batch_that_died_after_it_counted_is_finished_by_the_next_call(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch, manifests: int
) -> None:
    two_days(shop)
    shop.ingest()
    undisturbed = shop.hashes()
    shutil.rmtree(shop.lake.folder)
    with monkeypatch.context() as patch:
        _die_after(patch, manifests, Lake, "replace_files")
        with pytest.raises(PowerCutError):
            shop.ingest()
    assert len(shop.hashes()) == manifests
    again = shop.ingest()
    assert (len(again.files), again.unchanged) == (0, 3)
    assert shop.hashes() == undisturbed


def test_what_a_reader_has_seen_never_goes_away(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    two_days(shop)
    shop.ingest()
    before = shop.hashes()
    new = shop.write("impressions-3.jsonl", shop.impression(request_id="r4", shown_at=on(3)))
    with monkeypatch.context() as patch:
        _die_after(patch, 1, Lake, "replace_files")
        with pytest.raises(PowerCutError):
            shop.ingest()
    seen = shop.hashes()
    new.unlink()
    shop.ingest()
    after = shop.hashes()
    assert len(after) > len(before)
    assert seen.items() <= after.items()


def _die_after(patch: pytest.MonkeyPatch, calls: int, owner: object, name: str) -> None:
    """Let a function work a number of times and then fail like a power cut."""
    real = getattr(owner, name)
    done = []

    def dying(*arguments: object) -> object:
        if len(done) == calls:
            raise PowerCutError
        done.append(arguments)
        return real(*arguments)

    patch.setattr(owner, name, dying)


def test_a_file_that_cannot_be_read_does_not_stop_the_others(shop: "Shop") -> None:
    two_days(shop)
    folder = shop.folder / "logs"
    (folder / "impressions-0.parquet").write_bytes(b"PAR1 but nothing more")
    (folder / "impressions-3.jsonl.gz").write_bytes(b"no gzip")
    (folder / "impressions.txt").write_text("?")
    report = shop.ingest()
    assert [file.source for file in report.refused] == [
        "impressions-0.parquet",
        "impressions-3.jsonl.gz",
        "impressions.txt",
    ]
    assert [file.refusal.split(",")[0] for file in report.refused][2] == (
        "found a file named impressions.txt"
    )
    assert len(shop.table("impressions")) == 3
    assert len(shop.ingest().refused) == 3  # tried again


def test_parquet_with_broken_pages_is_refused_whole(shop: "Shop") -> None:
    table = pa.table({key: [value] * 9999 for key, value in shop.impression().items()})
    shop.write("interactions.jsonl", shop.event())
    path = shop.folder / "logs" / "impressions.parquet"
    pq.write_table(table, path, compression="zstd", use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[20:60] = b"\x00" * 40
    path.write_bytes(content)
    [refused] = shop.ingest().refused
    assert refused.source == "impressions.parquet"
    assert shop.lake.days("impressions") == []


def test_a_glob_without_files_is_an_error(shop: "Shop") -> None:
    shop.write("impression-1.jsonl", shop.impression())
    with pytest.raises(ConfigurationError) as error:
        shop.ingest()
    folder = shop.folder / "logs"
    assert str(error.value) == (
        f"problem shop: logs.0.impressions: found no file that matches {folder}/impressions*; "
        f"in {folder}: did you mean 'impression-1.jsonl'? valid: impression-1.jsonl"
    )


def test_as_if_needs_a_zone(shop: "Shop") -> None:
    two_days(shop)
    naive = datetime(2026, 11, 1)  # noqa: DTZ001 - what is refused
    with pytest.raises(ConfigurationError, match="expected one"):
        ingest(shop.problem(), shop.lake, shop.engine, as_if=naive)


def test_one_day_has_as_many_files_as_batches(shop: "Shop") -> None:
    two_days(shop)
    shop.ingest()
    shop.write("impressions-3.jsonl", shop.impression(request_id="r3"))
    shop.ingest()
    manifest = shop.lake.manifest(Partition("impressions", DAY_1))
    assert manifest is not None
    assert [file.rows for file in manifest.files] == [2, 1]


def test_items(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression(shown_at=on(2)))
    shop.write("interactions.jsonl", shop.event())
    shop.write(
        "items.csv",
        "item_id,valid_from,title,item_price,other",
        "i1,1999-01-01T00:00:00Z,Shoe,9.5,x",
        "i1,2026-10-02T00:00:00Z,Shoe,8.5,x",
        "i2,,Boot,,x",
        "i2,,Boot,,x",
    )
    logs = [
        {
            "format": "native",
            "impressions": "impressions*",
            "interactions": "interactions*",
            "items": "items.csv",
        }
    ]
    report = shop.ingest(logs=logs, item_features=["item_*"])
    assert report.files[0] == FileCounts("items.csv", 4, 3, 0, 0, 1, (DAY_1, DAY_2))
    assert shop.table("items", "item_id, valid_from::date, title, item_price") == [
        ("i1", date(1999, 1, 1), "Shoe", 9.5),
        ("i1", DAY_2, "Shoe", 8.5),
        ("i2", DAY_1, "Boot", None),
    ]


def videos(*rows: str) -> list[str]:
    return ["user_id,video_id,time_ms,is_click,is_like,play_time_ms", *rows]


def asking(*signals: str) -> dict[str, object]:
    return {
        "logs": [{"format": "kuairand", "path": "log*"}],
        "signals": {signal: {"window": "1d"} for signal in signals},
    }


def test_a_signal_that_is_asked_for_later_is_read_from_known_impressions(shop: "Shop") -> None:
    rows = ["1,2,1790848800000,1,1,0", "3,4,1790848800000,1,0,0"]
    shop.write("log.csv", *videos(*rows))
    shop.ingest(**asking("click"))
    report = shop.ingest(**asking("click", "like"))
    assert [(counts.accepted, counts.duplicates) for counts in report.files] == [(0, 2)]
    expected = [("2", "click"), ("2", "like"), ("4", "click")]
    assert shop.table("interactions", "item_id, signal") == expected
    assert shop.ingest(**asking("click", "like")).unchanged == 1
    shop.write("log.csv", *videos(*rows, "5,6,1790848800000,0,1,0"))
    shop.ingest(**asking("click", "like"))
    assert shop.table("interactions", "item_id, signal") == [*expected, ("6", "like")]
    assert len(shop.table("impressions")) == 3
    assert unreconciled(shop.engine, shop.lake) == []


def test_a_grown_file_brings_the_new_signal_of_old_impressions(shop: "Shop") -> None:
    row = "1,2,1790848800000,1,1,0"
    shop.write("log.csv", *videos(row))
    shop.ingest(**asking("click"))
    shop.write("log.csv", *videos(row, "3,4,1790848800000,1,0,0"))
    shop.ingest(**asking("click", "like"))
    expected = [("2", "click"), ("2", "like"), ("4", "click")]
    assert shop.table("interactions", "item_id, signal") == expected


def test_an_impression_that_a_file_has_twice_is_watched_once(shop: "Shop") -> None:
    rows = ["1,2,1790848800000,1,0,3000", "1,2,1790848800000,1,0,5000"]
    shop.write("log.csv", *videos(*rows))
    for signals in (["watch_s"], ["watch_s", "click"]):
        shop.ingest(**asking(*signals))
    assert shop.table("interactions", "signal, value") == [("click", 1.0), ("watch_s", 3.0)]
    assert unreconciled(shop.engine, shop.lake) == []
