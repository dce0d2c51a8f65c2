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
from label_platform.propensity import SLOT_COLUMNS, Verdict, is_pooled, slot_name
from label_platform.propensity_settings import Grid

_REFERENCE_POSITION = 1
"""Where a curve's reason stands."""


@dataclass(frozen=True)
class Judged:
    """What became of one estimator.

    Attributes:
        estimator: its name.
        is_chosen: whether it is the answer of policies that name none.
        verdict: what its curve may be used for.
        why: the sentence that the verdict rests on.
        reasons: everything that is said of it, each context included.
    """

    estimator: str
    is_chosen: bool
    verdict: Verdict
    why: str
    reasons: tuple[str, ...]


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

    @property
    def chosen_because(self) -> str:
        """Why the chosen estimator is the answer."""
        reason = str(self.attributes["reason"])
        own = str(self.attributes["estimators"][self.attributes["estimator"]]["reason"])
        return reason.removesuffix(f": {own}")

    def judged(self) -> list[Judged]:
        """Each estimator's verdict and why, the chosen one first."""
        return [
            Judged(
                name,
                name == self.attributes["estimator"],
                Verdict(self.attributes["estimators"][name]["verdict"]),
                self._why(name, pooled),
                tuple(sentences_of(str(self.attributes["estimators"][name]["reason"]))),
            )
            for name, pooled in self.pooled_curves().items()
        ]

    def _why(self, name: str, pooled: pd.DataFrame) -> str:
        """A reason begins with the evidence, which decides most verdicts; flags come after it."""
        judged = self.attributes["estimators"][name]
        verdict, reason = Verdict(judged["verdict"]), str(judged["reason"])
        for finding in self.attributes["findings"]:
            if finding["verdict"] == verdict and finding["fires"] and finding["sentence"] in reason:
                said = sentences_of(finding["sentence"])[0]
                return f"{finding['context']}: {said}" if finding["context"] else said
        of_all = pooled.loc[pooled["position"] == _REFERENCE_POSITION, "reason"]
        if verdict in {Verdict.UNTESTED, Verdict.DISAGREEMENT} and len(of_all):
            return sentences_of(str(of_all.iloc[0]))[-1]
        return sentences_of(reason)[0]

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


def sentences_of(reason: str) -> list[str]:
    """The parts of a reason that semicolons set apart, but for those within brackets."""
    parts, depth, begin = [], 0, 0
    for place, sign in enumerate(reason):
        depth += (sign == "(") - (sign == ")")
        if depth == 0 and reason.startswith("; ", place):
            parts.append(reason[begin:place])
            begin = place + len("; ")
    return [*parts, reason[begin:]]
