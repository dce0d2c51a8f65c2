"""From an event to its labels; and the command without a command builds labels still."""

import gzip
import json
import re
from datetime import date, datetime, timedelta

import pytest

from label_platform.logs import ingest
from label_platform.pipeline.context import Project
from tests.explain.conftest import DAY, Run, clicked


def test_an_event_names_the_labels_that_it_touched(simulated: Project, run: Run) -> None:
    named = clicked(simulated, "raw_click")
    told = json.loads(run(simulated, "touched", "--event", named["event"], "--json").output)
    assert told["impression"] == named["impression"]
    labels = {each["policy"]: each for each in told["labels"]}
    assert set(labels) == {policy.name for policy in simulated.policies}
    assert labels["raw_click"]["numbers"]["label"] == {"with": 1.0, "without": 0.0}
    assert labels["coec_click"]["numbers"]["gain_sum"] == {"with": 1.0, "without": 0.0}
    assert labels["reweighted_by_cell"]["changed"] is False
    done = run(simulated, "touched", "--event", named["event"], "--policy", "raw_click")
    assert "without the event          0" in done.output


def test_an_event_that_belongs_nowhere_touches_nothing(simulated: Project, run: Run) -> None:
    with simulated.open() as context:
        (name,) = context.engine.row(
            "select interaction_id::varchar from "
            f"{context.lake.scan('orphaned_interactions', list(context.log_days))}"
            " where reason = 'no_impression' order by interaction_id limit 1"
        )
    told = json.loads(run(simulated, "touched", "--event", name, "--json").output)
    assert (told["impression"], told["labels"]) == (None, [])
    assert told["event"]["fate"] == "there is no impression that it could belong to"
    said = run(simulated, "touched", "--event", "0" * 32, fails=True)
    assert "no event 00000000-0000-0000-0000-000000000000 from 2026-10-01" in said


def test_labels_alone_still_builds_labels(copied: Project, run: Run) -> None:
    done = run(copied, "--policies", "raw_click", "--json")
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert (told["failed"], told["refused"]) == ({}, {})
    assert told["built"].keys() | told["unchanged"].keys() >= {"impression_signals", "labels"}


def test_times_are_those_that_the_explanation_of_the_label_shows(
    simulated: Project, run: Run
) -> None:
    named = clicked(simulated, "raw_click")
    asked = ("--policy", "raw_click", "--impression", named["impression"])
    lines = run(simulated, "explain", *asked).output.splitlines()
    (place,) = [number for number, line in enumerate(lines) if line.endswith(named["event"])]
    time = re.search(r"click 1 at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) ", lines[place - 1])
    assert time is not None
    touched = run(simulated, "touched", "--event", named["event"]).output.splitlines()
    assert touched[1] == f"  click 1 at {time[1]} UTC"


def bring_back(project: Project, day: date) -> str:
    """Log, the day after, that something is returned that was bought on a day; the return's id."""
    path = project.problem.resolve(f"interactions/day={day}.jsonl.gz")
    with gzip.open(path, "rt") as file:
        bought = next(event for event in map(json.loads, file) if event.get("signal") == "purchase")
    moment = datetime.fromisoformat(bought["occurred_at"]) + timedelta(days=1)
    bought |= {"signal": "return", "occurred_at": moment.isoformat()}
    bought.pop("interaction_id", None)
    with gzip.open(path.with_name("returns.jsonl.gz"), "wt") as file:
        file.write(json.dumps(bought) + "\n")
    with project.open() as context:
        ingest(context.problem, context.lake, context.engine)
    with project.open() as context:
        events = context.lake.scan("interactions", [day + timedelta(days=1)])
        (name,) = context.engine.row(
            f"select interaction_id::varchar from {events} where signal = 'return'"
        )
    return str(name)


@pytest.mark.parametrize("what", ["gone", "changed"])
def test_without_the_files_of_that_time_what_an_event_touched_is_not_known(
    copied: Project, run: Run, what: str
) -> None:
    name = bring_back(copied, DAY)
    asked = ("touched", "--event", name, "--policy", "raw_click")
    done = run(copied, *asked)
    assert done.exit_code == 0
    assert "takes back purchase at" in done.output
    told = json.loads(run(copied, *asked, "--json").output)
    assert (told["known"], told["unread"]) == (True, [])
    file_name = f"interactions/day={DAY}.jsonl.gz"
    file = copied.problem.resolve(file_name)
    if what == "gone":
        file.unlink()
    else:
        file.write_bytes(b"")
    done = run(copied, *asked)
    assert done.exit_code == 1
    assert f"where it belongs is not known without {file_name}" in done.output
    assert "there is nothing that it takes back" not in done.output
    assert done.output.splitlines()[-1].startswith(f"NOT KNOWN: {file_name}: gone or changed")
    done = run(copied, *asked, "--json")
    told = json.loads(done.output)
    assert done.exit_code == 1
    assert (told["known"], told["unread"]) == (False, [file_name])
