"""What examples are made from."""

from dataclasses import dataclass
from typing import Literal

from label_platform.examples.feature_tables import JoinedTable

Part = Literal["train", "validate"]


@dataclass(frozen=True)
class ExampleRelations:
    """SQL relations (a table's name or a scan) and the feature columns to take from them.

    Attributes:
        labels_train: the policy's ``labels`` of the training days.
        labels_validate: those of the validation days.
        signals_train: ``impression_signals`` of the training days.
        signals_validate: those of the validation days.
        items: the ``items`` table with every version of an item; None if there is none.
        propensities: the curve that examined rows are weighted by; None if there is none.
        feature_columns: columns of ``impression_signals``, those of feature tables among them.
        item_feature_columns: columns of ``items``.
        text_columns: those of both that are text, not numbers.
        feature_tables: what is joined to items that no list showed, as it is to those it did.
    """

    labels_train: str
    labels_validate: str
    signals_train: str
    signals_validate: str
    items: str | None = None
    propensities: str | None = None
    feature_columns: tuple[str, ...] = ()
    item_feature_columns: tuple[str, ...] = ()
    text_columns: frozenset[str] = frozenset()
    feature_tables: tuple[JoinedTable, ...] = ()

    @property
    def columns_of_items(self) -> tuple[str, ...]:
        """The features that an item has whoever is shown it."""
        tables = (table.columns for table in self.feature_tables if table.of == "item")
        return (*self.item_feature_columns, *(name for names in tables for name in names))

    def of(self, part: Part) -> tuple[str, str]:
        """The labels and the signals of a part."""
        if part == "train":
            return self.labels_train, self.signals_train
        return self.labels_validate, self.signals_validate
