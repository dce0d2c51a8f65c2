"""A day's propensities as people and programs read them."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from label_platform.lake import Partition
from label_platform.pipeline.context import Context
from label_platform.pipeline.pictures import GRID_PICTURE, propensity_pictures
from label_platform.pipeline.steps import is_stale
from label_platform.propensity import SLOT_COLUMNS, is_pooled, slot_name
from label_platform.propensity_settings import Grid


@dataclass(frozen=True, eq=False)
class DayPropensities:
    """One partition of the ``propensities`` table.

    Attributes:
        partition: of which day.
        table: its rows.
        attributes: what its manifest says of it.
        context: the context columns.
        grid: how positions lie on the screen, where the problem says so.
    """

    partition: Partition
    table: pd.DataFrame
    attributes: dict[str, Any]
    context: tuple[str, ...]
    grid: Grid | None = None

    def pooled_curves(self) -> dict[str, pd.DataFrame]:
        """The curve over all contexts of each estimator, the chosen one first."""
        pooled = self.table[is_pooled(self.table, self.context)]
        names = sorted(
            self.attributes["estimators"], key=lambda name: name != self.attributes["estimator"]
        )
        return {name: pooled[pooled["estimator"] == name] for name in names}

    def slot(self, position: int) -> str:
        """Where on the screen a position is: page 2, row 1, column 3; empty without a grid."""
        return slot_name(position, self.grid) if self.grid else ""

    def write_pictures(self, context: Context, path: Path) -> list[Path]:
        """Write all estimators' curves as PNG, and beside it, as NAME_grid.png, the heat map.

        Args:
            context: of the problem.
            path: of the first picture.

        Returns:
            The files written; one alone where the problem has no grid.
        """
        pictures = propensity_pictures(context, self.partition)
        beside = path.with_name(f"{path.stem}_grid{path.suffix}")
        names = {"propensity_estimators": path, GRID_PICTURE: beside}
        written = {target: pictures[name] for name, target in names.items() if name in pictures}
        for target, png in written.items():
            target.write_bytes(png)
        return list(written)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        # nulls make numbers of these that are not whole
        slot_types = dict.fromkeys(SLOT_COLUMNS.values(), "Int32")
        rows = self.table.astype({"first_day": "str", "last_day": "str", **slot_types})
        if self.grid is not None:
            names = {position: self.slot(position) for position in rows["position"].unique()}
            rows = rows.assign(slot=rows["position"].map(names))
        return {
            "day": self.partition.day.isoformat(),
            **self.attributes,
            "curves": rows.astype(object).where(rows.notna(), None).to_dict(orient="records"),
        }


def latest_propensities(context: Context, last_day: date) -> DayPropensities | None:
    """The curve that training uses at the end of the last day that is looked at.

    None if it is not built, or was made from other counts or settings than those of now.
    """
    known = [day for day in context.log_days if day <= last_day]
    if not known:
        return None
    partition = Partition("propensities", context.last_training_day(known[-1]))
    if is_stale(context, partition):
        return None
    manifest = context.require(partition)
    table = context.engine.frame(f"from {context.lake.scan('propensities', [partition.day])}")
    problem = context.problem
    return DayPropensities(
        partition, table, manifest.attributes, problem.context, problem.propensity.grid
    )
