import multiprocessing
import os
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from label_platform.lake import (
    Engine,
    Lake,
    MissingPartitionError,
    Partition,
    View,
    write_data_file,
)
from label_platform.lake.manifest import MANIFEST_NAME, read_manifest

DAY = date(2026, 10, 1)
NEXT = date(2026, 10, 2)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path, "shop")


def publish(lake: Lake, query: str, day: date = DAY, recipe: str = "r") -> str:
    with Engine() as engine:
        return lake.publish(engine, Partition("numbers", day), query, recipe=recipe).content_hash


def test_a_published_partition_can_be_read(lake: Lake) -> None:
    publish(lake, "select range as a from range(10)")
    with Engine() as engine:
        assert engine.row(f"select sum(a) from {lake.scan('numbers', [DAY])}") == (45,)
    assert lake.days("numbers") == [DAY]


def test_content_hash_ignores_order_and_ingestion_but_no_value(lake: Lake) -> None:
    rows = "select range as a, range % 3 as b, now() as ingested_at from range(1000)"
    first = publish(lake, rows)
    assert publish(lake, f"from ({rows}) order by a desc") == first
    assert (
        publish(lake, f"select b, a, timestamptz '2020-01-01' as ingested_at from ({rows})")
        == first
    )
    assert publish(lake, f"select a, if(a = 7, 5, b) as b, ingested_at from ({rows})") != first
    assert publish(lake, f"select a as b, b as a, ingested_at from ({rows})") != first


def test_what_is_said_of_text_changes_how_a_file_is_written_and_not_what_it_holds(
    lake: Lake,
) -> None:
    partition = Partition("numbers", DAY)
    written = []
    with Engine() as engine:
        for has_text in (True, False):
            manifest = lake.publish(
                engine,
                partition,
                "select range as a, (range % 6000)::double / 7 as many, range % 3 as few "
                "from range(100_000)",
                recipe="r",
                has_text=has_text,
            )
            (file,) = lake.files([partition])
            encodings = engine.rows(
                "select path_in_schema, bool_or(encodings like '%DICTIONARY%') "
                f"from parquet_metadata('{file}') group by all"
            )
            written.append((manifest.content_hash, dict(encodings)))
    (with_text, free), (without_text, bounded) = written
    assert with_text == without_text
    assert free == {"a": False, "many": True, "few": True}
    assert bounded == {"a": False, "many": False, "few": True}


def test_an_appended_file_adds_its_rows_to_the_hash(lake: Lake) -> None:
    whole = publish(lake, "select range as a from range(10)", NEXT)
    with Engine() as engine:
        partition = Partition("numbers", DAY)
        lake.publish(engine, partition, "select range as a from range(4)", recipe="r")
        added, _ = write_data_file(
            engine, lake.folder / partition.folder, "select range as a from range(4, 10)"
        )
    manifest = lake.manifest(partition)
    assert manifest is not None
    lake.replace_files(partition, replace(manifest, files=(*manifest.files, added)))
    grown = lake.manifest(partition)
    assert grown is not None
    assert grown.content_hash == whole


def test_an_empty_partition_keeps_its_columns(lake: Lake) -> None:
    publish(lake, "select 1::bigint as a where false")
    with Engine() as engine:
        relation = lake.scan("numbers", [DAY])
        assert engine.schema(relation) == {"a": "BIGINT"}
        assert engine.row(f"select count(*) from {relation}") == (0,)


def test_reading_what_nobody_built_names_what_is_built(lake: Lake) -> None:
    publish(lake, "select 1 as a", NEXT)
    with pytest.raises(
        MissingPartitionError,
        match=r"numbers: no partition for 2026-10-01 to 2026-10-01; built are 2026-10-02",
    ):
        lake.scan("numbers", [DAY])
    with pytest.raises(MissingPartitionError, match=r"letters: .* none is built yet"):
        lake.scan("letters", [DAY])


def test_a_pinned_view_keeps_the_state_it_first_saw(lake: Lake) -> None:
    publish(lake, "select 1 as a")
    view = lake.pinned()
    before = view.scan("numbers", [DAY])
    publish(lake, "select 2 as a")
    with Engine() as engine:
        assert view.scan("numbers", [DAY]) == before
        assert engine.row(f"select a from {before}") == (1,)
        assert engine.row(f"select a from {lake.scan('numbers', [DAY])}") == (2,)


def test_collection_waits_and_spares_live_files(lake: Lake) -> None:
    publish(lake, "select 1 as a")
    old = lake.files([Partition("numbers", DAY)])
    publish(lake, "select 2 as a")
    live = lake.files([Partition("numbers", DAY)])
    assert lake.collect(delay_s=60) == 0
    past = time.time() - 120
    for file in [*old, *live]:
        os.utime(file, (past, past))
    # written long ago, replaced just now: somebody may still be reading it
    assert lake.collect(delay_s=60) == 0
    os.utime(live[0].with_name(MANIFEST_NAME), (past, past))
    assert lake.collect(delay_s=60) == 1
    assert not old[0].exists()
    assert live[0].exists()


def test_annotations_leave_the_content_alone(lake: Lake) -> None:
    before = publish(lake, "select 1 as a")
    lake.annotate(Partition("numbers", DAY), {"run": "abc"})
    manifest = lake.manifest(Partition("numbers", DAY))
    assert manifest is not None
    assert manifest.attributes == {"run": "abc"}
    assert manifest.content_hash == before


def test_a_newer_format_is_refused(lake: Lake) -> None:
    publish(lake, "select 1 as a")
    path = lake.folder / "numbers" / "day=2026-10-01" / MANIFEST_NAME
    path.write_text(path.read_text().replace('"format_version": 1', '"format_version": 99'))
    with pytest.raises(ValueError, match="format version 99"):
        read_manifest(path.parent)


def _append_many(root: str, name: str) -> None:
    lake = Lake(Path(root), "shop")
    for n in range(20):
        lake.annotate(Partition("numbers", DAY), {f"{name}{n}": n})


def test_writers_wait_for_each_other(lake: Lake, tmp_path: Path) -> None:
    publish(lake, "select 1 as a")
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_append_many, args=(str(tmp_path), name)) for name in "xy"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    manifest = lake.manifest(Partition("numbers", DAY))
    assert manifest is not None
    assert len(manifest.attributes) == 2 * 20


def test_a_view_has_tables_of_its_own_and_shares_the_raw_ones(lake: Lake) -> None:
    with Engine() as engine:
        raw, built = Partition("raw", DAY), Partition("numbers", DAY, "even")
        lake.publish(engine, raw, "select 1 as a", recipe="r")
        lake.publish(engine, built, "select 2 as a", recipe="live")
        view = View("as_of=then", "then", frozenset({"raw"}))
        then = Lake(lake.folder.parent, lake.folder.name, view)
        assert then.days("numbers", "even") == []
        assert then.days("raw") == [DAY]
        pinned = then.pinned()
        assert pinned.manifest(built) is None
        manifest = pinned.publish(engine, built, f"from {then.scan('raw', [DAY])}", recipe="then")
        assert (manifest.as_of, pinned.manifest(built)) == ("then", manifest)
        then.annotate(built, {"note": "kept apart"})
        for each, rows, attributes in ((then, [(1,)], {"note": "kept apart"}), (lake, [(2,)], {})):
            assert engine.rows(f"from {each.scan('numbers', [DAY], 'even')}") == rows
            found = each.manifest(built)
            assert found is not None
            assert found.attributes == attributes
        assert lake.days("as_of=then") == []
    assert sorted(path.name for path in lake.folder.iterdir()) == ["as_of=then", "numbers", "raw"]
    assert sorted(path.name for path in (lake.folder / "as_of=then").iterdir()) == ["numbers"]
