"""What the guard refused, for a policy's metadata and for one list's explanation."""

from label_platform.examples.hard import refused_hard_sql
from label_platform.examples.random_catalogue import refused_random_sql
from label_platform.examples.relations import ExampleRelations, Part
from label_platform.policy import Policy

_PARTS: tuple[Part, ...] = ("train", "validate")


def refused_draws_sql(policy: Policy, relations: ExampleRelations) -> str | None:
    """SQL of the refused candidates of random and hard negatives, a row for each draw.

    Columns are part, group_id, item_id, origin (the block) and reason. A hard candidate counts
    where it was nearer than the last one that its positive took.

    Args:
        policy: a checked policy.
        relations: those its examples are made from.

    Returns:
        None where the policy has no block with a guard.

    Raises:
        ValueError: a relation that the policy needs is None.
    """
    negatives = policy.negatives
    refused = []
    if negatives.random is not None:
        refused.append(refused_random_sql(policy, negatives.random, relations))
    if negatives.hard is not None:
        refused += [refused_hard_sql(policy, negatives.hard, relations, part) for part in _PARTS]
    if not refused:
        return None
    union = "\nunion all\n".join(f"(\n{query}\n)" for query in refused)
    return f"""select * from (
{union}
)
order by part, group_id, origin, item_id, reason"""


def refused_counts_sql(refused: str) -> str:
    """SQL that counts refused draws by part, block and reason.

    Args:
        refused: the query of ``refused_draws_sql``, or a relation that holds its result.
    """
    source = f"(\n{refused}\n)" if refused.lstrip().startswith("select") else refused
    return f"""select part, origin, reason, count(*) as draws
from {source}
group by part, origin, reason
order by part, origin, reason"""
