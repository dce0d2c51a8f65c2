"""Feature columns of training rows, as SQL."""

from label_platform.examples.relations import ExampleRelations
from label_platform.lake import quote_identifier


def feature_list_sql(
    relations: ExampleRelations,
    rows: str,
    items: str = "items",
    *,
    logged: bool = True,
    stored: bool = True,
) -> str:
    """The feature columns to select, each after a comma: the rows' own, then those of the items.

    Args:
        relations: names the columns.
        rows: the name of the rows that hold the logged ones.
        items: the name of what holds those of the items.
        logged: whether the logged ones are wanted.
        stored: whether those of the items are wanted.
    """
    columns: list[str] = []
    if logged:
        columns += [f"{rows}.{quote_identifier(name)}" for name in relations.feature_columns]
    if stored:
        columns += [f"{items}.{quote_identifier(name)}" for name in relations.item_feature_columns]
    return "".join(f",\n    {column}" for column in columns)


def item_join_sql(
    relations: ExampleRelations, rows: str, join: str = "left", *, dated: bool = False
) -> str:
    """The join to the version of each item that was valid when it was shown.

    Args:
        relations: the items, and whether any of their columns is wanted.
        rows: the name of rows with item_id and shown_at.
        join: left keeps rows whose item was not in the catalogue yet, inner drops them.
        dated: whether items are asked if they were there, though none of their columns is wanted.

    Raises:
        ValueError: columns of items are wanted where there are no items.
    """
    if not relations.item_feature_columns and not dated:
        return ""
    if relations.items is None:
        wanted = ", ".join(relations.item_feature_columns)
        raise ValueError(f"features of items are wanted ({wanted}), but there is no items table")
    return f"""
asof {join} join {relations.items} as items
    on {rows}.item_id = items.item_id and {rows}.shown_at >= items.valid_from"""
