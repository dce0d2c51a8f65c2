"""Labels computed again from the lines of the logs are the labels that SQL has made."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from label_platform.explain import Explanation
from label_platform.pipeline.context import Context, Project
from label_platform.pipeline.explanation import LabelExplainer
from label_platform.policy import Policy, check_policy, load_policy
from tests.explain.conftest import POLICIES, VARIANTS, build
from tests.explain.nameless_log import nameless_project

MANY = 1000


def chosen_labels(context: Context, policy: Policy, how_many: int = MANY) -> list[tuple[Any, ...]]:
    """Some of a policy's labels, by the md5 of their ids: half of them not 0 if there are."""
    key, columns, value = "impression_id::varchar", "impression_id::varchar", "label"
    if policy.grain == "query_item":
        key, columns, value = "concat(query_id, '|', item_id)", "query_id, item_id", "gain_sum"
    parts = " union all ".join(
        f"select {columns}, '{day}'::date as day, {key} as key, {value} <> 0 as is_some"
        f" from {context.lake.scan('labels', [day], policy.name)}"
        for day in context.lake.days("labels", policy.name)
    )
    rows = context.engine.rows(
        f"""with numbered as (select *, row_number() over (
            partition by is_some order by md5(concat(key, day))) as place from ({parts}))
        select * exclude (key, is_some, place) from numbered
        order by place, is_some limit {how_many}"""
    )
    assert len(rows) == how_many
    return rows


def explained(context: Context, policy: Policy, rows: list[tuple[Any, ...]]) -> list[Explanation]:
    explainer = LabelExplainer(context, policy, with_lists=False)
    if policy.grain == "impression":
        return explainer.impressions([(name, day) for name, day in rows])
    cells = sorted({(query, item) for query, item, _day in rows})
    return explainer.cells(cells, context.lake.days("labels", policy.name))


def test_a_thousand_labels_of_every_policy_are_what_their_lines_say(simulated: Project) -> None:
    checked = {}
    with simulated.open() as context:
        for policy in simulated.policies:
            if policy.name in VARIANTS:
                continue
            found = explained(context, policy, chosen_labels(context, policy))
            assert len(found) >= MANY or policy.grain == "query_item"
            wrong = [each for each in found if each.mismatches]
            assert [(each.title, each.mismatches) for each in wrong] == []
            notes = {note for each in found for note in each.notes}
            # cells are explained over all days, not the training days alone
            known = ("the exclusion (clicks_per_minute)", "added up are ")
            assert all(note.startswith(known) for note in notes)
            checked[policy.name] = sum(len(each.all_comparisons) for each in found)
    # but those of videos, which other logs test, and of a catalogue, which the next test has
    fit = {file.stem for file in POLICIES.glob("*.yaml") if "duration_ms" not in file.read_text()}
    assert set(checked) == fit - {"ef", "coec_never_shown"}
    assert min(checked.values()) >= MANY


def test_a_thousand_labels_of_a_policy_for_features_of_items_alone(simulated: Project) -> None:
    """The same logs, as a problem that logs no features with impressions."""
    problem = simulated.problem.model_copy(update={"features": ()})
    policy = load_policy(POLICIES / "coec_never_shown.yaml")
    check_policy(policy, problem)
    of_items = replace(simulated, problem=problem, policies=(policy,))
    build(of_items, {"labels", "examples"})
    with of_items.open() as context:
        found = explained(context, policy, chosen_labels(context, policy))
        assert [(each.title, each.mismatches) for each in found if each.mismatches] == []
        assert sum(len(each.all_comparisons) for each in found) >= MANY
        stored = context.lake.scan(
            "examples", context.lake.days("examples", policy.name), "coec_never_shown"
        )
        # and those that train: cells, and what was drawn for their queries
        cells = context.engine.rows(
            f"select query_id, item_id from {stored} where part = 'train' and origin = 'cell'"
            " and label > 0 order by md5(concat(query_id, '|', item_id)) limit 20"
        )
        drawn = context.engine.rows(
            f"select group_id, count(*) from {stored} where origin = 'random' group by all"
        )
        trained = LabelExplainer(context, policy).cells(cells)
    assert len(trained) == 20
    for (query, _item), each in zip(cells, trained, strict=True):
        assert each.mismatches == ()
        assert "label in training" in {comparison.name for comparison in each.comparisons}
        assert sum(row.weight is not None for row in each.listed) == dict(drawn).get(query, 0)
    assert any(each.listed for each in trained)


@pytest.mark.parametrize("name", list(VARIANTS))
def test_labels_of_what_no_policy_of_ours_says(simulated: Project, name: str) -> None:
    with simulated.open() as context:
        policy = simulated.policy(name)
        found = explained(context, policy, chosen_labels(context, policy, 200))
    assert found
    assert [(each.title, each.mismatches) for each in found if each.mismatches] == []
    assert any(
        comparison.stored not in {None, 0, 1}
        for each in found
        for comparison in each.all_comparisons
    )


@pytest.mark.parametrize("name", ["coec_multi_signal", "coec_model_prior"])
def test_labels_of_all_training_days_are_those_of_the_training_rows(
    simulated: Project, name: str
) -> None:
    with simulated.open() as context:
        policy = simulated.policy(name)
        days = context.lake.days("examples", policy.name)
        rows = context.engine.rows(
            f"select query_id, item_id from {context.lake.scan('examples', days, policy.name)}"
            " where part = 'train' and label > 0"
            " order by md5(concat(query_id, '|', item_id)) limit 50"
        )
        found = LabelExplainer(context, policy).cells(rows)
    assert len(found) == 50
    for each in found:
        assert each.mismatches == ()
        assert "label in training" in {comparison.name for comparison in each.comparisons}


@pytest.mark.parametrize(("touch", "seed"), [("last", 1), ("first", 2)])
def test_every_label_of_a_log_that_names_no_lists(tmp_path: Path, touch: str, seed: int) -> None:
    project = nameless_project(tmp_path, touch, seed)
    fates: Counter[str] = Counter()
    with project.open() as context:
        for policy in project.policies:
            days = context.lake.days("labels", policy.name)
            explainer = LabelExplainer(context, policy, with_lists=False)
            shown = context.engine.rows(
                "select impression_id::varchar, cast(shown_at as date), query_id, item_id from "
                f"{context.lake.scan('impressions', days)}"
            )
            if policy.grain == "impression":
                found = explainer.impressions([(name, day) for name, day, _query, _item in shown])
                assert len(found) == 480
            else:
                found = explainer.cells(sorted({(query, item) for *_, query, item in shown}), days)
                assert len(found) == 8
            assert [each.mismatches for each in found if each.mismatches] == []
            fates.update(
                " ".join(event.fate.split()[:2]).rstrip(":")
                for each in found
                for one in each.impressions
                for event in one.events
            )
    # all that can become of an event has become of some
    assert set(map(str.strip, fates)) >= {
        "takes back",
        "taken back",
        "outside the",
        "before the",
        "belongs to",
    }
    assert any(fate.startswith("counts") for fate in fates)
    assert any(fate.startswith("repeats") for fate in fates)


def test_the_delays_of_auxiliary_signals_are_known_too(simulated: Project) -> None:
    with simulated.open() as context:
        name = "reweighted_with_auxiliary"
        statistics = context.lake.scan(
            "label_statistics", [context.log_days[-1]], simulated.policy(name).name
        )
        found = context.engine.rows(
            f"select distinct name from {statistics} where statistic = 'arrived' order by all"
        )
    assert found == [("add_to_cart",), ("purchase",)]
