"""Changes that only training rows see: counts against pandas, the movers' arithmetic."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from label_platform.pipeline.policy_diff import PolicyDiff
from label_platform.pipeline.policy_diff import training as diff_module
from label_platform.pipeline.policy_diff.training import TrainingDiff
from label_platform.policy.diff import Part
from label_platform.strict_yaml import ConfigurationError
from tests.pipeline.conftest import DAYS, POLICIES, Installation, day
from tests.pipeline.test_policy_diff import built_by_adopting, compare, draft, everything
from tests.pipeline.test_policy_diff_command import answer

PRIOR = {
    "debias": {
        "method": "coec",
        "clip": 0.05,
        "prior": {"toward": "model", "strength": 1.0},
        "on_refusal": "fail",
    }
}
POSTERIOR = {
    "debias": {"method": "posterior"},
    "rankers": [{"objective": "pointwise", "position": "debias_only"}],
}
KEYS = {
    "raw_click": ["part", "group_id", "item_id", "impression_id"],
    "coec_click": ["part", "query_id", "item_id"],
}


def training(found: PolicyDiff) -> TrainingDiff:
    assert found.change.reaches == "examples"
    assert found.labels is None
    assert found.training is not None
    return found.training


def coec_prior(installation: Installation, folder: Path) -> Path:
    """A policy of another name with the labels of coec_click."""
    changed = draft(installation, folder, "coec_click", {**PRIOR, "name": "coec_prior"})
    return changed.rename(folder / "coec_prior.yaml")


def rows(installation: Installation, name: str) -> pd.DataFrame:
    """A policy's training rows, as they were published."""
    with installation.project().open() as context:
        return context.engine.frame(f"from {context.lake.scan('examples', [DAYS[-1]], name)}")


def side_by_side(old: pd.DataFrame, new: pd.DataFrame, name: str) -> pd.DataFrame:
    wanted = [*KEYS[name], "label", "weight", "origin"]
    return old[wanted].merge(
        new[wanted], on=KEYS[name], how="outer", suffixes=("_old", "_new"), indicator=True
    )


def counts(both: pd.DataFrame) -> dict[str, int]:
    """What happens to some rows, by brute force."""
    matched = both[both["_merge"] == "both"]
    return {
        "rows": len(both),
        "changed": int((matched["label_old"] != matched["label_new"]).sum()),
        "weighed": int((matched["weight_old"] != matched["weight_new"]).sum()),
        "new": int((both["_merge"] == "right_only").sum()),
        "vanished": int((both["_merge"] == "left_only").sum()),
    }


def counted(part: Part) -> dict[str, int]:
    return {name: getattr(part, name) for name in ("rows", "changed", "weighed", "new", "vanished")}


def agree(found: TrainingDiff, both: pd.DataFrame) -> None:
    """Totals, by part and origin, the cross table's margins, the means of labels."""
    assert found.rows is not None
    assert counted(found.rows.total) == counts(both)
    for part in found.rows.by_segment["part"]:
        assert counted(part) == counts(both[both["part"] == part.of])
    old, new = both["origin_old"], both["origin_new"]
    origin = new.where(new.notna(), old)
    moved = old.notna() & new.notna() & (old != new)
    origin = origin.mask(moved, old.astype(str) + " -> " + new.astype(str))
    assert {part.of for part in found.rows.by_segment["origin"]} == set(origin)
    for part in found.rows.by_segment["origin"]:
        assert counted(part) == counts(both[origin == part.of])
    for side, told in (("old", found.rows.old), ("new", found.rows.new)):
        known = both[f"label_{side}"].dropna()
        assert told.rows == len(known)
        assert told.mean == pytest.approx(known.mean(), abs=1e-6)
        assert told.share_positive == pytest.approx((known > 0).mean())
    without = found.rows.cross_table.get("no label", {})
    assert sum(without.values()) == found.rows.total.new
    gone = sum(row.get("no label", 0) for row in found.rows.cross_table.values())
    assert gone == found.rows.total.vanished
    zeros = ((both["label_old"] == 0) & (both["label_new"] == 0)).sum()
    assert found.rows.cross_table.get("0", {}).get("0", 0) == zeros
    matched = both[both["_merge"] == "both"]
    if "weight" in found.rows.means:
        mean = (matched["weight_old"].mean(), matched["weight_new"].mean())
        assert found.rows.means["weight"] == pytest.approx(mean, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("coec_click", PRIOR),
        ("coec_click", {"grading": {"quantiles": 4}}),
        ("coec_click", {"decay": {"half_life": "1d"}}),
        ("coec_click", {"negatives": {"never_examined": {"rate": 0.3, "below": 0.5}}}),
        (
            "raw_click",
            {"negatives": {"skip_above": {"weight": 0.5}, "unexamined": {"rate": 0.3}}},
        ),
        ("raw_click", {"decay": {"half_life": "1d"}}),
    ],
    ids=["prior", "grading", "decay", "never_examined", "negatives", "decay of impressions"],
)
def test_counts_are_those_of_the_rows_that_a_run_then_builds(
    built: Installation, tmp_path: Path, name: str, changes: dict[str, Any]
) -> None:
    new = draft(built, tmp_path, name, changes)
    before, old = everything(built), rows(built, name)
    found = compare(built, name, str(new))
    assert everything(built) == before
    assert training(found).published == (True, False)
    assert training(found).left_out == 0
    built_by_adopting(built, new, "examples")
    both = side_by_side(old, rows(built, name), name)
    total = counts(both)
    assert total["changed"] + total["weighed"] + total["new"] + total["vanished"] > 0
    agree(training(found), both)


def test_random_negatives_are_told_apart_by_list_and_item(
    built: Installation, tmp_path: Path
) -> None:
    """Neither side is up to date here, since the features are others: both are built to compare."""
    built.change_problem({"features": []})
    random: dict[str, Any] = {"negatives": {"random": {"per_positive": 2, "draw": "popularity"}}}
    new = draft(built, tmp_path, "raw_click", random)
    found = training(compare(built, "raw_click", str(new)))
    assert found.published == (False, False)
    built.build("examples", DAYS[-1], policy="raw_click")
    old = rows(built, "raw_click")
    built.change_policy("raw_click", random)
    built.build("examples", DAYS[-1], policy="raw_click")
    agree(found, side_by_side(old, rows(built, "raw_click"), "raw_click"))
    assert found.rows is not None
    assert found.rows.total.new > 100
    assert found.rows.total.changed == 0
    (random_rows,) = (part for part in found.rows.by_signal if part.of == "(none)" and part.new)
    assert random_rows.new == found.rows.total.new
    assert found.movers == ()
    random["negatives"]["random"]["weight"] = 2.0
    heavier = training(
        compare(built, "raw_click", str(draft(built, tmp_path, "raw_click", random)))
    )
    assert heavier.rows is not None
    total = heavier.rows.total
    assert (total.weighed, total.new, total.vanished) == (random_rows.new, 0, 0)
    assert all("no list showed the item" in each.new_words for each in heavier.movers)


def test_random_negatives_of_queries_are_told_apart_by_query_and_item(
    built: Installation, tmp_path: Path
) -> None:
    built.change_problem({"features": []})
    block: dict[str, Any] = {"per_positive": 2, "draw": "popularity"}
    random: dict[str, Any] = {"negatives": {"random": block}}
    found = training(
        compare(built, "coec_click", str(draft(built, tmp_path, "coec_click", random)))
    )
    built.build("examples", DAYS[-1], policy="coec_click")
    old = rows(built, "coec_click")
    built.change_policy("coec_click", random)
    built.build("examples", DAYS[-1], policy="coec_click")
    new = rows(built, "coec_click")
    agree(found, side_by_side(old, new, "coec_click"))
    assert found.rows is not None
    drawn = int((new["origin"] == "random").sum())
    assert found.rows.total.new == drawn > 100
    assert found.rows.total.changed == found.rows.total.vanished == 0
    # of what no list of the query showed nothing else is told
    (random_rows,) = (part for part in found.rows.by_segment["origin"] if part.of == "random")
    assert random_rows.new == drawn
    block["weight"] = 2.0
    heavier = training(
        compare(built, "coec_click", str(draft(built, tmp_path, "coec_click", random)))
    )
    assert heavier.rows is not None
    total = heavier.rows.total
    assert (total.weighed, total.new, total.vanished) == (drawn, 0, 0)
    assert len(heavier.movers) == 10
    for each in heavier.movers:
        assert each.new_words.startswith("no list showed the item: 0; weight ")
        assert each.new_words.endswith(" as random")


def test_the_rows_that_move_most_come_with_the_prior_s_arithmetic(
    built: Installation, tmp_path: Path
) -> None:
    new = draft(built, tmp_path, "coec_click", PRIOR)
    old = rows(built, "coec_click").set_index(KEYS["coec_click"])
    movers = training(compare(built, "coec_click", str(new))).movers
    built_by_adopting(built, new, "examples")
    drawn = rows(built, "coec_click").set_index(KEYS["coec_click"])
    moves = (drawn["label"] - old["label"]).abs().sort_values(ascending=False)
    assert [abs(each.labels[1] - each.labels[0]) for each in movers] == list(moves[:10])
    for mover in movers:
        key = (mover.ids["part"], int(mover.ids["query_id"]), int(mover.ids["item_id"]))
        before, after = old.loc[[key]].iloc[0], drawn.loc[[key]].iloc[0]
        label, examined, prediction = (
            before["label"],
            before["expected_examinations"],
            after["prediction"],
        )
        assert mover.labels[0] == label
        expected = (label * examined + 1 * prediction) / (examined + 1)
        assert mover.labels[1] == pytest.approx(expected, abs=1e-6)
        assert mover.old_words.endswith(f"= {label:g}")
        assert mover.new_words == (
            f"{mover.old_words}; drawn toward the prediction {prediction:g} with strength 1: "
            f"({label:g} x {examined:g} + 1 x {prediction:g}) / ({examined:g} + 1) = {expected:g}"
        )
        of_part = DAYS[:3] if mover.ids["part"] == "train" else DAYS[3:4]
        assert mover.days
        assert set(mover.days) <= set(of_part)


def test_where_only_weights_change_the_heaviest_changes_are_told(
    built: Installation, tmp_path: Path
) -> None:
    new = draft(built, tmp_path, "raw_click", POSTERIOR)
    old = rows(built, "raw_click").set_index("impression_id")
    found = training(compare(built, "raw_click", str(new)))
    built_by_adopting(built, new, "examples")
    weighed = rows(built, "raw_click").set_index("impression_id")
    moves = (weighed["weight"] - old["weight"]).abs().sort_values(ascending=False)
    assert found.rows is not None
    assert found.rows.total.changed == 0
    assert found.rows.total.weighed == (moves > 0).sum() > 0
    assert len(found.movers) == 10
    for mover, move in zip(found.movers, moves, strict=False):
        assert mover.weights is not None
        assert abs(mover.weights[1] - mover.weights[0]) == move
        row = next(
            each for key, each in weighed.iterrows() if str(key) == mover.ids["impression_id"]
        )
        theta, gamma = min(row["expected_examinations"], 1), min(max(row["prediction"], 0), 0.999)
        assert mover.weights[1] == pytest.approx(
            theta * (1 - gamma) / (1 - theta * gamma), abs=1e-6
        )
        assert mover.old_words == "no signal = 0; weight 1 as shown"
        assert mover.new_words.startswith(
            f"no signal = 0; weight {mover.weights[1]:g} as shown, by P(examined, if not clicked) "
            f"= {theta:g} x (1 - {gamma:g})"
        )


def test_rows_that_are_published_are_read(built: Installation, tmp_path: Path) -> None:
    """And they are the same as those that were built to compare."""
    new = coec_prior(built, tmp_path)
    first = compare(built, "coec_click", str(new))
    new.rename(built.policy_file("coec_prior"))
    built.change_problem({"policies.use": [*POLICIES, "coec_prior"]})
    for each in DAYS:
        built.build("labels", each, policy="coec_prior")
    built.build("examples", DAYS[-1], policy="coec_prior")
    second = compare(built, "coec_click", "coec_prior")
    assert training(first).published == (True, False)
    assert training(second).published == (True, True)
    assert training(second).rows == training(first).rows
    assert training(second).movers == training(first).movers


def test_only_the_days_that_are_named_or_affordable_are_compared(
    finished: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = str(draft(finished, tmp_path, "coec_click", {"grading": {"thresholds": [0.1, 1]}}))
    found = training(compare(finished, "coec_click", new, (day(2), day(3))))
    assert (found.train, found.validate, found.left_out) == ((day(2), day(3)), (), 2)
    assert found.published == (False, False)
    with finished.project().open() as context:
        labels = context.lake.scan("labels", [day(2), day(3)], "coec_click")
        cells = context.engine.frame(
            "select round(sum(gain_sum)::double / sum(expected_examinations)::double, 6) as label "
            f"from {labels} group by query_id, item_id"
        )["label"]
    grades = (cells >= 0.1) * 1 + (cells >= 1) * 1
    assert found.rows is not None
    assert found.rows.total.rows == len(cells)
    assert found.rows.total.changed == (grades != cells).sum() > 0
    assert found.rows.new.mean == pytest.approx(grades.mean())
    for mover in found.movers:
        grade = mover.labels[1]
        assert mover.new_words.endswith(
            f"at or above {grade:g} of the bounds 0.1, 1: grade {grade:g}"
        )
    monkeypatch.setattr(diff_module, "_MOST_IMPRESSIONS", 1)
    found = training(compare(finished, "coec_click", new))
    assert (found.train, found.validate, found.left_out) == ((day(3),), (day(4),), 2)
    with pytest.raises(ConfigurationError, match=r"none of them trains coec_click; .* are 2026-"):
        compare(finished, "coec_click", new, (day(4), day(6)))


def test_the_command_shows_training_rows_and_the_same_for_programs(
    finished: Installation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    new = str(coec_prior(finished, tmp_path))
    code, text, _ = answer(monkeypatch, capsys, finished, "coec_click", new, width=80)
    assert code == 0
    joined = " ".join(text.split())
    for words in (
        "affects the rows that train; the labels that they are made from have the same values",
        f"Training rows that change (train {DAYS[0]} to {DAYS[2]}, 3 days; validate {DAYS[3]}; ",
        "origin cell",
        "Rows by old label (down) and new label (across)",
        "Distributions",
        "drawn toward the prediction",
        "rows of coec_click are those of the lake",
        "were built for this and not kept",
        f"{DAYS[0]} to {DAYS[-1]}, 6 partitions, with the values of coec_click",
        "nothing was written",
    ):
        assert words in joined
    assert "not compared" not in joined
    assert "stay as they are" not in joined
    assert "…" not in text
    code, shown, _ = answer(monkeypatch, capsys, finished, "coec_click", new, "--json")
    found = json.loads(shown)
    assert found["labels"] is None
    assert found["training"]["rows"]["total"]["changed"] > 0
    assert len(found["training"]["movers"]) == 10
    costs = {each["table"]: each for each in found["cost"]}
    assert costs["examples"]["source"] == "this comparison's build"
