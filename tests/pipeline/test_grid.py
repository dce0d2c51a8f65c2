"""A problem with a grid: slots in the table, on the terminal, for programs and as a picture."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from label_platform.pipeline.context import Context
from label_platform.pipeline.pictures import propensity_pictures
from label_platform.pipeline.propensity_report import DayPropensities, latest_propensities
from label_platform.pipeline.terminal import print_estimators
from tests.pipeline.conftest import DAYS, Installation, day

SLOTS = ("page", "grid_row", "grid_column")


def build(installation: Installation) -> None:
    for table in ("matched_interactions", "impression_signals", "position_statistics"):
        installation.build(table, *DAYS[:3])
    installation.build("propensities", day(3))


def found_in(context: Context) -> DayPropensities:
    found = latest_propensities(context, DAYS[-1])
    assert found is not None
    assert found.partition.day == day(3)
    return found


def kinds_of_slots(context: Context) -> list[str]:
    kinds = context.engine.schema(context.lake.scan("propensities", [day(3)]))
    return [kinds[name] for name in SLOTS]


def printed(found: DayPropensities) -> str:
    text = StringIO()
    print_estimators(Console(file=text, width=80), found)
    return text.getvalue()


@pytest.mark.usefixtures("drawn")
def test_a_grid_names_slots_wherever_the_curve_is_shown(
    ingested: Installation, tmp_path: Path
) -> None:
    build(ingested)
    with ingested.project().open() as context:
        plain = found_in(context)
        assert kinds_of_slots(context) == ["INTEGER"] * 3
        assert plain.table[list(SLOTS)].isna().all(axis=None)
        (curve,) = [each for each in plain.as_json()["curves"] if each["position"] == 8][:1]
        assert {name: curve[name] for name in SLOTS} == dict.fromkeys(SLOTS)
        assert "slot" not in curve
        assert "row" not in printed(plain).split("verdict")[0]
        assert plain.write_pictures(context, tmp_path / "plain.png") == [tmp_path / "plain.png"]
        before = context.lake.manifest(plain.partition)

    ingested.change_problem({"propensity": {"grid": {"columns": 3, "rows": 2}}})
    ingested.build("propensities", day(3))
    with ingested.project().open() as context:
        found = found_in(context)
        after = context.lake.manifest(found.partition)
        assert before is not None
        assert after is not None
        assert before.recipe_hash != after.recipe_hash
        assert kinds_of_slots(context) == ["INTEGER"] * 3
        at_8 = found.table[found.table["position"] == 8]
        # six to a page: 7 8 9 / 10 11 12 on page 2
        assert set(at_8[list(SLOTS)].itertuples(index=False, name=None)) == {(2, 1, 2)}
        curves = json.loads(json.dumps(found.as_json()))["curves"]
        eighth = next(each for each in curves if each["position"] == 8)
        assert [eighth[name] for name in SLOTS] == [2, 1, 2]
        assert eighth["slot"] == "page 2, row 1, column 2"
        heading = [line.split() for line in printed(found).splitlines()[3:7]]
        pictures = propensity_pictures(context, found.partition)
        written = found.write_pictures(context, tmp_path / "curves.png")
    assert heading == [
        ["at", "2", "at", "3", "at", "5", "at", "10"],
        ["page", "1"] * 3 + ["page", "2"],
        ["row", "1"] * 2 + ["row", "2"] * 2,
        ["estimator", *["col", "2"], *["col", "3"], *["col", "2"], *["col", "1"], "verdict"],
    ]
    assert written == [tmp_path / "curves.png", tmp_path / "curves_grid.png"]
    assert [each.read_bytes() for each in written] == [
        pictures["propensity_estimators"],
        pictures["propensity_grid"],
    ]
