"""A change of policy looked at before it is made: on a real lake, which stays as it is."""

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from label_platform.pipeline.assets import asset_key
from label_platform.pipeline.policy_diff import PolicyDiff, diff_policies
from label_platform.pipeline.policy_diff import cost as cost_module
from label_platform.pipeline.policy_diff.cost import cost_of
from label_platform.pipeline.policy_diff.plan import Affected, Plan
from label_platform.pipeline.policy_diff.source import read_policy
from label_platform.pipeline.run import dagster_instance, run_chain
from label_platform.policy import PropensityRefusedError
from tests.pipeline.conftest import DAYS, Installation, day, quiet_instance
from tests.pipeline.test_feature_tables import daily, queries, with_table, write

EVER = (date.min, date.max)
Answer = tuple[int, str, str]


def draft(installation: Installation, folder: Path, name: str, changes: dict[str, Any]) -> Path:
    """A changed copy of a policy in a folder beside the installation."""
    folder.mkdir(exist_ok=True)
    content = yaml.safe_load(installation.policy_file(name).read_text())
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**content, **changes}, sort_keys=False))
    return path


def compare(
    installation: Installation, old: str, new: str, days: tuple[date, date] = EVER, **more: bool
) -> PolicyDiff:
    project = installation.project()
    policies = (read_policy(old, project.problem), read_policy(new, project.problem))
    return diff_policies(project, policies, (old, new), days, **more)


def labels(installation: Installation, name: str) -> pd.DataFrame:
    """A policy's labels of all days, as they were published."""
    with installation.project().open() as context:
        return context.engine.frame(f"from {context.lake.scan('labels', DAYS, name)}")


def everything(installation: Installation) -> dict[str, tuple[int, int]]:
    """Every file of an installation, its size and time."""
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(installation.folder.rglob("*"))
        if path.is_file()
    }


def test_counts_are_those_of_the_published_labels(finished: Installation) -> None:
    found = compare(finished, "raw_click", "multi_signal")
    both = labels(finished, "raw_click").merge(
        labels(finished, "multi_signal"), on="impression_id", suffixes=("_old", "_new")
    )
    assert found.labels is not None
    assert found.labels.total.rows == len(both)
    changed = both["label_old"] != both["label_new"]
    assert found.labels.total.changed == int(changed.sum()) > 0
    assert found.labels.total.new_mean == pytest.approx(both["label_new"].mean())
    assert found.days == DAYS


def test_counts_by_query_and_item_are_those_of_the_published_labels(finished: Installation) -> None:
    found = compare(finished, "raw_click", "coec_click", (day(2), day(4)))
    with finished.project().open() as context:
        days = [day(2), day(3), day(4)]
        signals = context.lake.scan("impression_signals", days)
        raw = context.lake.scan("labels", days, "raw_click")
        coec = context.lake.scan("labels", days, "coec_click")
        old = context.engine.frame(
            "select query_id, item_id, round(avg(label), 6) as label "
            f"from {raw} join {signals} using (impression_id) group by all"
        )
        new = context.engine.frame(
            "select query_id, item_id, round(sum(gain_sum)::double / "
            f"sum(expected_examinations)::double, 6) as label from {coec} group by all"
        )
    both = old.merge(new, on=["query_id", "item_id"], how="outer", suffixes=("_old", "_new"))
    assert found.labels is not None
    assert found.labels.grain == "query_item"
    assert found.labels.total.rows == len(both)
    changed = (both["label_old"] != both["label_new"]).sum()
    assert found.labels.total.changed == int(changed) > 0


def test_the_rows_that_move_most_come_with_their_arithmetic(
    finished: Installation, tmp_path: Path
) -> None:
    debias = {"method": "ips", "clip": 0.5}
    rankers = [{"objective": "pointwise", "position": "debias_only"}]
    new = draft(finished, tmp_path, "raw_click", {"debias": debias, "rankers": rankers})
    found = compare(finished, "raw_click", str(new), (day(1), day(1)))
    assert len(found.movers) == 10
    for mover in found.movers:
        theta = mover.theta[1]
        assert theta is not None
        assert mover.signals == {"click": 1.0}
        assert mover.labels == (1.0, pytest.approx(1 / max(theta, 0.5), abs=1e-6))
        assert mover.old_words == "1 x click 1 = 1"
        assert mover.new_words.startswith(f"1 x click 1 = 1; 1 / max(theta {theta:g}, clip 0.5)")
        assert mover.days == (day(1),)
    moves = [mover.labels[1] - mover.labels[0] for mover in found.movers]
    assert moves == sorted(moves, reverse=True)


def test_nothing_is_written_and_a_trial_agrees_with_what_was_built(finished: Installation) -> None:
    before = everything(finished)
    found = compare(finished, "raw_click", "multi_signal", train=True)
    assert everything(finished) == before
    assert found.trial is not None
    table = found.trial.table
    with finished.project().open() as context:
        known = context.engine.frame(f"from {context.lake.scan('comparisons', [DAYS[-1]])}")
    values = known[known["slice"] == "all"].set_index(["policy", "yardstick"])["value"]
    for row in table.dropna(subset=["difference"]).itertuples():
        assert row.baseline_value == pytest.approx(values["raw_click", row.yardstick])
        assert row.value == pytest.approx(values["multi_signal", row.yardstick])
        assert row.difference == pytest.approx(row.value - row.baseline_value)
        assert row.difference_low < row.difference < row.difference_high
    assert "true_ndcg_at_10" in set(table["yardstick"])


def test_a_change_of_rankers_plans_what_a_run_then_builds(
    built: Installation, tmp_path: Path
) -> None:
    rankers = [{"objective": "lambdarank", "position": "feature"}]
    new = draft(built, tmp_path, "multi_signal", {"rankers": rankers})
    found = compare(built, "multi_signal", str(new))
    assert found.change.reaches == "rankers"
    assert found.labels is None
    assert found.plan is not None
    assert found.plan.rankers == (("multi_signal", "lambdarank, position feature"),)
    assert planned(found) == built_by_adopting(built, new, "comparisons")


def test_a_change_of_labels_plans_what_a_run_then_builds(
    built: Installation, tmp_path: Path
) -> None:
    """With what a policy has to fit on other days: it is fitted beside the lake."""
    new = draft(built, tmp_path, "multi_signal", {"delay": {"immature": "reweight"}})
    old = labels(built, "multi_signal")
    before = everything(built)
    found = compare(built, "multi_signal", str(new))
    assert everything(built) == before
    assert found.labels is not None
    assert found.plan is not None
    own = {each.table: each.days for each in found.plan.affected if each.policy == "multi_signal"}
    last = DAYS[-1:]
    assert own == {
        "label_statistics": DAYS,
        "labels": DAYS,
        "examples": last,
        "rankers": last,
        "evaluations": last,
    }
    # it waits for no purchase any more, which moves the training days, and with them the curves
    until_labels = {
        table: days
        for table, days in planned(found).items()
        if table in {"propensities", "label_statistics", "labels"}
    }
    assert built_by_adopting(built, new, "labels") == until_labels
    both = old.merge(labels(built, "multi_signal"), on="impression_id", suffixes=("_old", "_new"))
    changed = (both["label_old"] != both["label_new"]).sum()
    assert found.labels.total.changed == int(changed) > 0


def planned(found: PolicyDiff) -> dict[str, int]:
    assert found.plan is not None
    return {each.table: found.plan.days_of(each.table) for each in found.plan.affected}


def built_by_adopting(installation: Installation, new: Path, until: str) -> dict[str, int]:
    """What a run builds once the new file is in its place."""
    shutil.copy(new, installation.policy_file(new.stem))
    with quiet_instance() as instance:
        return run_chain(installation.project(), instance, until=until).built


def test_a_policy_that_is_not_active_would_be_added(finished: Installation, tmp_path: Path) -> None:
    content = yaml.safe_load(finished.policy_file("raw_click").read_text())
    path = tmp_path / "bought.yaml"
    path.write_text(
        yaml.safe_dump({**content, "name": "bought", "signals": {"purchase": {"gain": 1.0}}})
    )
    found = compare(finished, "raw_click", str(path))
    assert found.plan is not None
    assert {each.policy for each in found.plan.affected} == {"bought", ""}
    costs = {cost.table: cost for cost in found.cost}
    assert found.labels is not None
    assert costs["labels"].partitions == len(DAYS)
    assert costs["labels"].seconds is not None
    assert costs["labels"].source == "this comparison's impressions per second"
    assert costs["rankers"].seconds is None


def test_labels_cost_what_comparing_the_impressions_behind_them_took(
    finished: Installation, tmp_path: Path
) -> None:
    """Rows that are compared may be of queries and items, and of several days."""
    signals = {"signals": {"add_to_cart": {"gain": 1.0}}}
    carts = draft(finished, tmp_path, "coec_click", {**signals, "name": "coec_carts"})
    found = compare(
        finished, "coec_click", str(carts.rename(tmp_path / "coec_carts.yaml")), (day(2), day(4))
    )
    shown = [finished.manifest("impression_signals", each).rows for each in DAYS]
    (cost,) = (cost for cost in found.cost if cost.table == "labels")
    assert cost.source == "this comparison's impressions per second"
    assert cost.seconds == pytest.approx(found.seconds * sum(shown) / sum(shown[1:4]))


def test_past_builds_count_all_partitions_of_their_run(
    built: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of tables of all policies, too."""
    monkeypatch.setenv("DAGSTER_HOME", "put back afterwards")
    monkeypatch.setattr(cost_module, "_LOOK_BACK", 4)
    built.forget("propensities", *DAYS)
    project = built.project()
    with dagster_instance(project.workspace.dagster_home) as instance:
        assert run_chain(project, instance, until="propensities").built["propensities"] == 6
        (run,) = {
            record.run_id
            for record in instance.fetch_materializations(
                asset_key(project, "propensities"), limit=9
            ).records
        }
        (step,) = instance.get_run_step_stats(run, [f"{project.problem.name}__propensities"])
    assert step.start_time is not None
    assert step.end_time is not None
    with project.open() as context:
        plan = Plan((Affected("propensities", "", DAYS[:3]),), ())
        (cost,) = cost_of(context, plan, None)
    assert cost.source == "past builds"
    assert cost.seconds == pytest.approx((step.end_time - step.start_time) / 6 * 3)


def test_a_refused_curve_is_said(built: Installation) -> None:
    built.change_problem({"propensity": {"min_clicks": 1_000_000}})
    built.build("propensities", *DAYS)
    with pytest.raises(PropensityRefusedError, match="coec_click: its propensities are refused"):
        compare(built, "raw_click", "coec_click")


def purchases(installation: Installation, folder: Path, name: str, **more: Any) -> Path:  # noqa: ANN401
    """Of so few purchases that labels differ no more than by chance: no prior is learnt of them."""
    debias = {"method": "coec", "clip": 0.05, "on_refusal": "fail", **more}
    changes = {"name": name, "signals": {"purchase": {"gain": 1.0}}, "debias": debias}
    return draft(installation, folder, "coec_click", changes).rename(folder / f"{name}.yaml")


def test_a_refused_prior_is_said_and_nothing_is_planned_of_it(
    finished: Installation, tmp_path: Path
) -> None:
    plain = str(purchases(finished, tmp_path, "coec_a"))
    prior = {"toward": "empirical_bayes"}
    refused = str(purchases(finished, tmp_path, "coec_eb", prior=prior))
    words = "coec_eb: debias.prior: toward: empirical_bayes is refused: labels differ no more"
    found = compare(finished, plain, refused, train=True)
    assert found.training is not None
    assert found.training.words.startswith(words)
    assert found.trial is not None
    assert found.trial.words.startswith(words)
    for plan in (found.plan, compare(finished, plain, refused).plan):
        assert plan is not None
        assert plan.words.startswith("coec_eb: its examples and rankers would be refused")
        assert {(each.table, each.policy) for each in plan.affected} == {("labels", "coec_eb")}
        assert plan.rankers == ()
    # of fewer days nobody can tell
    plan = compare(finished, plain, refused, (day(2), day(4))).plan
    assert plan is not None
    assert plan.words.startswith("coec_eb: its examples and rankers may be refused")
    assert [policy for policy, _ in plan.rankers] == ["coec_eb"]
    # what is given up does not stand in the way of what takes its place
    found = compare(finished, refused, plain, train=True)
    assert found.trial is not None
    assert found.trial.words.startswith(words)
    assert found.plan is not None
    assert (found.plan.words, len(found.plan.rankers)) == ("", 1)


def test_features_that_leak_are_said(built: Installation, tmp_path: Path) -> None:
    with built.project().open() as context:
        keys = queries(context)
    write(built, "queries.parquet", daily(keys, "query_id", known_hours_later=24))
    with_table(built)
    found = compare(built, "raw_click", "multi_signal", train=True)
    assert found.trial is not None
    assert "feature_tables.queries: leak: " in found.trial.words
    decayed = draft(built, tmp_path, "raw_click", {"decay": {"half_life": "1d"}})
    found = compare(built, "raw_click", str(decayed))
    assert found.training is not None
    assert "feature_tables.queries: leak: " in found.training.words
    assert found.plan is not None
    assert found.plan.words.startswith("raw_click: its examples and rankers would be refused")
