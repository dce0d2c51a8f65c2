"""The Open Bandit reader, on a made-up file and on the real sample where it is at hand."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from label_platform.lake import Engine, Lake
from label_platform.logs import ingest
from label_platform.problem import load_problem
from label_platform.strict_yaml import ConfigurationError

if TYPE_CHECKING:
    from tests.logs.conftest import Shop

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT.parent / "shared" / "data" / "open_bandit_men"
PROBLEM = ROOT / "data" / "problems" / "open_bandit.yaml"
HEADER = ",timestamp,item_id,position,click,propensity_score,user_feature_0,user-item_affinity_0"
CHANGES = {
    "start_date": "2019-11-24",
    "logs": [{"format": "open_bandit", "path": "*.csv"}],
    "signals": {"click": {"window": "30m"}},
    "features": ["user*"],
    "item_features": ["item_feature_*"],
}


def test_rows_become_lists_of_one(shop: "Shop") -> None:
    shop.write(
        "random.csv",
        HEADER,
        "0,2019-11-24 00:03:13.442536+00:00,14,3,0,0.029,cef3,0.5",
        "1,2019-11-24 00:04:00+00:00,14,1,1,0.029,cef3,0.0",
        "2,2019-11-24 00:05:00+00:00,14,1,maybe,0.029,cef3,0.0",
    )
    shop.write("bts.csv", HEADER, "0,2019-11-25 00:03:13+00:00,7,2,1,0.5,aef3,1.0")
    shop.write("item_context.csv", ",item_id,item_feature_0,item_feature_1", "0,14,-0.5,ceca20")
    report = shop.ingest(**CHANGES)
    assert [(file.source, file.accepted, file.rejected) for file in report.files] == [
        ("item_context.csv", 1, 0),
        ("bts.csv", 1, 0),
        ("random.csv", 2, 1),
    ]
    columns = 'request_id, query_id, item_id, position, ranker_id, randomized, "user_feature_0"'
    assert shop.table("impressions", columns) == [
        ("bts-0", "all", "7", 2, "bts", False, "aef3"),
        ("random-0", "all", "14", 3, "random", True, "cef3"),
        ("random-1", "all", "14", 1, "random", True, "cef3"),
    ]
    columns = "request_id, item_id, position, signal, value, occurred_at"
    clicked = datetime(2019, 11, 24, 0, 4, tzinfo=UTC)
    assert shop.table("interactions", columns)[1] == ("random-1", "14", 1, "click", 1.0, clicked)
    assert shop.table("items", "item_id, item_feature_0, item_feature_1") == [
        ("14", -0.5, "ceca20")
    ]


def test_the_published_folders_say_policy_and_campaign(shop: "Shop") -> None:
    row = "0,2019-11-24 00:03:13+00:00,14,3,1,0.029,cef3,0.5"
    for policy in ("random", "bts"):
        for campaign in ("men", "women"):
            folder = shop.folder / "logs" / policy / campaign
            folder.mkdir(parents=True)
            (folder / f"{campaign}.csv").write_text(f"{HEADER}\n{row}\n")
            (folder / "item_context.csv").write_text(",item_id,item_feature_0\n0,14,-0.5\n")
    logs = [{"format": "open_bandit", "path": "*/*/*.csv"}]
    report = shop.ingest(**CHANGES | {"logs": logs})
    assert sum(file.duplicates for file in report.files) == 3  # the same item, three times more
    assert shop.table("impressions", "request_id, query_id, ranker_id, randomized") == [
        ("bts/men/men-0", "men", "bts", False),
        ("bts/women/women-0", "women", "bts", False),
        ("random/men/men-0", "men", "random", True),
        ("random/women/women-0", "women", "random", True),
    ]
    assert len(shop.table("interactions")) == 4


@pytest.mark.parametrize("name", ["men.csv", "random-and-bts.csv", "randomised.csv"])
def test_a_file_that_does_not_say_its_policy_is_refused(shop: "Shop", name: str) -> None:
    shop.write(name, HEADER, "0,2019-11-24 00:03:13+00:00,14,3,1,0.029,cef3,0.5")
    [counts] = shop.ingest(**CHANGES | {"item_features": []}).files
    assert counts.accepted == 0
    assert counts.refusal.startswith(
        f"found the path {name}, expected the policy, random or bts, in the name of the file"
    )


def test_clicks_are_not_doubled_when_a_file_grows(shop: "Shop") -> None:
    rows = [HEADER, "0,2019-11-24 00:03:13+00:00,14,3,1,0.029,cef3,0.5"]
    shop.write("random.csv", *rows)
    shop.ingest(**CHANGES | {"item_features": []})
    shop.write("random.csv", *rows, "1,2019-11-24 00:04:13+00:00,15,3,1,0.029,cef3,0.5")
    [counts] = shop.ingest(**CHANGES | {"item_features": []}).files
    assert (counts.accepted, counts.duplicates) == (1, 1)
    assert len(shop.table("interactions")) == 2


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({}, "logs.0: format open_bandit needs the key path"),
        ({"path": "*.csv", "interactions": "*.csv"}, "logs.0: interactions: format open_bandit"),
        ({"path": "*.csv", "options": {"tab": 1}}, "logs.0: options: tab: unknown key"),
    ],
)
def test_keys_that_it_does_not_read_are_refused(
    shop: "Shop", source: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        shop.ingest(**CHANGES | {"logs": [{"format": "open_bandit", **source}]})


@pytest.mark.skipif(not SAMPLE.is_dir(), reason=f"needs the Open Bandit sample in {SAMPLE}")
def test_the_real_sample(tmp_path: Path, engine: Engine) -> None:
    problem = load_problem(PROBLEM, SAMPLE)
    lake = Lake(tmp_path, problem.name)
    report = ingest(problem, lake, engine)
    assert sum(file.accepted for file in report.files) == 10_000 + 10_000 + 34
    assert sum(file.rejected + file.ignored + file.duplicates for file in report.files) == 0
    assert report.days == tuple(date(2019, 11, day) for day in range(24, 31))
    clicks = engine.rows(
        "select ranker_id, count(*), avg(logging_probability)"
        f" from {lake.scan('interactions', report.days)}"
        f" join {lake.scan('impressions', report.days)} using (request_id, item_id, position)"
        " group by ranker_id order by ranker_id"
    )
    assert [(ranker, count) for ranker, count, _ in clicks] == [("bts", 69), ("random", 46)]
    assert clicks[1][2] == pytest.approx(1 / 34)
