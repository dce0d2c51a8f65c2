"""A policy's training examples as one SQL query."""

from label_platform.examples.impression_rows import impression_rows_sql, label_columns
from label_platform.examples.negatives import limited_sql
from label_platform.examples.query_item_rows import more_columns, query_item_rows_sql
from label_platform.examples.random_catalogue import random_rows_sql
from label_platform.examples.relations import ExampleRelations
from label_platform.policy import PREDICTION_SHARE, Policy, RandomCatalogue
from label_platform.problem import Problem

ROW_ORDER = "part, group_id, position nulls last, item_id, impression_id nulls last"
"""The fixed order of examples: trees depend on it."""


def examples_sql(policy: Policy, problem: Problem, relations: ExampleRelations) -> str:
    """SQL of the ``examples`` table: training rows, then validation rows, in a fixed order.

    Validation rows are made like training rows, but no random catalogue items are among them:
    early stopping looks at what people were shown. At impression grain ``expected_examinations``
    is the row's P(examined) if propensities are given, else null; a random row has no position and
    no examinations (null), and raw clicks say nothing of it (``raw_weight`` 0).

    Args:
        policy: a checked policy.
        problem: the problem it was checked against.
        relations: what the rows are made from.

    Raises:
        ValueError: a relation that the policy needs is None.
    """
    if policy.grain == "query_item":
        parts = [
            query_item_rows_sql(policy, relations, "train"),
            query_item_rows_sql(policy, relations, "validate"),
        ]
    else:
        parts = [
            impression_rows_sql(policy, problem, relations, "train"),
            impression_rows_sql(policy, problem, relations, "validate"),
        ]
    if policy.negatives.random is not None:
        parts.append(_random_rows(policy, policy.negatives.random, relations))
    union = "\nunion all by name\n".join(f"(\n{part}\n)" for part in parts)
    return f"""select * from (
{limited_sql(policy.negatives, union)}
)
order by {ROW_ORDER}"""


def _random_rows(policy: Policy, block: RandomCatalogue, relations: ExampleRelations) -> str:
    """Catalogue items that were not shown; a doubly robust label of them is the prediction."""
    rows = random_rows_sql(policy, block, relations)
    values = {"is_dense": "false", PREDICTION_SHARE: "cast(1 as double)"}
    names = more_columns(policy) if policy.grain == "query_item" else label_columns(policy)
    columns = "".join(f", {values.get(name, 'cast(0 as double)')} as {name}" for name in names)
    return f"select *{columns} from (\n{rows}\n)" if columns else rows


def origin_counts_sql(examples: str) -> str:
    """SQL that counts examples by part and origin: rows, the weight they have together, shares.

    ``share`` and ``weight_share`` are of the part's rows and of its weight.
    """
    return f"""select
    part,
    origin,
    count(*) as examples,
    cast(sum(cast(weight as decimal(18, 6))) as double) as weight,
    count(*) / sum(count(*)) over (partition by part) as share,
    cast(sum(cast(weight as decimal(18, 6))) as double)
        / cast(sum(sum(cast(weight as decimal(18, 6)))) over (partition by part) as double)
        as weight_share
from {examples}
group by part, origin
order by part, origin"""
