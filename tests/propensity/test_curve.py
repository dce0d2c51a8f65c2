from datetime import date

import pandas as pd
import pytest

from label_platform.lake import Engine
from label_platform.propensity import PropensityCurve, Verdict, estimate_randomized
from label_platform.propensity_settings import PropensityGates

STATISTICS = pd.DataFrame(
    [
        ("mobile", 2, 1, 90_000, 9_000),
        ("mobile", 2, 2, 90_000, 4_500),
        ("tv", 2, 1, 900, 90),
        ("tv", 2, 2, 900, 25),
    ],
    columns=["device", "length", "position", "impressions", "clicks"],
)
CURVE = estimate_randomized(STATISTICS, ["device"], PropensityGates())


def test_worst_goes_by_severity_not_by_letters() -> None:
    assert Verdict.worst(["ok", "wide", "ok"]) is Verdict.WIDE
    assert Verdict.worst(["insufficient_interventions", "wide"]) == "insufficient_interventions"
    assert Verdict.worst(["ok"]) is Verdict.OK
    with pytest.raises(ValueError, match="empty"):
        Verdict.worst([])


def test_the_table_reaches_sql_with_its_types() -> None:
    with Engine() as engine:
        engine.register("curve", CURVE.table.assign(last_day=date(2026, 10, 2)))
        assert engine.schema("curve") == {
            "estimator": "VARCHAR",
            "device": "VARCHAR",
            "position": "INTEGER",
            "propensity": "DOUBLE",
            "ci_low": "DOUBLE",
            "ci_high": "DOUBLE",
            "trust_offset": "DOUBLE",
            "impressions": "BIGINT",
            "clicks": "BIGINT",
            "first_day": "DATE",
            "last_day": "DATE",
            "verdict": "VARCHAR",
            "reason": "VARCHAR",
        }
        pooled = engine.rows("select position, propensity from curve where device is null")
        assert pooled == [(1, 1.0), (2, round((4_525 / 90_900) / (9_090 / 90_900), 6))]


def test_a_context_that_is_null_throughout_is_still_text() -> None:
    nameless = STATISTICS.assign(device=None)
    curve = estimate_randomized(nameless, ["device"], PropensityGates())
    with Engine() as engine:
        engine.register("curve", curve.table)
        assert engine.schema("curve")["device"] == "VARCHAR"


def test_a_stored_table_tells_its_verdict_and_reason_again() -> None:
    read = PropensityCurve.from_table(CURVE.table, ["device"])
    assert CURVE.verdict is Verdict.WIDE
    assert (read.verdict, read.reason) == (CURVE.verdict, CURVE.reason)
    # The context that made the verdict comes first.
    assert read.reason.startswith("device = tv: 115 clicks on 1,800 randomised impressions")


def test_only_the_first_of_many_contexts_are_listed() -> None:
    tv = STATISTICS[STATISTICS["device"] == "tv"]
    many = pd.concat([STATISTICS, *(tv.assign(device=f"tv{number}") for number in range(9))])
    reason = estimate_randomized(many, ["device"], PropensityGates()).reason
    assert "and 7 more contexts alike" in reason


def test_tables_of_several_estimators_are_refused() -> None:
    two = pd.concat([CURVE.table, CURVE.table.assign(estimator="pbm")])
    with pytest.raises(ValueError, match=r"'pbm', 'randomized'"):
        PropensityCurve.from_table(two, ["device"])
