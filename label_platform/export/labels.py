"""Labels on the scale that a program takes, from the labels that policies make."""

import re
from dataclasses import dataclass

from label_platform.strict_yaml import ConfigurationError, nearest

LEVELS = 256


@dataclass(frozen=True)
class LabelScale:
    """How labels are written.

    as_is: the numbers. levels: 256 levels, evenly spaced from the lowest to the highest label of
    the training rows, which is what the platform's own rankers learn from. grades: 0 for the
    lowest label, the others in N - 1 equally frequent classes of the training rows.

    Attributes:
        kind: which of them.
        grades: N.
    """

    kind: str
    grades: int = 0

    @property
    def title(self) -> str:
        """As a user writes it."""
        return f"grades:{self.grades}" if self.kind == "grades" else self.kind

    @property
    def largest(self) -> int | None:
        """The largest label that can come out; None for as_is."""
        return {"levels": LEVELS - 1, "grades": self.grades - 1}.get(self.kind)

    def sql(self, train: str) -> tuple[str, str]:
        """A relation of one row, ``scale``, and the expression of a row's label over it.

        Args:
            train: relation of the training rows.
        """
        if self.kind == "as_is":
            return "(select 0 as low)", "label"
        if self.kind == "levels":
            relation = f"(select min(label) as low, max(label) as high from {train})"
            share = "coalesce((label - low) / nullif(high - low, 0), 0)"
            level = f"round({LEVELS - 1} * greatest(0, least(1, {share})))"
            return relation, f"cast({level} as integer)"
        shares = ", ".join(repr(number / (self.grades - 1)) for number in range(1, self.grades - 1))
        edges = f"quantile_disc(label, [{shares}]) filter (label > low)" if shares else "[]"
        relation = (
            f"(select any_value(low) as low, {edges} as edges from {train} "
            f"cross join (select min(label) as low from {train}))"
        )
        above = "len(list_filter(coalesce(edges, []), lambda edge: label > edge))"
        return relation, f"case when label <= low then 0 else 1 + {above} end"


def parse_scale(text: str) -> LabelScale:
    """A scale as a user writes it: as_is, levels or grades:5.

    Raises:
        ConfigurationError: it is none of them.
    """
    match = re.fullmatch(r"grades:(\d+)", text)
    if match is not None and 2 <= int(match[1]) <= 100:
        return LabelScale("grades", int(match[1]))
    if text in {"as_is", "levels"}:
        return LabelScale(text)
    raise ConfigurationError(
        f"--labels: found {text!r}, expected as_is, levels, or grades:2 to grades:100; "
        f"{nearest(text, ['as_is', 'levels', 'grades:5'])}"
    )
