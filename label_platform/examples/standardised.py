"""Features as numbers that can be compared: standardised over what training days showed."""

from dataclasses import dataclass

from label_platform.examples.columns import feature_list_sql, item_join_sql
from label_platform.examples.relations import ExampleRelations
from label_platform.lake import quote_identifier

_BIT_MORE = 1 + 1e-9
"""A difference of just the tolerance is within it, whatever the last digits of the sums."""


@dataclass(frozen=True)
class Features:
    """The features that likeness is told by, as columns feature_0, feature_1 ...

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
        """SQL of one row: mean and standard deviation of each feature over the training rows."""
        relations = self.relations
        columns = ",\n    ".join(
            f"avg({_number(name)}) as mean_{number}, stddev_pop({_number(name)}) as sd_{number}"
            for number, name in enumerate(self.names)
        )
        return f"""select
    {columns}
from (
    select signals.item_id{feature_list_sql(relations, "signals")}
    from {relations.signals_train} as signals{item_join_sql(relations, "signals")}
    where signals.excluded_reason is null
)"""

    def filled_sql(self, rows: str) -> str:
        """The features to select, each after a comma: what is not known counts as the mean.

        Args:
            rows: the name of rows with the features' own names, beside ``statistics``.
        """
        return "".join(
            f",\n    coalesce({_number(name, rows)}, statistics.mean_{number}, 0) "
            f"as feature_{number}"
            for number, name in enumerate(self.names)
        )

    def distance_sql(self, left: str, right: str) -> str:
        """The squared Euclidean distance of two rows; a feature that never varies adds nothing.

        It is rounded, so that equal distances are equal in whatever order sums were added.
        """
        terms = [
            f"coalesce(pow(({left}.feature_{number} - {right}.feature_{number})"
            f" / nullif(statistics.sd_{number}, 0), 2), 0)"
            for number in range(len(self.names))
        ]
        return f"round({' + '.join(terms)}, 9)"

    def alike_sql(self, left: str, right: str, tolerance: float) -> str:
        """Whether each feature of two rows is within so many standard deviations.

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
            f"abs({left}.feature_{number} - {right}.feature_{number})"
            f" <= {tolerance * _BIT_MORE!r} * coalesce(statistics.sd_{number}, 0)"
            for number in range(len(self.names))
        )

    def cell_sql(self, tolerance: float) -> str:
        """Which stretch of the first feature, a bit longer than the tolerance, a row lies in."""
        length = tolerance * _BIT_MORE * 1.01
        return f"coalesce(floor(feature_0 / nullif({length!r} * statistics.sd_0, 0)), 0)"


def _number(name: str, rows: str | None = None) -> str:
    """A feature as a finite number, or null."""
    column = quote_identifier(name) if rows is None else f"{rows}.{quote_identifier(name)}"
    value = f"cast({column} as double)"
    return f"case when isfinite({value}) then {value} end"
