"""What the command that explains says before its work, of lists, and of what it cannot do."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from label_platform.lake import Partition
from label_platform.pipeline.context import Project
from label_platform.pipeline.examples import example_relations
from label_platform.pipeline.workspace import Workspace
from label_platform.policy import MixedLabelsError
from tests.explain.conftest import DAY, SIMULATED_DAYS, Run, clicked
from tests.explain.test_explain_command import spoil


@pytest.mark.parametrize(
    "arguments",
    [
        ("explain", "--policy", "raw_click", "--impression", "0" * 32),
        ("explain", "--query", "12"),
        ("touched", "--event", "0" * 32),
    ],
)
@pytest.mark.parametrize("folder", ["data", "nowhere"])
def test_before_anything_is_built_the_command_that_builds_it_is_named(
    simulated: Project, run: Run, tmp_path: Path, folder: str, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "data").mkdir()
    empty = replace(simulated, workspace=Workspace(tmp_path / folder))
    said = run(empty, *arguments, "--problem", str(simulated.path), fails=True)
    assert said == (
        "problem product_search: impressions: no day is built yet; "
        "`label-platform labels` builds them"
    )


def test_where_no_page_can_be_written_it_is_said_before_the_work(
    simulated: Project, run: Run, tmp_path: Path
) -> None:
    # the id is wrong, too, but is not looked at before the file is
    asked = ("explain", "--policy", "raw_click", "--impression", "x", "--html")
    said = run(simulated, *asked, str(tmp_path), fails=True)
    assert said == f"--html: {tmp_path} is a folder, expected the name of a file"
    missing = str(tmp_path / "nowhere" / "label.html")
    assert run(simulated, *asked, missing, fails=True) == (
        f"--html: there is no folder {tmp_path / 'nowhere'}"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk without room")
def test_a_page_that_was_not_written_is_told_in_one_line(simulated: Project, run: Run) -> None:
    named = clicked(simulated, "raw_click")
    asked = ("explain", "--policy", "raw_click", "--impression", named["impression"])
    said = run(simulated, *asked, "--html", "/dev/full", fails=True)
    assert said == "--html: /dev/full cannot be written: No space left on device"


def test_labels_of_another_version_say_so(copied: Project, run: Run) -> None:
    named = clicked(copied, "raw_click")
    asked = ("explain", "--policy", "raw_click", "--impression", named["impression"], "--json")
    assert "built with" not in json.loads(run(copied, *asked).output)["facts"]
    spoil(copied, "raw_click", "label", label_version="0123456789ab")
    assert json.loads(run(copied, *asked).output)["facts"]["built with"] == (
        "label version 0123456789ab: not today's version (of the policy, the problem or the "
        "formulas)"
    )


def change_policy(project: Project, name: str, **changes: object) -> None:
    path = project.path.parents[2] / "policies" / f"{name}.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))


def test_an_estimator_that_was_not_run_is_told_with_those_that_were(
    copied: Project, run: Run
) -> None:
    named = clicked(copied, "ips_click")
    change_policy(copied, "ips_click", debias={"method": "ips", "propensity": "pbm_em"})
    asked = ("explain", "--policy", "ips_click", "--impression", named["impression"])
    said = run(copied, *asked, fails=True)
    assert said.startswith(f"the curves of {DAY} hold no estimator pbm_em, they hold affine, ")
    assert "`label-platform propensities` estimates it once the policy" in said
    touched = ("touched", "--event", named["event"])
    assert run(copied, *touched, "--policy", "ips_click", fails=True) == said
    # the other policies' labels are told all the same
    lines = run(copied, *touched).output.splitlines()
    place = lines.index("ips_click: not known")
    assert lines[place + 1].strip().startswith(f"the curves of {DAY} hold no estimator pbm_em")
    (raw,) = [number for number, line in enumerate(lines) if line.startswith("raw_click: ")]
    assert "without the event" in lines[raw + 1]


def test_labels_that_cannot_train_any_more_are_explained(copied: Project, run: Run) -> None:
    named = clicked(copied, "ips_click")
    asked = ("explain", "--policy", "ips_click", "--impression", named["impression"])
    # one of its training days has fallen back to no debiasing since
    with copied.open() as context:
        partition = Partition("labels", SIMULATED_DAYS[0], "ips_click")
        context.lake.annotate(partition, {"debiased": False})
        policy = context.project.policy("ips_click")
        with pytest.raises(MixedLabelsError):
            example_relations(context, policy, context.split(context.log_days[-1]))
    after = run(copied, *asked)
    assert named["impression"] in after.output


def test_training_rows_that_are_old_excuse_a_mismatch_of_training(
    copied: Project, run: Run
) -> None:
    named = clicked(copied, "raw_click")
    cell = ("--query", named["query"], "--item", named["item"])
    assert run(copied, "explain", "--policy", "coec_click", *cell).exit_code == 0
    # how much a day counts is a matter of training rows: the labels stay as they are
    change_policy(copied, "coec_click", decay={"half_life": "1d"})
    done = run(copied, "explain", "--policy", "coec_click", *cell, "--json")
    assert done.exit_code == 1
    told = json.loads(done.output)
    differ = [each["name"] for each in told["comparisons"] if each["mismatch"]]
    assert differ
    assert all(name.endswith("in training") for name in differ)
    (note,) = [note for note in told["notes"] if "are older than" in note]
    assert note.startswith("examples/policy=coec_click/day=")
    assert note.endswith("`label-platform examples` builds them anew")


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("raw_click", {"grain": "query_item"}),
        (
            "coec_click",
            {
                "grain": "impression",
                "debias": {"method": "none"},
                "rankers": [{"objective": "pointwise"}],
            },
        ),
    ],
)
def test_labels_of_another_grain_are_refused_in_words(
    copied: Project, run: Run, name: str, changes: dict[str, object]
) -> None:
    named = clicked(copied, "raw_click")
    old, new = copied.policy(name).grain, changes["grain"]
    change_policy(copied, name, **changes)
    asked = ("explain", "--policy", name, "--impression", named["impression"])
    said = run(copied, *asked, fails=True)
    assert said.startswith(f"labels of {name} on 2026-10-0")
    assert said.endswith(
        f"were built at grain {old}, its file now says {new}; `label-platform labels` builds "
        "them anew"
    )


def test_only_labels_that_the_policy_makes_today_fell_back(copied: Project, run: Run) -> None:
    named = clicked(copied, "raw_click")
    asked = ("explain", "--policy", "raw_click", "--impression", named["impression"], "--json")
    debias = {"method": "ips", "on_refusal": {"fall_back_to": "none"}}
    rankers = [{"objective": "pointwise", "position": "debias_only"}]
    change_policy(copied, "raw_click", debias=debias, rankers=rankers)
    told = json.loads(run(copied, *asked).output)["facts"]
    assert "not today's version" in told["built with"]
    assert "fell back" not in told
    spoil(copied, "raw_click", "label", label_version=told["label version"])
    told = json.loads(run(copied, *asked).output)["facts"]
    assert told["fell back"] == "to no debiasing, as the policy says where its curve is refused"
    change_policy(copied, "raw_click", debias={"method": "ips"})
    told = json.loads(run(copied, *asked).output)["facts"]
    assert "fell back" not in told


def test_days_after_the_training_days_count_in_full_and_are_no_training_label(
    simulated: Project, run: Run
) -> None:
    with simulated.open() as context:
        train = context.split(context.lake.days("examples", "graded_recent")[-1]).train
        labels = context.lake.scan("labels", list(SIMULATED_DAYS), "graded_recent")
        query, item = context.engine.row(
            f"select query_id, item_id from {labels} group by all order by count(*) desc, "
            "sum(gain_sum) desc, query_id, item_id limit 1"
        )
    cell = ("--policy", "graded_recent", "--query", str(query), "--item", str(item), "--json")
    trained = json.loads(run(simulated, "explain", *cell).output)
    assert "label in training" in {each["name"] for each in trained["comparisons"]}
    assert not [note for note in trained["notes"] if "no training label" in note]
    days = f"{SIMULATED_DAYS[0]}..{SIMULATED_DAYS[-1]}"
    told = json.loads(run(simulated, "explain", *cell, "--days", days).output)
    (note,) = [note for note in told["notes"] if "no training label" in note]
    assert f"the training days are {train[0]} to {train[-1]}" in note
    assert "label in training" not in {each["name"] for each in told["comparisons"]}
    steps = {step["name"]: step["result"] for step in told["steps"]}
    sums = {"gain_sum": 0.0, "expected_examinations": 0.0}
    late = 0
    for day in SIMULATED_DAYS:
        for name in sums:
            age_days = max(0, (train[-1] - day).days)
            sums[name] += 0.5 ** (age_days / 7) * steps.get(f"{name} of {day}", 0.0)
        late += day > train[-1] and f"gain_sum of {day}" in steps
    assert late > 0
    assert steps["label"] == pytest.approx(
        sums["gain_sum"] / sums["expected_examinations"], abs=2e-6
    )
    assert steps["label"] > 0


def test_a_list_says_how_many_it_leaves_out(simulated: Project, run: Run) -> None:
    with simulated.open() as context:
        query, there = context.engine.row(
            "select query_id, count(*) from "
            f"{context.lake.scan('impressions', list(context.log_days))}"
            " group by query_id order by count(*) desc, query_id limit 1"
        )
    assert there > 20
    order = "those with most events first, the latest of them first"
    asked = ("explain", "--query", str(query))
    told = json.loads(run(simulated, *asked, "--json").output)
    assert (told["listed"], told["found"], told["order"]) == (20, there, order)
    rows = told["impressions"]
    assert len(rows) == 20
    assert sorted(rows, key=lambda row: (row["events"], row["shown_at"]), reverse=True) == rows
    lines = run(simulated, *asked).output.splitlines()
    assert lines[0] == f"20 of {there}, {order}"
    assert lines[1].split() == ["impression", "shown_at", "list", "item", "position", "events"]
    assert len(lines) == 22


def test_what_cannot_be_had_together_is_refused(
    simulated: Project, run: Run, tmp_path: Path
) -> None:
    named = clicked(simulated, "raw_click")
    page = tmp_path / "list.html"
    said = run(simulated, "explain", "--query", named["query"], "--html", str(page), fails=True)
    assert said.startswith("--html: a page shows one label, this is a list of impressions")
    assert not page.exists()
    one = ("explain", "--policy", "raw_click", "--impression", named["impression"])
    for further in (("--query", named["query"]), ("--item", named["item"])):
        said = run(simulated, *one, *further, fails=True)
        assert said == "--impression names one label: expected it without --query and --item"


def test_an_item_that_was_not_shown_is_told_with_those_that_were(
    simulated: Project, run: Run
) -> None:
    named = clicked(simulated, "raw_click")
    with simulated.open() as context:
        items = context.engine.rows(
            "select item_id from "
            f"{context.lake.scan('impressions', list(context.log_days))} where query_id = "
            f"{named['query']} group by item_id order by count(*) desc, item_id limit 5"
        )
    shown = ", ".join(str(item) for (item,) in items)
    expected = f"shown most for it were {shown}"
    days = f"{SIMULATED_DAYS[0]}..{SIMULATED_DAYS[-1]}"
    for policy in ("raw_click", "coec_click"):
        asked = ("explain", "--policy", policy, "--query", named["query"], "--item", "999999")
        said = run(simulated, *asked, "--days", days, fails=True)
        assert f"item 999999 was not shown for query {named['query']} from 2026-10-01" in said
        assert said.endswith(expected)


def test_an_item_whose_lines_are_gone_is_not_said_to_be_never_shown(
    copied: Project, run: Run
) -> None:
    named = clicked(copied, "raw_click")
    for day in SIMULATED_DAYS[:-1]:
        copied.problem.resolve(f"impressions/day={day}.parquet").unlink()
    asked = ("explain", "--policy", "coec_click", "--query", named["query"], "--item")
    done = run(copied, *asked, named["item"])
    assert done.exit_code == 1
    file = f"impressions/day={DAY}.parquet"
    # the rest of its lines does not make what is stored, which is no mistake of the platform
    assert done.output.splitlines()[-1].startswith("NOT KNOWN: ")
    assert "MISMATCH:" not in done.output
    assert f"{file} was ingested, but it is not there any more" in done.output
    done = run(copied, *asked, "999999")
    assert done.exit_code == 1
    last = done.output.splitlines()[-1]
    assert last.startswith("NOT KNOWN: log files that would tell are gone: impressions/day=")
    assert file in last


def test_an_item_that_was_never_shown_is_so_beside_a_changed_file(
    copied: Project, run: Run
) -> None:
    asked = ("explain", "--policy", "coec_click", "--query", "1", "--item", "999999")
    before = run(copied, *asked, fails=True)
    assert "item 999999 was not shown for query 1 from" in before
    name = f"impressions/day={DAY}.parquet"
    file = copied.problem.resolve(name)
    pq.write_table(pq.read_table(file), file, compression="gzip")
    after = run(copied, *asked, fails=True)
    assert after == f"{before}; {name} has changed since it was ingested"


def test_what_only_a_file_that_is_gone_could_tell_is_not_known(copied: Project, run: Run) -> None:
    named = clicked(copied, "raw_click")
    file = f"interactions/day={DAY + timedelta(days=1)}.jsonl.gz"
    asked = ("explain", "--policy", "raw_click", "--impression", named["impression"])
    assert run(copied, *asked).exit_code == 0
    copied.problem.resolve(file).unlink()
    done = run(copied, *asked)
    assert done.exit_code == 1
    assert done.output.splitlines()[-1] == (
        f"NOT KNOWN: log files that would tell are gone: {file}"
    )
    told = json.loads(run(copied, *asked, "--json").output)
    assert (told["mismatch"], told["gone"]) == (False, [file])


def test_an_impression_of_no_training_day_is_told_with_the_training_days(
    simulated: Project, run: Run
) -> None:
    with simulated.open() as context:
        train = context.split(context.lake.days("examples", "coec_click")[-1]).train
        last = SIMULATED_DAYS[-1]
        shown = context.lake.scan("impressions", list(train))
        rows = context.engine.rows(
            f"""select min(impression_id::varchar), (query_id, item_id) in (
                select (query_id, item_id) from {shown}) as is_known
            from {context.lake.scan("impressions", [last])} group by is_known order by is_known"""
        )
        (name, _), (known, _) = rows
    asked = ("explain", "--policy", "coec_click", "--impression", name)
    words = (
        f"impression {{}} was shown on {last}, which is no training day of coec_click: those are "
        f"{train[0]} to {train[-1]}; --days {last}..{last} explains the label of that day"
    )
    assert run(simulated, *asked, fails=True) == words.format(name)
    other = ("explain", "--policy", "coec_click", "--impression", known, "--json")
    assert words.format(known) in json.loads(run(simulated, *other).output)["notes"]
    done = run(simulated, *asked, "--days", f"{last}..{last}")
    assert done.exit_code == 0
    assert f"Impression {name}" in done.output


def test_above_a_list_stands_that_each_impression_has_its_own_label(
    simulated: Project, run: Run
) -> None:
    named = clicked(simulated, "raw_click")
    cell = ("explain", "--query", named["query"], "--item", named["item"])
    done = run(simulated, *cell, "--policy", "raw_click")
    assert done.output.startswith("the grain of raw_click is impression: each of these has")
    assert json.loads(run(simulated, *cell, "--json").output)["notes"] == []


@pytest.mark.parametrize(
    "asked", [("--query", "1"), ("--policy", "raw_click", "--impression", "0" * 32)]
)
def test_days_that_are_not_built_are_told_with_those_that_are(
    simulated: Project, run: Run, asked: tuple[str, ...]
) -> None:
    days = ("--days", "2020-01-01..2020-01-02")
    assert run(simulated, "explain", *asked, *days, fails=True) == (
        "--days: found 2020-01-01 to 2020-01-02, but impressions are built for "
        f"{SIMULATED_DAYS[0]} to {SIMULATED_DAYS[-1]}"
    )
