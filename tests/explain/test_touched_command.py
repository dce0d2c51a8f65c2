"""From an event to its labels; and the command without a command builds labels still."""

import json
import re

from label_platform.pipeline.context import Project
from tests.explain.conftest import Run, clicked


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
