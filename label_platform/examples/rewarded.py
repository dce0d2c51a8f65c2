"""What was rewarded, at a policy's grain: what random and hard negatives are drawn for.

At grain impression that is an impression with a label above 0, in its list. At grain query_item it
is a cell with such a label; its list is the query, and what it hangs on (the moment, the user) is
that of its last impression, as in its training row.
"""

from label_platform.examples.columns import feature_list_sql
from label_platform.examples.query_item_rows import (
    cells_cte,
    label_sql,
    last_impressions_cte,
    last_shown_sql,
)
from label_platform.examples.relations import ExampleRelations, Part
from label_platform.policy import Policy


def rewarded_sql(policy: Policy, relations: ExampleRelations, part: Part) -> str:
    """SQL of a part's rewarded impressions or cells, with their features and what these hang on.

    Columns are _own_positive_id, group_id (that of the training row), with decay _own_decay (of a
    cell, that of its last day), query_id, user_key where a feature table is of users, item_id,
    shown_at, and the logged features.
    """
    user = ""
    if any(table.of == "user" for table in relations.feature_tables):
        user = "\n    signals.user_key,"
    logged = feature_list_sql(relations, "signals", stored=False)
    columns = f"signals.query_id,{user}\n    signals.item_id,\n    signals.shown_at{logged}"
    if policy.decay is not None:
        source = "cells" if policy.grain == "query_item" else "labels"
        columns = f"{source}.decay as _own_decay,\n    {columns}"
    if policy.grain == "query_item":
        return _cells_sql(policy, relations, part, columns)
    labels, signals = relations.of(part)
    return f"""select
    signals.impression_id as _own_positive_id,
    signals.request_id as group_id,
    {columns}
from {labels} as labels
inner join {signals} as signals on labels.impression_id = signals.impression_id
where labels.label > 0"""


def _cells_sql(policy: Policy, relations: ExampleRelations, part: Part, columns: str) -> str:
    labels, signals = relations.of(part)
    return f"""with {cells_cte(policy, labels)},

{last_impressions_cte(signals)}

select
    concat(cells.query_id, '|', cells.item_id) as _own_positive_id,
    cells.query_id as group_id,
    {columns}
from {last_shown_sql(signals)}
where {label_sql("cells")} > 0"""


def shown_sql(policy: Policy, relations: ExampleRelations) -> str:
    """SQL of the items that each list of the training days showed: group_id and item_id."""
    key = "query_id" if policy.grain == "query_item" else "request_id"
    return f"select distinct {key} as group_id, item_id from {relations.signals_train}"
