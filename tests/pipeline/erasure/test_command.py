"""The command: what it shows, whom it asks, what it lists."""

import json
import sys
from datetime import date
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from label_platform.cli import application
from label_platform.tracking import TrackingStore
from tests.pipeline.conftest import DAYS, POLICIES, PROBLEM, Installation
from tests.pipeline.erasure.conftest import USER, lake_of


def days_of(shop: Installation) -> set[date]:
    """The days on which the user was shown something, as the log says."""
    days = set()
    for path in shop.logs.glob("impressions/*.parquet"):
        table = pq.read_table(path, columns=["user_id", "shown_at"])
        shown = table.filter(pc.equal(table["user_id"], USER))["shown_at"].to_pylist()
        days |= {moment.date() for moment in shown}
    return days & {*DAYS}


def cli(
    shop: Installation,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *options: str,
    user: str = USER,
) -> tuple[int, str]:
    """The exit code and the output of the command."""
    arguments: list[Any] = ["erase", "--user", user, "--problem", shop.problem_file, *options]
    monkeypatch.setattr(sys, "argv", ["label-platform", *map(str, arguments)])
    try:
        application.main()
    except SystemExit as end:
        return int(end.code or 0), capsys.readouterr().out
    return 0, capsys.readouterr().out


def test_what_had_used_the_users_rows_is_listed(
    shop: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = TrackingStore(shop.workspace.mlflow_folder, PROBLEM)
    champion = store.rankers()[1]
    store.registry.set_alias("champion", store.registry.register(champion.run_id))
    code, shown = cli(shop, monkeypatch, capsys, "--yes", "--json")
    facts = json.loads(shown)
    assert (code, facts["erased"], facts["nothing_left"]) == (0, True, False)
    days = sorted(days_of(shop))
    assert days == list(DAYS), "the user was there every day"
    labels = [f"labels/policy={policy}/day={day}" for policy in sorted(POLICIES) for day in days]
    assert facts["labels"] == labels
    examples = [f"examples/policy={policy}/day={DAYS[-1]}" for policy in sorted(POLICIES)]
    assert facts["examples"] == examples
    assert {each["run_id"] for each in facts["rankers"]} == {
        each.run_id for each in store.rankers()
    }
    (registered,) = [each for each in facts["rankers"] if each["model_versions"]]
    assert registered["run_id"] == champion.run_id
    assert registered["model_versions"] == {"1": ["champion"]}
    rebuilt = facts["to_rebuild"]
    assert rebuilt["labels"] == labels
    assert rebuilt["position_statistics"] == [f"position_statistics/day={day}" for day in days]
    assert rebuilt["rankers"] == [each.replace("examples", "rankers") for each in examples]


def test_nobody_is_erased_unasked(
    shop: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = shop.content_hashes()
    code, shown = cli(shop, monkeypatch, capsys)
    assert code == 2
    assert "rows to erase" in shown
    assert shop.content_hashes() == before
    assert not (lake_of(shop).folder / "_tombstones.json").exists()


def test_a_second_time_nothing_is_left(
    shop: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.change_problem({"bots": {"users": [USER]}})
    code, shown = cli(shop, monkeypatch, capsys, "--yes")
    assert code == 0
    assert "rows erased" in shown
    assert "still names the user: bots.users" in " ".join(shown.split())
    code, shown = cli(shop, monkeypatch, capsys, "--yes")
    assert code == 0
    assert "nothing left" in shown


def test_an_unknown_user(
    shop: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, shown = cli(shop, monkeypatch, capsys, "--yes", user="nobody-at-all")
    assert code == 0
    assert "no rows of the user were found" in shown
    assert (lake_of(shop).folder / "_tombstones.json").exists()
