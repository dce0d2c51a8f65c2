"""Whether random items are told from shown ones by the features that they lack.

A table that is made from logs, clicks by item say, has rows only for items that were shown. Without
a look at any of its numbers, a ranker then learns "no number, no click" of random items, which says
how the table was made and nothing about the items.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from label_platform.examples.relations import ExampleRelations
from label_platform.lake import quote_identifier

MOST_MISSING = 0.5
"""Over this share of rows without a value on one side ..."""
FEWEST_MISSING = 0.1
"""... and under this share on the other one tell them apart."""


@dataclass(frozen=True)
class Absence:
    """How often a feature of items has no value.

    Attributes:
        source: the key of the problem file that it comes from.
        column: its name.
        random: the share of random training rows without it, 0 to 1.
        shown: the share of shown training rows without it.
    """

    source: str
    column: str
    random: float
    shown: float

    @property
    def gives_away(self) -> bool:
        """Whether most of one side and next to none of the other lack it."""
        fewest, most = sorted((self.random, self.shown))
        return most > MOST_MISSING and fewest < FEWEST_MISSING


def absence_sql(examples: str, relations: ExampleRelations) -> str:
    """SQL of one row: for each feature of items its shares of nulls, random before shown.

    Args:
        examples: a relation of training rows with ``part``, ``origin`` and the features.
        relations: what they are made from; says which features are those of items, at least one.
    """
    shares = []
    for name in relations.columns_of_items:
        column = quote_identifier(name)
        missing = f"{column} is null"
        if name not in relations.text_columns:
            missing += f" or isnan(cast({column} as double))"
        share = f"avg(case when {missing} then 1 else 0 end)"
        shares += [f"{share} filter (origin = 'random')", f"{share} filter (origin <> 'random')"]
    return f"select {', '.join(shares)} from {examples} where part = 'train'"


def absences(relations: ExampleRelations, shares: tuple[float | None, ...]) -> Iterator[Absence]:
    """The row of ``absence_sql`` by feature; nothing where one of the sides has no rows."""
    sources = ["item_features"] * len(relations.item_feature_columns)
    for table in relations.feature_tables:
        if table.of == "item":
            sources += [f"feature_tables.{table.name}"] * len(table.columns)
    names = zip(sources, relations.columns_of_items, strict=True)
    for (source, column), random, shown in zip(names, shares[::2], shares[1::2], strict=True):
        if random is not None and shown is not None:
            yield Absence(source, column, random, shown)
