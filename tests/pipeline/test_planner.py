"""What counts as stale after the usual changes: late events, changed policies, lost partitions."""

from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from label_platform.pipeline import planner
from label_platform.pipeline.planner import Work, next_work, stale_work, work_key
from label_platform.pipeline.steps import STEPS, step_of
from label_platform.policy import Policy
from tests.pipeline.conftest import DAYS, POLICIES, Installation, day

LAST = DAYS[-1]


def stale(installation: Installation) -> list[Work]:
    """All stale work, whether it could start or not."""
    with installation.project().open() as context:
        return [
            work
            for step in STEPS
            for name in (POLICIES if step.per_policy else ("",))
            for work in stale_work(context, step, name, LAST)
        ]


def startable(installation: Installation) -> list[Work]:
    with installation.project().open() as context:
        return next_work(context, LAST)


def key_of(installation: Installation, work: Work) -> str:
    with installation.project().open() as context:
        return work_key(context, work)


def buy_late(installation: Installation, shown_on: date) -> None:
    """A purchase that arrives in a file of its own, two calendar days after its list."""
    installation.drop_late_purchase(shown_on)
    installation.ingest()


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    assert before.keys() == after.keys()
    return {folder for folder in after if after[folder] != before[folder]}


def test_nothing_is_stale_after_a_build(finished: Installation) -> None:
    assert stale(finished) == []
    assert startable(finished) == []


def test_labels_that_cannot_train_are_built_and_no_more(
    built: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for table, name in (("labels", "coec_click"), ("examples", "coec_click")):
        built.forget(table, DAYS[-1], policy=name)

    def falls_back_on_some_days(_context: object, policy: Policy, _day: date) -> bool:
        return policy.name == "coec_click"

    monkeypatch.setattr(planner, "is_mixed", falls_back_on_some_days)
    assert startable(built) == [Work("labels", "coec_click", DAYS[-1], DAYS[-1])]
    built.build("labels", DAYS[-1], policy="coec_click")
    assert all(work.policy != "coec_click" for work in startable(built))
    monkeypatch.undo()
    assert Work("examples", "coec_click", DAYS[-1], DAYS[-1]) in startable(built)


def test_a_late_event_makes_its_impressions_day_stale_and_no_other(built: Installation) -> None:
    buy_late(built, day(2))
    # returns of the two days after a purchase are matched again: they may take it back
    assert startable(built) == [Work("matched_interactions", "", day(4), day(6))]
    built.build("matched_interactions", day(4), day(5), day(6))
    assert stale(built) == [
        Work("impression_signals", "", day(2), day(2)),
        Work("orphaned_interactions", "", day(4), day(4)),
    ]
    assert startable(built) == [Work("impression_signals", "", day(2), day(2))]


def test_a_window_that_closes_makes_its_day_stale(built: Installation) -> None:
    """Carts have a day and purchases two: the end of day 7 closes windows of day 5 and day 6."""
    opened = {
        each: built.manifest("impression_signals", each).attributes["open_windows"]
        for each in (day(4), day(5), day(6))
    }
    assert opened[day(4)] == []
    assert opened[day(5)] == ["purchase"]
    assert {"add_to_cart", "purchase"} <= set(opened[day(6)])
    (file,) = (built.logs / "impressions").glob(f"*{day(6)}*")
    rows = pq.read_table(file, partitioning=None)
    later = pc.add(rows["shown_at"], pa.scalar(timedelta(days=1), pa.duration("us")))
    # other lists: the same request again within a day would be a repeat of the first
    others = pc.add(rows["request_id"], 1_000_000_000)
    for name, values in (("shown_at", later), ("request_id", others)):
        rows = rows.set_column(rows.column_names.index(name), name, values)
    built.change_problem({"end_date": "2026-10-07"})
    pq.write_table(rows, file.with_name("next.parquet"))
    built.ingest()
    works = [work for work in stale(built) if work.table == "impression_signals"]
    assert works == [Work("impression_signals", "", day(5), day(6))]


def test_a_late_event_changes_one_day_of_the_policies_that_use_it(built: Installation) -> None:
    before = built.content_hashes()
    buy_late(built, day(2))
    built.build("matched_interactions", day(4), day(5), day(6))
    built.build("impression_signals", day(2), day(3), day(4))
    built.build("orphaned_interactions", day(4))
    assert changed(before, built.content_hashes()) == {
        f"interactions/day={day(4)}",
        f"matched_interactions/day={day(4)}",
        f"impression_signals/day={day(2)}",
    }
    assert [work for work in stale(built) if work.table in {"labels", "propensities"}] == [
        Work("labels", name, day(2), day(2)) for name in POLICIES
    ]

    built.build("position_statistics", day(2))
    for name in POLICIES:
        built.build("labels", day(2), policy=name)
    assert changed(before, built.content_hashes()) == {
        f"interactions/day={day(4)}",
        f"matched_interactions/day={day(4)}",
        f"impression_signals/day={day(2)}",
        f"labels/policy=multi_signal/day={day(2)}",
    }
    assert [work for work in stale(built) if work.table in {"labels", "propensities"}] == []


def test_a_changed_gain_makes_the_labels_of_its_policy_stale(built: Installation) -> None:
    built.change_policy("multi_signal", {"signals.add_to_cart.gain": 0.6})
    assert [work for work in stale(built) if work.policy != "multi_signal"] == []
    assert startable(built) == [Work("labels", "multi_signal", DAYS[0], LAST)]


def test_a_comment_makes_nothing_stale(built: Installation) -> None:
    policy = built.policy_file("multi_signal")
    policy.write_text("# three signals\n" + policy.read_text())
    assert stale(built) == []


def test_a_changed_ranker_leaves_labels_alone(built: Installation) -> None:
    built.change_policy("raw_click", {"rankers": [{"objective": "lambdarank"}]})
    assert [work.table for work in stale(built) if work.policy == "raw_click"] == [
        "examples",
        "rankers",
        "evaluations",
    ]
    assert startable(built) == [Work("examples", "raw_click", LAST, LAST)]


def test_stale_days_are_joined_into_runs_and_split_at_gaps(built: Installation) -> None:
    built.forget("labels", day(2), day(3), day(5), policy="raw_click")
    with built.project().open() as context:
        labels = step_of("labels")
        both = [
            Work("labels", "raw_click", day(2), day(3)),
            Work("labels", "raw_click", day(5), day(5)),
        ]
        assert stale_work(context, labels, "raw_click", LAST) == both
        assert [work.days for work in both] == [2, 1]
        assert stale_work(context, labels, "raw_click", day(4)) == both[:1]
        assert stale_work(context, labels, "raw_click", LAST, first_day=day(3)) == [
            Work("labels", "raw_click", day(3), day(3)),
            both[1],
        ]
        assert stale_work(context, labels, "multi_signal", LAST) == []


def test_shared_tables_come_first_and_the_comparison_last(built: Installation) -> None:
    comparison = Work("comparisons", "", LAST, LAST)
    built.forget("comparisons", LAST)
    assert startable(built) == [comparison]

    built.forget("rankers", LAST, policy="coec_click")
    built.forget("labels", day(3), policy="raw_click")
    assert startable(built) == [
        Work("labels", "raw_click", day(3), day(3)),
        Work("rankers", "coec_click", LAST, LAST),
    ]

    built.forget("position_statistics", day(1))
    assert startable(built) == [Work("position_statistics", "", day(1), day(1))]


def test_the_key_of_work_changes_with_its_recipe_and_with_nothing_else(
    built: Installation,
) -> None:
    works = {name: Work("labels", name, day(2), day(3)) for name in POLICIES}
    keys = {name: key_of(built, work) for name, work in works.items()}
    assert len(set(keys.values())) == len(POLICIES)

    built.forget("labels", day(2), policy="raw_click")
    built.change_policy("raw_click", {"description": "The same in other words."})
    assert {name: key_of(built, work) for name, work in works.items()} == keys

    built.change_policy("raw_click", {"signals.click.gain": 2.0})
    now = {name: key_of(built, work) for name, work in works.items()}
    assert {name for name in POLICIES if now[name] != keys[name]} == {"raw_click"}
    shorter = Work("labels", "coec_click", day(2), day(2))
    assert key_of(built, shorter) != keys["coec_click"]


def test_a_refused_policy_has_no_work_and_the_others_have(built: Installation) -> None:
    built.change_problem({"propensity": {"min_clicks": 1_000_000}})
    assert startable(built) == [Work("propensities", "", DAYS[0], LAST)]
    built.build("propensities", *DAYS)
    found = startable(built)
    assert Work("evaluations", "raw_click", LAST, LAST) in found
    assert "coec_click" not in {work.policy for work in found}
