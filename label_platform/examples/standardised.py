"""Features that can be compared: numbers standardised over what training days showed, and text.

Another text is one standard deviation away, and never a near duplicate.
"""

from dataclasses import dataclass

from label_platform.examples.columns import feature_list_sql, item_join_sql
from label_platform.examples.relations import ExampleRelations
from label_platform.lake import quote_identifier

_BIT_MORE = 1 + 1e-9
"""A difference of just the tolerance is within it, whatever the last digits of the sums."""


@dataclass(frozen=True)
class Features:
    """The features that likeness is told by, as columns _own_feature_0, _own_feature_1 ...

    Attributes:
        relations: where they come from.
        logged: whether those of the impression are among them; an item that no list showed is
            told by those of items alone.
    """

    relations: ExampleRelations
    logged: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The columns they are made of."""
        if not self.logged:
            return self.relations.columns_of_items
        return (*self.relations.feature_columns, *self.relations.item_feature_columns)

    def statistics_sql(self) -> str:
        """SQL of one row: mean and standard deviation of each number over the training rows."""
        relations = self.relations
        columns = ",\n    ".join(
            f"avg({number_sql(name)}) as _own_mean_{number}, "
            f"stddev_pop({number_sql(name)}) as _own_sd_{number}"
            for number, name in enumerate(self.names)
            if not self._is_text(name)
        )
        return f"""select
    {columns or "count(*)"}
from (
    select signals.item_id{feature_list_sql(relations, "signals")}
    from {relations.signals_train} as signals{item_join_sql(relations, "signals")}
    where signals.excluded_reason is null
)"""

    def filled_sql(self, rows: str) -> str:
        """The features to select, each after a comma.

        A number that is not known counts as the mean, a text that is not as one of its own.

        Args:
            rows: the name of rows with the features' own names, beside ``statistics``.
        """
        return "".join(
            f",\n    {self._filled(number, name, rows)} as _own_feature_{number}"
            for number, name in enumerate(self.names)
        )

    def distance_sql(self, left: str, right: str) -> str:
        """The squared Euclidean distance of two rows; a feature that never varies adds nothing.

        It is rounded, so that equal distances are equal in whatever order sums were added.
        """
        terms = [
            f"cast({one} is distinct from {other} as double)"
            if self._is_text(name)
            else f"coalesce(pow(({one} - {other}) / nullif(statistics._own_sd_{number}, 0), 2), 0)"
            for number, name, one, other in self._pairs(left, right)
        ]
        return f"round({' + '.join(terms)}, 9)"

    def alike_sql(self, left: str, right: str, tolerance: float) -> str:
        """Whether each feature of two rows is within so many deviations, and text the same.

        Args:
            left: the name of rows, beside ``statistics``.
            right: the name of other rows.
            tolerance: 0 asks for the same raw features, nulls included, and needs no statistics.
        """
        if tolerance == 0:
            names = map(quote_identifier, self.names)
            return " and ".join(
                f"{left}.{name} is not distinct from {right}.{name}" for name in names
            )
        return " and ".join(
            f"{one} is not distinct from {other}"
            if self._is_text(name)
            else f"abs({one} - {other})"
            f" <= {tolerance * _BIT_MORE!r} * coalesce(statistics._own_sd_{number}, 0)"
            for number, name, one, other in self._pairs(left, right)
        )

    def cell_sql(self, tolerance: float) -> str:
        """Which stretch of the first number, a bit longer than the tolerance, a row lies in."""
        numbers = [number for number, name in enumerate(self.names) if not self._is_text(name)]
        if not numbers:
            return "0"
        length, first = tolerance * _BIT_MORE * 1.01, numbers[0]
        stretch = f"nullif({length!r} * statistics._own_sd_{first}, 0)"
        return f"coalesce(floor(_own_feature_{first} / {stretch}), 0)"

    def _is_text(self, name: str) -> bool:
        return name in self.relations.text_columns

    def _filled(self, number: int, name: str, rows: str) -> str:
        if self._is_text(name):
            return f"{rows}.{quote_identifier(name)}"
        return f"coalesce({number_sql(name, rows)}, statistics._own_mean_{number}, 0)"

    def _pairs(self, left: str, right: str) -> list[tuple[int, str, str, str]]:
        """Number, name, and the columns of both rows, of each feature."""
        return [
            (number, name, f"{left}._own_feature_{number}", f"{right}._own_feature_{number}")
            for number, name in enumerate(self.names)
        ]


def number_sql(name: str, rows: str | None = None) -> str:
    """A feature as a finite number, or null.

    Args:
        name: the column.
        rows: the name of the rows that it is a column of.
    """
    column = quote_identifier(name) if rows is None else f"{rows}.{quote_identifier(name)}"
    value = f"cast({column} as double)"
    return f"case when isfinite({value}) then {value} end"
