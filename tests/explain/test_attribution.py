"""Which impression an event belongs to, told from lines by plain rules: one case at a time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from label_platform.explain import Event, LogEvidence, Place, Shown, Wording, gather, key_of
from label_platform.problem import Problem, load_problem

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
MakeProblem = Any


@pytest.fixture
def make_problem(tmp_path: Path) -> MakeProblem:
    def make(**changes: Any) -> Problem:  # noqa: ANN401 - parsed YAML
        content = {
            "name": "shop",
            "start_date": NOON.date(),
            "logs": [{"format": "native", "impressions": "i.jsonl", "interactions": "e.jsonl"}],
            "signals": {
                "click": {"window": "30m"},
                "dwell_s": {"of": "click", "window": "30m"},
                "purchase": {"window": "3d", "reversed_by": "return"},
            },
            "policies": {"use": ["raw_click"]},
        }
        path = tmp_path / "shop.yaml"
        path.write_text(yaml.safe_dump(content | changes))
        return load_problem(path)

    return make


@pytest.fixture
def problem(make_problem: MakeProblem) -> Problem:
    return make_problem()


def shown(name: str = "i1", **changes: Any) -> Shown:  # noqa: ANN401 - any field
    fields: dict[str, Any] = {
        "request_id": "r1",
        "query_id": "q",
        "user": "ann",
        "session": "s1",
        "item_id": "a",
        "position": 1,
        "shown_at": NOON,
        "place": Place("i.jsonl", 1),
    }
    return Shown(name, **(fields | changes))


def event(signal: str, after_s: float = 10.0, line: int = 1, **changes: Any) -> Event:  # noqa: ANN401
    fields: dict[str, Any] = {
        "event_id": f"e{line}",
        "request_id": "r1",
        "user": "ann",
        "session": "s1",
        "surface": None,
        "item_id": "a",
        "position": None,
        "value": 1.0,
        "occurred_at": NOON + timedelta(seconds=after_s),
        "place": Place("e.jsonl", line),
    }
    return Event(signal=signal, **(fields | changes))


def evidence_of(problem: Problem, impressions: list[Shown], events: list[Event]) -> LogEvidence:
    return gather(problem, impressions, events, order={"i.jsonl": 0, "e.jsonl": 1, "f.jsonl": 2})


def fates(problem: Problem, impressions: list[Shown], *events: Event) -> list[str]:
    """What became of events, as told of the first impression."""
    evidence = evidence_of(problem, impressions, list(events))
    told = Wording(problem, evidence, {"click", "purchase"}).fates(impressions[0])
    return [f"{'+' if fate.counts else '-'} {fate.fate}" for fate in told]


def test_an_event_of_its_list_counts(problem: Problem) -> None:
    assert fates(problem, [shown()], event("click")) == ["+ counts: 10.0 s after the impression"]


def test_a_signal_without_a_gain_is_said_to_have_none(problem: Problem) -> None:
    told = fates(problem, [shown()], event("dwell_s"))
    assert told == ["+ counts: 10.0 s after the impression; the policy gives it no worth"]


def test_an_event_outside_its_window_does_not_count(problem: Problem) -> None:
    told = fates(problem, [shown()], event("click", 1800), event("click", 1801, line=2))
    assert told == [
        "+ counts: 30.0 min after the impression",
        "- outside the window: 30.0 min after the impression, at most 30.0 min",
    ]


def test_an_event_before_its_impression_does_not_count(problem: Problem) -> None:
    told = fates(problem, [shown()], event("click", -5))
    assert told == ["- before the impression, by 5.0 s"]


def test_clocks_may_differ_by_as_much_as_the_problem_says(make_problem: MakeProblem) -> None:
    problem = make_problem(attribution={"clock_skew": "6s"})
    assert fates(problem, [shown()], event("click", -5))[0].startswith("+ counts")
    assert fates(problem, [shown()], event("click", -7))[0].startswith("- before")


def test_a_line_sent_twice_counts_once(problem: Problem) -> None:
    again = event("click", place=Place("f.jsonl", 9))
    assert fates(problem, [shown()], again, event("click")) == [
        "+ counts: 10.0 s after the impression",
        "- repeats e.jsonl:1: counted once",
    ]


def test_the_same_id_two_days_later_is_another_event(problem: Problem) -> None:
    later = event("purchase", 2 * 86_400, place=Place("f.jsonl", 9))
    told = fates(problem, [shown()], event("purchase"), later)
    assert [fate[:8] for fate in told] == ["+ counts", "+ counts"]


def test_a_return_takes_back_the_latest_purchase_before_it(problem: Problem) -> None:
    events = [
        event("purchase", 100, 1, value=2.0),
        event("purchase", 200, 2, value=5.0),
        event("return", 300, 3),
        event("purchase", 400, 4, value=3.0),
    ]
    assert fates(problem, [shown()], *events) == [
        "+ counts: 100.0 s after the impression",
        "- taken back by return at e.jsonl:3",
        "+ takes back purchase at e.jsonl:2",
        "+ counts: 6.7 min after the impression",
    ]
    evidence = evidence_of(problem, [shown()], events)
    assert evidence.values(problem, shown()) == {"click": 0.0, "dwell_s": 0.0, "purchase": 3.0}


def test_two_returns_take_back_two_purchases(problem: Problem) -> None:
    events = [
        event("purchase", 100, 1),
        event("purchase", 200, 2),
        event("return", 300, 3),
        event("return", 400, 4),
    ]
    evidence = evidence_of(problem, [shown()], events)
    assert evidence.values(problem, shown())["purchase"] == 0.0


def test_a_return_after_the_window_takes_nothing_back(problem: Problem) -> None:
    events = [event("purchase", 100, 1), event("return", 100 + 3 * 86_400 + 1, 2)]
    told = fates(problem, [shown()], *events)
    assert told[0].startswith("+ counts")
    assert told[1] == "- outside the window in which it takes back e.jsonl:1"


@pytest.mark.parametrize("bought_s", [3 * 86_400 + 100, -7200])
def test_a_return_of_what_does_not_count_says_so(problem: Problem, bought_s: float) -> None:
    bought, returned = event("purchase", bought_s), event("return", bought_s + 3600, 2)
    told = fates(problem, [shown()], bought, returned)
    assert told[0].startswith("- outside the window: " if bought_s > 0 else "- before the")
    assert told[1] == "- what it takes back, e.jsonl:1, does not count itself"


def test_a_second_return_finds_nothing_left(problem: Problem) -> None:
    events = [event("purchase", 100, 1), event("return", 200, 2), event("return", 300, 3)]
    assert fates(problem, [shown()], *events) == [
        "- taken back by return at e.jsonl:2",
        "+ takes back purchase at e.jsonl:1",
        "- nothing was left to take back",
    ]


def test_a_return_names_what_it_took_and_not_what_another_one_did(problem: Problem) -> None:
    events = [
        event("purchase", 100, 1),
        event("purchase", 200, 2),
        event("return", 300, 3),
        event("return", 400, 4),
    ]
    assert fates(problem, [shown()], *events)[2:] == [
        "+ takes back purchase at e.jsonl:2",
        "+ takes back purchase at e.jsonl:1",
    ]


def test_a_return_that_is_a_signal_counts_as_that(make_problem: MakeProblem) -> None:
    signals = {
        "purchase": {"window": "3d", "reversed_by": "return"},
        "return": {"window": "3d"},
    }
    problem = make_problem(signals=signals)
    events = [event("purchase", 100, 1), event("return", 200, 2), event("return", 300, 3)]
    assert fates(problem, [shown()], *events)[2] == "+ nothing was left to take back"
    evidence = evidence_of(problem, [shown()], events)
    assert evidence.values(problem, shown()) == {"purchase": 0.0, "return": 1.0}


def test_a_return_without_a_purchase_is_said_to_take_nothing_back(problem: Problem) -> None:
    told = fates(problem, [shown()], event("return"))
    assert told == ["- there is nothing that it takes back"]


def test_dwell_counts_only_with_its_click(problem: Problem) -> None:
    dwell = event("dwell_s", 20, 1, value=45.0)
    alone = evidence_of(problem, [shown()], [dwell])
    assert alone.values(problem, shown())["dwell_s"] == 0.0
    clicked = evidence_of(problem, [shown()], [dwell, event("click", 10, 2)])
    assert clicked.values(problem, shown())["dwell_s"] == 45.0


def test_the_largest_value_counts(problem: Problem) -> None:
    events = [event("dwell_s", 20 + n, n, value=value) for n, value in enumerate([5.0, 9.0, 2.0])]
    evidence = evidence_of(problem, [shown()], [*events, event("click", 10, 8)])
    assert evidence.values(problem, shown())["dwell_s"] == 9.0


@pytest.mark.parametrize(("touch", "expected"), [("last", "i2"), ("first", "i1")])
def test_an_event_without_a_list_goes_to_the_last_touch_or_the_first(
    make_problem: MakeProblem, touch: str, expected: str
) -> None:
    problem = make_problem(attribution={"touch": touch})
    again = shown("i2", request_id="r2", shown_at=NOON + timedelta(minutes=10))
    click = event("click", 1200, request_id=None)
    (found,) = evidence_of(problem, [shown(), again], [click]).attributed
    assert found.impression is not None
    assert (found.impression.impression_id, found.counts) == (expected, True)
    other = again if expected == "i1" else shown()
    words = f"- belongs to impression {expected} of list r{expected[1]}"
    assert fates(
        problem, [other, *[each for each in (shown(), again) if each != other]], click
    ) == [words]


def test_what_the_events_own_session_was_shown_comes_first(problem: Problem) -> None:
    elsewhere = shown("i2", request_id="r2", session="s2", shown_at=NOON + timedelta(minutes=10))
    click = event("click", 1200, request_id=None)
    (found,) = evidence_of(problem, [shown(), elsewhere], [click]).attributed
    assert found.impression is not None
    assert found.impression.impression_id == "i1"


def test_another_surface_was_not_clicked(problem: Problem) -> None:
    on_web = shown(columns={"surface": "web"})
    told = fates(problem, [on_web], event("click", request_id=None, surface="app"))
    assert told == ["- there is no impression that it could belong to"]
    told = fates(problem, [on_web], event("click", request_id=None, surface=None))
    assert told[0].startswith("+ counts")


def test_who_logs_in_keeps_the_session(problem: Problem) -> None:
    unnamed = shown(user=None)
    told = fates(problem, [unnamed], event("click", request_id=None, user="ann"))
    assert told[0].startswith("+ counts")


def test_the_reported_position_tells_an_item_shown_twice_apart(problem: Problem) -> None:
    twice = [shown("i1", position=1), shown("i2", position=4)]
    (found,) = evidence_of(problem, twice, [event("click", position=4)]).attributed
    assert found.impression is not None
    assert found.impression.impression_id == "i2"


def test_events_of_days_that_were_not_matched_do_not_count(problem: Problem) -> None:
    evidence = gather(problem, [shown()], [event("click")], order={}, event_days=set())
    told = Wording(problem, evidence, {"click"}).fates(shown())
    assert [(fate.counts, fate.fate) for fate in told] == [
        (False, "its day was not matched when the label was built")
    ]
    assert evidence.belonging[key_of(shown())][0].counts is False


def test_a_label_without_an_event_is_that_of_the_others(problem: Problem) -> None:
    events = [event("purchase", 100, 1), event("return", 200, 2)]
    evidence = evidence_of(problem, [shown()], events)
    assert evidence.values(problem, shown())["purchase"] == 0.0
    assert evidence.without(problem, "e2").values(problem, shown())["purchase"] == 1.0
