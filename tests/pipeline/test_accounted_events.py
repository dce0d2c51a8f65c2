"""Attributed + orphaned = accepted events: counted from three sides, and it blocks."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from label_platform.lake import Partition
from label_platform.pipeline.accounted_events import EventCounts, count_events
from label_platform.pipeline.assets import asset_key, build_assets
from label_platform.pipeline.run import run_chain
from tests.pipeline.conftest import DAYS, PROBLEM, Installation, day, quiet_instance

CHECK = "attributed_and_orphaned_are_all_events"


def counts(installation: Installation, on: date) -> EventCounts:
    with installation.project().open() as context:
        return count_events(context, on)


def publish(
    installation: Installation, table: str, on: date, query: str, **attributes: object
) -> None:
    """Put something else in the place of a partition, as if it had been built like this."""
    partition = Partition(table, on)
    before = installation.manifest(table, on)
    with installation.project().open() as context:
        context.lake.publish(
            context.engine,
            partition,
            query.format(table=context.lake.scan(table, [on])),
            recipe=before.recipe_hash,
            attributes=before.attributes | attributes,
        )


def check(installation: Installation, on: date) -> tuple[bool, dg.AssetCheckEvaluation]:
    """Materialise a day's orphans and statistics; whether all went well, and what was found."""
    project = installation.project()
    tables = ("orphaned_interactions", "position_statistics")
    with quiet_instance() as instance:
        done = dg.materialize(
            build_assets(project),
            selection=[asset_key(project, table) for table in tables],
            partition_key=str(on),
            instance=instance,
            raise_on_error=False,
        )
    (found,) = [each for each in done.get_asset_check_evaluations() if each.check_name == CHECK]
    built = {
        event.step_materialization_data.materialization.asset_key.path[-1]
        for event in done.get_asset_materialization_events()
    }
    assert ("position_statistics" in built) == found.passed
    return done.success, found


def test_every_event_of_a_built_log_is_accounted_for(finished: Installation) -> None:
    for each in DAYS:
        found = counts(finished, each)
        assert found.are_balanced, found
        assert found.accepted == finished.manifest("interactions", each).rows
        assert found.orphaned == finished.manifest("orphaned_interactions", each).rows
        assert found.attributed > 0
        assert found.waiting == 0
    assert sum(counts(finished, each).orphaned for each in DAYS) > 0


def test_what_was_matched_is_in_the_manifest(finished: Installation) -> None:
    for each in DAYS:
        facts = finished.manifest("matched_interactions", each).attributes
        found = counts(finished, each)
        assert facts["events"] == found.accepted
        assert facts["attributed"] == found.attributed
        assert facts["orphaned"] == found.orphaned
        assert sum(part["rows"] for part in facts["matched_by_day"].values()) == found.attributed
        assert set(facts["matched_by_day"]) <= {str(each - timedelta(days=n)) for n in range(3)}


def test_the_check_passes_where_nothing_is_lost(built: Installation) -> None:
    success, found = check(built, day(4))
    assert success
    assert found.passed
    assert found.blocking
    assert found.description == f"{day(4)}: {counts(built, day(4))}"


def lose_an_orphan(installation: Installation) -> None:
    """The table of orphans has one row less than it should."""
    one_less = "(from {table} order by interaction_id offset 1)"
    publish(installation, "orphaned_interactions", day(4), f"from {one_less}")


def lose_an_event_on_the_way(installation: Installation) -> None:
    """Signals that saw all events of a day, and made something of all but one."""
    attributes = installation.manifest("impression_signals", day(4)).attributes
    made = attributes["attributed_by_event_day"]
    fewer = made | {str(day(4)): made[str(day(4))] - 1}
    publish(
        installation,
        "impression_signals",
        day(4),
        "from {table}",
        attributed_by_event_day=fewer,
    )


def forget_an_event_in_matching(installation: Installation) -> None:
    """A matching that drops an event, and everything after it built from what it gave."""
    on = day(4)
    facts = installation.manifest("matched_interactions", on).attributes
    own = facts["matched_by_day"][str(on)]
    publish(
        installation,
        "matched_interactions",
        on,
        f"""from {{table}} where interaction_id <> (
            select min(interaction_id) from {{table}}
            where orphan_reason is null and impression_day = date '{on}')""",
        matched_by_day=facts["matched_by_day"]
        | {str(on): {"rows": own["rows"] - 1, "hash": "another"}},
    )
    installation.build("impression_signals", on)


@pytest.mark.parametrize(
    "tamper", [lose_an_orphan, lose_an_event_on_the_way, forget_an_event_in_matching]
)
def test_a_lost_event_stops_what_follows(
    built: Installation, tamper: Callable[[Installation], None]
) -> None:
    accepted = counts(built, day(4)).accepted
    tamper(built)
    found = counts(built, day(4))
    assert found.accepted == accepted
    assert found.attributed + found.orphaned == accepted - 1
    success, evaluation = check(built, day(4))
    assert not success
    assert not evaluation.passed
    assert evaluation.description == f"{day(4)}: {found}"


def test_a_run_from_the_command_line_ends_there(built: Installation) -> None:
    """Also where nothing of the orphans themselves is new: they are counted again."""
    lose_an_event_on_the_way(built)
    with quiet_instance() as instance:
        summary = run_chain(built.project(), instance, until="labels")
    assert summary.broken.keys() == {f"{PROBLEM}/orphaned_interactions"}
    assert CHECK in summary.broken[f"{PROBLEM}/orphaned_interactions"]
    assert "labels" not in summary.built | summary.unchanged


def test_events_of_days_that_were_not_built_wait(built: Installation) -> None:
    """With ``--days`` the days before it are left as they are; nothing is lost for that."""
    before = counts(built, day(4))
    built.forget("impression_signals", day(3))
    found = counts(built, day(4))
    assert found.are_balanced
    assert found.waiting > 0
    assert found == replace(
        before, attributed=before.attributed - found.waiting, waiting=found.waiting
    )
    built.build("impression_signals", day(3))
    assert counts(built, day(4)) == before


LONG_AFTER = (date(2026, 10, 20), date(2026, 10, 25))


def go_on_without_impressions(installation: Installation) -> None:
    """Feedback keeps coming two weeks after the last impressions: two clicks, on two days."""
    installation.change_problem({"end_date": date(2026, 10, 31)})
    installation.add_events(
        "without_impressions",
        *(
            {
                "request_id": 987_654,
                "item_id": 1,
                "signal": "click",
                "value": 1,
                "occurred_at": datetime(
                    each.year, each.month, each.day, 12, tzinfo=UTC
                ).isoformat(),
            }
            for each in LONG_AFTER
        ),
    )
    installation.ingest()


def test_events_long_after_the_last_impressions_are_orphans(built: Installation) -> None:
    """Longer than any window: nothing that is built otherwise would look at their days."""
    go_on_without_impressions(built)
    with quiet_instance() as instance:
        summary = run_chain(built.project(), instance, until="orphaned_interactions")
    assert summary.broken == {}
    for each in LONG_AFTER:
        assert counts(built, each) == EventCounts(1, attributed=0, orphaned=1, waiting=0)
    with built.project().open() as context:
        days = context.lake.days("orphaned_interactions")
        reasons = context.engine.rows(
            f"select reason from {context.lake.scan('orphaned_interactions', LONG_AFTER)}"
        )
    assert reasons == [("no_impression",), ("no_impression",)]
    # no partitions of the days between them, on which nothing happened
    assert days == [*DAYS, *LONG_AFTER]


def test_a_day_of_events_that_was_left_out_stops_what_follows(built: Installation) -> None:
    go_on_without_impressions(built)
    built.build("matched_interactions", *DAYS, LONG_AFTER[0])
    built.build("impression_signals", *DAYS)
    success, found = check(built, DAYS[-1])
    assert not success
    assert found.description == f"{LONG_AFTER[1]}: 1 accepted, 0 attributed, 0 orphaned"


def test_days_that_were_not_asked_for_are_not_left_out(built: Installation) -> None:
    """The reach of the first day's impressions ends before the log does: a purchase, a return."""
    go_on_without_impressions(built)
    with quiet_instance() as instance:
        summary = run_chain(
            built.project(), instance, until="orphaned_interactions", days=(date.min, day(1))
        )
    assert summary.broken == {}
    with built.project().open() as context:
        assert context.lake.days("matched_interactions") == [*DAYS]
