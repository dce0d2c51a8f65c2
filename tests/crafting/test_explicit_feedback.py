"""Explicit feedback as a label and as an auxiliary label, against what it is by hand."""

from collections.abc import Callable
from pathlib import Path

import pytest

from label_platform.crafting import fit_watch_time, needs_watch_statistics
from label_platform.lake import Engine
from label_platform.policy import LabelInputs, load_policy
from tests.crafting.conftest import compiled

POLICIES = Path(__file__).parents[2] / "policies"
EXPLICIT = ("like", "follow", "comment", "forward")
CAME = [(), ("like",), ("follow",), ("comment",), ("forward",), ("like", "forward"), EXPLICIT]
"""What came of each impression."""

BY_HAND = [0, 1, 1, 1, 1, max(1, 1), max(1, 1, 1, 1)]


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("ef", "label"),
        ("wt_ef", "auxiliary_label"),
        ("d2q_ef", "auxiliary_label"),
        ("dvr_ef", "auxiliary_label"),
    ],
)
def test_any_explicit_feedback_is_one_and_two_kinds_of_it_are_no_more(
    engine: Engine, impressions: Callable[..., str], name: str, column: str
) -> None:
    watched = [(10 * (key + 1), 3 * key) for key in range(len(CAME))]
    feedback = {signal: [float(signal in came) for came in CAME] for signal in EXPLICIT}
    shown = impressions(watched, **feedback)
    spec = load_policy(POLICIES / f"{name}.yaml")
    if needs_watch_statistics(spec):
        engine.register("statistics", fit_watch_time(spec, engine, shown))
    sql = compiled(spec, LabelInputs(shown, statistics="statistics"))
    found = engine.rows(f"select {column} from ({sql}) order by impression_id")
    assert [value for (value,) in found] == BY_HAND
