"""The commands: what they say, what they say of what is wrong, and what they write."""

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from label_platform.lake import Partition
from label_platform.pipeline.context import Project
from tests.explain.conftest import DAY, Run, clicked


def spoil(project: Project, policy: str, column: str, **attributes: str) -> None:
    """Change every label of a day by a little."""
    with project.open() as context:
        partition = Partition("labels", DAY, policy)
        manifest = context.require(partition)
        context.lake.publish(
            context.engine,
            partition,
            f"select * replace ({column} + 0.001 as {column}) from "
            f"{context.lake.scan('labels', [DAY], policy)}",
            recipe=manifest.recipe_hash,
            attributes={**manifest.attributes, **attributes},
        )


def test_the_text_tells_events_steps_and_what_is_stored(simulated: Project, run: Run) -> None:
    named = clicked(simulated, "ips_click")
    asked = ("explain", "--policy", "ips_click", "--impression", named["impression"])
    done = run(simulated, *asked)
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[0] == f"Label of impression {named['impression']} by policy ips_click"
    assert any("/day=2026-10-03.parquet:" in line for line in lines)
    (place,) = [line for line in lines if line.endswith(named["event"])]
    assert "interactions/day=2026-10-03.jsonl.gz:" in place
    assert any("max(theta, clip)" in line for line in lines)
    assert lines[-1] == "no mismatch: what is stored is what follows from the log lines"


def test_json_holds_the_same(simulated: Project, run: Run) -> None:
    named = clicked(simulated, "ips_click")
    asked = ("explain", "--policy", "ips_click", "--impression", named["impression"], "--json")
    told = json.loads(run(simulated, *asked).output)
    (shown,) = told["impressions"]
    assert told["mismatch"] is False
    assert (shown["impression_id"], str(shown["item_id"])) == (named["impression"], named["item"])
    assert named["event"] in {event["event_id"] for event in shown["events"] if event["counts"]}
    assert [step["name"] for step in shown["steps"]] == [
        "worth of click",
        "propensity theta",
        "t",
        "label",
    ]
    theta = shown["steps"][1]
    assert theta["numbers"]["ci_low"] <= theta["result"] <= theta["numbers"]["ci_high"]
    (label,) = [each for each in told["comparisons"] if each["name"] == "label"]
    assert label["stored"] == pytest.approx(label["recomputed"], abs=2e-6)
    assert {row["item_id"] for row in told["list"]} > {int(named["item"])}
    assert {row["origin"] for row in told["list"]} == {"positive", "shown"}


def test_the_line_that_is_named_is_the_line(simulated: Project, run: Run) -> None:
    named = clicked(simulated, "raw_click")
    asked = ("explain", "--policy", "raw_click", "--impression", named["impression"], "--json")
    (shown,) = json.loads(run(simulated, *asked).output)["impressions"]
    (event,) = [each for each in shown["events"] if each["event_id"] == named["event"]]
    file, line = event["place"].rsplit(":", maxsplit=1)
    path = simulated.problem.resolve(file)
    with simulated.open() as context:
        text = context.engine.row(
            f"select line from (select row_number() over () as n, line from read_csv('{path}', "
            f"columns = {{'line': 'VARCHAR'}}, delim = '\x01', quote = '', escape = '', "
            f"header = false, auto_detect = false)) where n = {line}"
        )[0]
    said = json.loads(text)
    assert (str(said["request_id"]), str(said["item_id"])) == (named["list"], named["item"])
    assert said["signal"] == "click"


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in {"script", "link", "img"}
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_needs_nothing_else(simulated: Project, run: Run, tmp_path: Path) -> None:
    named = clicked(simulated, "ips_click")
    file = tmp_path / "label.html"
    asked = ("explain", "--policy", "ips_click", "--impression", named["impression"])
    assert run(simulated, *asked, "--html", str(file)).exit_code == 0
    page = _Page()
    page.feed(file.read_text(encoding="utf-8"))
    assert page.addresses == []
    text = " ".join(page.text)
    for word in ("no mismatch", named["event"], "max(theta, clip)", "The list in training"):
        assert word in text
    missing = str(tmp_path / "nowhere" / "label.html")
    assert "there is no folder" in run(simulated, *asked, "--html", missing, fails=True)


def test_a_spoilt_label_is_a_mismatch(copied: Project, run: Run, tmp_path: Path) -> None:
    named = clicked(copied, "ips_click")
    spoil(copied, "ips_click", "label")
    asked = ("explain", "--policy", "ips_click", "--impression", named["impression"])
    done = run(copied, *asked)
    assert done.exit_code == 1
    assert "MISMATCH: label: what is stored is not what follows" in done.output
    told = json.loads(run(copied, *asked, "--json").output)
    assert told["mismatch"] is True
    assert [each["name"] for each in told["comparisons"] if each["mismatch"]] == ["label"]
    page = tmp_path / "label.html"
    run(copied, *asked, "--html", str(page))
    assert 'class="verdict bad">MISMATCH' in page.read_text()


def test_a_spoilt_sum_is_a_mismatch(copied: Project, run: Run) -> None:
    named = clicked(copied, "raw_click")
    spoil(copied, "coec_click", "gain_sum")
    asked = ("--policy", "coec_click", "--query", named["query"], "--item", named["item"])
    done = run(copied, "explain", *asked)
    assert done.exit_code == 1
    assert f"MISMATCH: gain_sum of {DAY}" in done.output


def test_a_changed_line_is_a_mismatch_and_a_changed_file_is_named(
    copied: Project, run: Run
) -> None:
    named = clicked(copied, "raw_click")
    path = copied.problem.resolve(f"interactions/day={DAY}.jsonl.gz")
    path.write_bytes(b"")
    done = run(copied, "explain", "--policy", "raw_click", "--impression", named["impression"])
    assert done.exit_code == 1
    assert f"interactions/day={DAY}.jsonl.gz" in done.output
    path.unlink()
    done = run(copied, "explain", "--policy", "raw_click", "--impression", named["impression"])
    assert f"interactions/day={DAY}.jsonl.gz was ingested, but it is not there" in done.output


def test_an_impression_whose_file_is_gone_cannot_be_explained(copied: Project, run: Run) -> None:
    named = clicked(copied, "raw_click")
    copied.problem.resolve(f"impressions/day={DAY}.parquet").unlink()
    asked = ("explain", "--policy", "raw_click", "--impression", named["impression"])
    said = run(copied, *asked, fails=True)
    assert f"its line is in no log file any more: of {DAY}" in said
    assert f"impressions/day={DAY}.parquet" in said


def test_a_query_lists_its_impressions(simulated: Project, run: Run) -> None:
    named = clicked(simulated, "raw_click")
    told = json.loads(run(simulated, "explain", "--query", named["query"], "--json").output)
    rows = told["impressions"]
    assert rows[0]["events"] > 0
    assert set(rows[0]) == {"impression", "shown_at", "list", "item", "position", "events"}
    asked = ("explain", "--query", named["query"], "--item", named["item"])
    assert named["impression"] in run(simulated, *asked).output


def test_the_impression_of_a_query_and_item_policy_names_its_cell(
    simulated: Project, run: Run
) -> None:
    named = clicked(simulated, "raw_click")
    asked = ("explain", "--policy", "coec_click", "--impression", named["impression"])
    done = run(simulated, *asked)
    title = f"Label of query {named['query']} and item {named['item']} by policy coec_click"
    assert done.output.startswith(title)
    assert "label in training" in done.output


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--policy", "ips_clik", "--impression", "x"], "did you mean 'ips_click'?"),
        (["--impression", "00000000-0000-0000-0000-000000000000"], "--policy: expected one of "),
        (["--policy", "raw_click", "--impression", "12"], "is no id of an impression: expected 32"),
        (
            ["--policy", "raw_click", "--impression", "00000000-0000-0000-0000-000000000000"],
            "--query Q lists those of a query, as for",
        ),
        (["--policy", "raw_click"], "expected --impression ID, or --query Q"),
        (["--query", "99999999"], "the queries asked most are"),
        (["--policy", "coec_click", "--query", "1", "--item", "x"], "expected a whole number"),
        (["--policy", "coec_click", "--query", "1", "--item", "999999"], "was not shown for query"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(
    simulated: Project, run: Run, arguments: list[str], expected: str
) -> None:
    assert expected in run(simulated, "explain", *arguments, fails=True)


def test_a_day_without_labels_is_named(copied: Project, run: Run) -> None:
    named = clicked(copied, "raw_click")
    with copied.open() as context:
        shutil.rmtree(context.lake.folder_of(Partition("labels", DAY, "raw_click")))
    asked = ("explain", "--policy", "raw_click", "--impression", named["impression"])
    said = run(copied, *asked, fails=True)
    assert f"the impression was shown on {DAY}: labels of raw_click are built for" in said


def test_an_excluded_impression_has_no_label_and_says_why(simulated: Project, run: Run) -> None:
    with simulated.open() as context:
        (name,) = context.engine.row(
            "select impression_id::varchar from "
            f"{context.lake.scan('impression_signals', list(context.log_days))}"
            " where excluded_reason is not null order by impression_id limit 1"
        )
    done = run(simulated, "explain", "--policy", "raw_click", "--impression", name)
    assert done.exit_code == 0
    assert "EXCLUDED: clicks_per_minute" in done.output
    assert "the exclusion (clicks_per_minute) is taken as it is recorded" in done.output
