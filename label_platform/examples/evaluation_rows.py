"""What was shown on evaluation days, with the features that rankers score."""

from collections.abc import Sequence

from label_platform.examples.columns import feature_list_sql, item_join_sql
from label_platform.examples.relations import ExampleRelations


def evaluation_rows_sql(signals: str, items: str | None, item_features: Sequence[str]) -> str:
    """SQL of all impressions of a relation, with the item features that were valid then.

    Args:
        signals: ``impression_signals`` of the evaluation days.
        items: the ``items`` table with every version of an item; None if there is none.
        item_features: columns of ``items``.
    """
    relations = ExampleRelations(
        labels_train="",
        labels_validate="",
        signals_train=signals,
        signals_validate=signals,
        items=items,
        item_feature_columns=tuple(item_features),
    )
    return f"""select
    shown.*{feature_list_sql(relations, "shown")}
from {signals} as shown{item_join_sql(relations, "shown")}"""
