"""A day's propensities as people and programs read them."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from label_platform.lake import Partition
from label_platform.pipeline.context import Context
from label_platform.pipeline.pictures import propensity_pictures
from label_platform.propensity import is_pooled


@dataclass(frozen=True, eq=False)
class DayPropensities:
    """One partition of the ``propensities`` table.

    Attributes:
        partition: of which day.
        table: its rows.
        attributes: what its manifest says of it.
        context: the context columns.
    """

    partition: Partition
    table: pd.DataFrame
    attributes: dict[str, Any]
    context: tuple[str, ...]

    def pooled_curves(self) -> dict[str, pd.DataFrame]:
        """The curve over all contexts of each estimator, the chosen one first."""
        pooled = self.table[is_pooled(self.table, self.context)]
        names = sorted(
            self.attributes["estimators"], key=lambda name: name != self.attributes["estimator"]
        )
        return {name: pooled[pooled["estimator"] == name] for name in names}

    def picture(self, context: Context) -> bytes:
        """All estimators' curves in one figure, as PNG."""
        return propensity_pictures(context, self.partition)["propensity_estimators"]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        rows = self.table.astype({"first_day": "str", "last_day": "str"})
        return {
            "day": self.partition.day.isoformat(),
            **self.attributes,
            "curves": rows.astype(object).where(rows.notna(), None).to_dict(orient="records"),
        }


def latest_propensities(context: Context, last_day: date) -> DayPropensities | None:
    """The curve that training uses at the end of the last day that is looked at."""
    known = [day for day in context.log_days if day <= last_day]
    if not known:
        return None
    partition = Partition("propensities", context.last_training_day(known[-1]))
    manifest = context.lake.manifest(partition)
    if manifest is None:
        return None
    table = context.engine.frame(f"from {context.lake.scan('propensities', [partition.day])}")
    return DayPropensities(partition, table, manifest.attributes, context.problem.context)
