"""The part of a problem file that says how P(examined | position, context) is estimated."""

from typing import Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from label_platform.strict_yaml import StrictModel, nearest


class PropensityGates(StrictModel):
    """When a propensity estimate counts as wide, and when it is refused or flagged.

    Attributes:
        max_interval_ratio: the interval's high/low ratio above which a position is ``wide``.
        refuse_wide: treat ``wide`` as a refusal.
        min_clicks: clicks below which nothing is estimated.
        min_query_items: items of a query that must have been seen at two positions or more for
            an estimate from lists that rankers made.
        misfit_significance: the p value below which the position model is said not to fit.
        drift_significance: the p value below which the curve is said to change with the days.
    """

    max_interval_ratio: float = Field(default=1.5, gt=1)
    refuse_wide: bool = False
    min_clicks: int = Field(default=20, ge=1)
    min_query_items: int = Field(default=20, ge=1)
    misfit_significance: float = Field(default=0.001, gt=0, lt=1)
    drift_significance: float = Field(default=0.001, gt=0, lt=1)


ESTIMATORS = (
    "randomized",
    "swap",
    "harvest_all_pairs",
    "harvest_adjacent",
    "pbm",
    "pbm_em",
    "pbm_em_pyclick",
    "regression_em",
    "affine",
    "cascade",
    "dbn",
    "sdbn",
    "ubm",
    "dual_learning",
    "viewport",
)
"""The estimators of P(examined | position), see docs/propensities.md."""


class Grid(StrictModel):
    """Lists laid out in rows and columns: position p stands on page (p - 1) // (rows columns) + 1.

    Attributes:
        columns: items side by side.
        rows: rows of a page; without it, there is one page without end.
    """

    columns: int = Field(ge=1)
    rows: int | None = Field(default=None, ge=1)


class PropensitySettings(PropensityGates):
    """How P(examined | position, context) is estimated.

    Attributes:
        estimator: the one whose curve policies use that do not name another; auto takes the best
            evidence there is and says why.
        estimators: those that are estimated every day, in addition to the one above.
        viewed_signal: the signal that says an item was on screen, for ``viewport``.
        grid: how positions lie on the screen.
        replicates: bootstrap replicates behind an interval.
        max_cells: distinct (context, query, item, position) read at once; where there are more,
            items of equal exposure are pooled.
        max_lists: lists read at once by models of whole lists; where there are more, those of
            some queries are left out.
    """

    estimator: str = "auto"
    estimators: tuple[str, ...] = ("randomized", "swap", "harvest_all_pairs", "pbm")
    viewed_signal: str | None = None
    grid: Grid | None = None
    replicates: int = Field(default=200, ge=20, le=10_000)
    max_cells: int = Field(default=2_000_000, ge=1_000)
    max_lists: int = Field(default=200_000, ge=1_000)

    @field_validator("estimator")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in {"auto", *ESTIMATORS}:
            raise ValueError(f"{name!r} is no estimator; {nearest(name, ['auto', *ESTIMATORS])}")
        return name

    @field_validator("estimators")
    @classmethod
    def _are_known(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not names and info.data.get("estimator") == "auto":
            raise ValueError("name at least one, or an estimator: auto has none to choose from")
        for name in names:
            if name not in ESTIMATORS:
                raise ValueError(f"{name!r} is no estimator; {nearest(name, ESTIMATORS)}")
        return names

    @model_validator(mode="after")
    def _views_are_named(self) -> Self:
        if self.viewed_signal is None and "viewport" in {self.estimator, *self.estimators}:
            raise ValueError("viewport needs viewed_signal, the signal that an item was on screen")
        return self
