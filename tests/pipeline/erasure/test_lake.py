"""No file knows the user any more, and nothing else has changed."""

import gzip
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from label_platform.lake import Engine
from label_platform.lake.manifest import MANIFEST_NAME
from label_platform.logs import unreconciled
from label_platform.pipeline.as_of import end_of
from label_platform.pipeline.erasure import erase as erase_with_uses
from label_platform.pipeline.run import run_chain
from label_platform.tracking import TrackingStore
from tests.pipeline.conftest import DAYS, POLICIES, PROBLEM, Installation, quiet_instance
from tests.pipeline.erasure.conftest import OTHER, USER, erase, key_of, lake_of, run, traces

BUILT = ("impressions", "interactions", "items", "impression_signals", "position_statistics")
BUILT += ("matched_interactions", "orphaned_interactions", "propensities", "labels", "examples")


def rows_per_user(shop: Installation) -> dict[tuple[str, str], int]:
    """Rows by table and user key."""
    lake = lake_of(shop)
    found = {}
    with Engine() as engine:
        for table in ("impressions", "interactions", "impression_signals"):
            relation = lake.scan(table, lake.days(table))
            rows = engine.rows(f"select user_key, count(*) from {relation} group by user_key")
            found |= {(table, str(key)): count for key, count in rows if key is not None}
    return found


def content(shop: Installation) -> dict[str, str]:
    """Content hashes of what was built, quarantine and models aside."""
    hashes = shop.content_hashes()
    return {name: each for name, each in hashes.items() if name.split("/")[0] in BUILT}


def test_nothing_in_the_workspace_knows_the_user(
    shop: Installation, never_seen: Installation
) -> None:
    wanted = (USER, key_of(shop, USER))
    assert {text for _, text in traces(shop, *wanted)} == {*wanted}, "the search finds them"
    others = rows_per_user(shop)
    found = erase(shop)
    assert found.tables["impressions"] == others[("impressions", key_of(shop, USER))]
    assert traces(shop, *wanted) == []
    left = {pair: rows for pair, rows in others.items() if pair[1] != key_of(shop, USER)}
    assert rows_per_user(shop) == left
    _read_the_sources_again(shop)
    run(shop)
    assert traces(shop, *wanted) == []
    assert rows_per_user(shop) == left
    assert content(shop) == content(never_seen)
    with Engine() as engine:
        assert unreconciled(engine, lake_of(shop)) == []


def _read_the_sources_again(shop: Installation) -> None:
    """Every file has changed, and says nothing new."""
    for path in shop.logs.glob("interactions/*.gz"):
        path.write_bytes(path.read_bytes() + gzip.compress(b"\n"))
    for path in shop.logs.glob("impressions/*.parquet"):
        pq.write_table(pq.read_table(path), path, compression="gzip")


def test_mlflow_holds_neither_ids_nor_keys(shop: Installation) -> None:
    users = (USER, OTHER)
    wanted = {*users, *(key_of(shop, user) for user in users)}
    store = TrackingStore(shop.workspace.mlflow_folder, PROBLEM)
    assert len(store.rankers()) == len(POLICIES)
    assert [
        path
        for path in store.folder.rglob("*")
        if path.is_file() and any(text.encode() in path.read_bytes() for text in wanted)
    ] == []


def test_only_days_with_the_user_are_listed_and_built_anew(shop: Installation) -> None:
    """A user of the evaluation day alone: no label that a ranker has learnt from is theirs."""
    record = pq.read_table(max(shop.logs.glob("impressions/*.parquet"))).slice(0, 1)
    late = record.set_column(0, "request_id", pa.array([10**9 + 1]))
    late = late.set_column(
        late.schema.get_field_index("user_id"), "user_id", pa.array(["visitor-of-one-day"])
    )
    pq.write_table(late, shop.logs / "impressions" / "late.parquet")
    run(shop)
    before = {path: path.stat().st_mtime_ns for path in _manifests(shop)}
    done = erase_with_uses(
        shop.project().problem, shop.workspace, "visitor-of-one-day", lambda *_: True
    )
    assert done is not None
    _, uses = done
    last = DAYS[-1]
    assert {*uses.labels} == {f"labels/policy={policy}/day={last}" for policy in POLICIES}
    assert (uses.examples, uses.rankers) == ((), ())
    changed = {path for path in _manifests(shop) if before[path] != path.stat().st_mtime_ns}
    assert {path.parent.name for path in changed} == {f"day={last}"}
    # a number of an inode may come back: labels' manifests are written twice
    erased = {path: path.stat().st_mtime_ns for path in _manifests(shop)}
    run(shop)
    built = {path for path in _manifests(shop) if erased[path] != path.stat().st_mtime_ns}
    folders = {path.parent.relative_to(lake_of(shop).folder).as_posix() for path in built}
    assert folders == {each for listed in uses.rebuilt.values() for each in listed}


def _manifests(shop: Installation) -> list[Path]:
    return sorted(lake_of(shop).folder.rglob(MANIFEST_NAME))


def test_views_as_of_some_time_lose_the_user_too(shop: Installation) -> None:
    project = replace(shop.project(), as_of=end_of(DAYS[-1]).replace(year=2100))
    with quiet_instance() as instance:
        run_chain(project, instance, until="labels")
    views = [path for path in lake_of(shop).folder.glob("as_of=*") if path.is_dir()]
    assert len(views) == 1
    found = erase(shop)
    assert f"{views[0].name}/impression_signals" in found.tables
    assert f"{views[0].name}/labels" in found.tables
    assert traces(shop, USER, key_of(shop, USER)) == []
