"""Changes that only training rows see: counts against pandas, the movers' arithmetic."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from label_platform.pipeline.policy_diff import PolicyDiff
from label_platform.pipeline.policy_diff.training import TrainingDiff
from label_platform.policy.diff import Part
from tests.pipeline.conftest import DAYS, Installation
from tests.pipeline.test_policy_diff import built_by_adopting, compare, draft, everything

PRIOR = {
    "debias": {
        "method": "coec",
        "clip": 0.05,
        "prior": {"toward": "model", "strength": 1.0},
        "on_refusal": "fail",
    }
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
            {"negatives": {"skip_above": {"weight": 0.5}, "random": {"per_positive": 2}}},
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
