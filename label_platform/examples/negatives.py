"""Which unrewarded rows train, and at what weight: the blocks of a policy's ``negatives``.

Clicks at 3 and 6 of 30 shown, ``skip_next`` with depth 1, ``examined`` with depth 3:

    1-2, 4-5   skip_above   seen and passed over
    7          skip_next    the next one after a click, most probably seen
    8-9        examined     just below, probably seen: theta, posterior, or a constant
    10-30      unexamined   probably not seen: a sample; also every item of a list without click

Blocks are disjoint: a row belongs to the first of them, in this order, that the policy asks for.
An item above a click comes before one right below: to reach the click people went past it, while
they may have left the list at the click. So skip_next has the items between two clicks (4) only
where the policy does not ask for skip_above. A row that ``hard`` takes leaves its other block.

Rows of a block that the policy does not ask for are left out. Without any block, all that was
shown trains.
"""

from label_platform.examples.sampling import sampled_sql
from label_platform.policy import (
    EXAMINATION,
    Examined,
    Negatives,
    Policy,
    examples_need_propensities,
    falls_back,
)

_BLOCKS = ("skip_above", "skip_next", "hard", "examined", "unexamined")
_SUREST_FIRST = ("skip_above", "skip_next", "hard", "examined", "random", "unexamined")


def asks_for_blocks(negatives: Negatives) -> bool:
    """Whether the policy chooses among the unrewarded rows at all."""
    return any(getattr(negatives, block) is not None for block in _BLOCKS)


def origins_sql(negatives: Negatives, rows: str, hard: str | None = None) -> str:
    """SQL that adds ``origin`` to shown rows.

    A label below 0 is feedback, not the lack of it, and always trains. A row at or above the last
    click without a reward was seen, clicked or not: it counts as skipped.

    Args:
        negatives: the policy's blocks.
        rows: a relation with label, raw_label (1 where clicked), position, request_id and
            last_clicked_position.
        hard: a query of the impression ids that the hard block takes, where there is one.
    """
    if not asks_for_blocks(negatives):
        return (
            f"select *, case when label > 0 then 'positive' else 'shown' end as origin from {rows}"
        )
    cases = ["when label > 0 then 'positive'", "when label < 0 then 'shown'"]
    if hard is not None:
        cases.append(f"when impression_id in (\n{hard}\n) then 'hard'")
    above = "when position <= last_clicked_position then 'skip_above'"
    if negatives.skip_above is not None:
        cases.append(above)
    if negatives.skip_next is not None:
        cases.append(
            f"when raw_label = 0 and position <= _own_clicked_above + {negatives.skip_next.depth} "
            "then 'skip_next'"
        )
    if negatives.skip_above is None:
        cases.append(above)
    if negatives.examined is not None:
        depth = negatives.examined.depth
        cases.append(f"when position <= last_clicked_position + {depth} then 'examined'")
    origin = "\n        ".join(("case", *cases, "else 'unexamined'\n    end"))
    if negatives.skip_next is not None:
        rows = f"(\n{_with_click_above(rows)}\n)"
    return f"""select
    *,
    {origin} as origin
from {rows}"""


def _with_click_above(rows: str) -> str:
    """The nearest clicked position above each row: range, as lists may hold a position twice."""
    return f"""select
    *,
    max(case when raw_label > 0 then position end) over (
        partition by request_id
        order by position
        range between unbounded preceding and 1 preceding
    ) as _own_clicked_above
from {rows}"""


def kept_sql(negatives: Negatives) -> str:
    """The condition under which a shown row trains, over its origin and impression_id."""
    if not asks_for_blocks(negatives):
        return "true"
    asked = [block for block in _BLOCKS if getattr(negatives, block) is not None]
    sure = [block for block in asked if block != "unexamined"]
    origins = ", ".join(f"'{origin}'" for origin in ("positive", "shown", *sure))
    condition = f"origin in ({origins})"
    if negatives.unexamined is not None:
        key = "cast(impression_id as varchar)"
        sampled = sampled_sql(key, negatives.unexamined.rate, "unexamined")
        condition = f"({condition} or (origin = 'unexamined' and {sampled}))"
    return condition


def sampling_weight_sql(negatives: Negatives) -> str:
    """How many shown rows a kept row stands for: raw clicks on the same rows weigh them so."""
    if negatives.unexamined is None:
        return "1.0"
    return f"case origin when 'unexamined' then {1 / negatives.unexamined.rate!r} else 1.0 end"


def block_weight_sql(policy: Policy, *, has_examination: bool) -> str:
    """The weight that a shown row has by its block.

    Args:
        policy: the policy with its negatives.
        has_examination: whether there is a column with P(examined); without it examined rows of
            a policy that falls back count in full, as it falls back to taking all as examined.
            The posterior, which needs a prediction, multiplies a weight of 1 later.

    Raises:
        ValueError: the policy weights by theta, there is none, and it does not fall back.
    """
    negatives = policy.negatives
    weights: dict[str, float | str] = {}
    for name in ("skip_above", "skip_next", "hard"):
        block = getattr(negatives, name)
        if block is not None:
            weights[name] = block.weight
    if negatives.examined is not None:
        weights["examined"] = _examined_weight(policy, negatives.examined, has_examination)
    if negatives.unexamined is not None:
        weight = negatives.unexamined.weight
        weights["unexamined"] = (
            1 / negatives.unexamined.rate if weight == "inverse_rate" else weight
        )
    if not weights:
        return "1.0"
    cases = " ".join(f"when '{name}' then {weight}" for name, weight in weights.items())
    return f"case origin {cases} else 1.0 end"


def _examined_weight(policy: Policy, block: Examined, has_examination: bool) -> float | str:  # noqa: FBT001
    if not isinstance(block.weight, str):
        return block.weight
    if not has_examination:
        if examples_need_propensities(policy) and not falls_back(policy):
            raise ValueError(
                f"{policy.name}: negatives.examined.weight: {block.weight} needs propensities"
            )
        return 1.0
    return EXAMINATION if block.weight == "theta" else 1.0


def limited_sql(negatives: Negatives, examples: str) -> str:
    """SQL of the examples with at most so many negatives of a list as the policy allows.

    The surest blocks stay, and within a block chance decides, by md5 of the impression (or of list
    and item where nothing was shown). What was rewarded and feedback against an item are no part
    of it. What stays keeps its weight: the limit is on how much one list may say, and a block that
    is cut to nothing could not be made up for. To train on fewer rows that stand for all, sample:
    ``unexamined: {rate: ...}``.

    Args:
        negatives: the policy's blocks.
        examples: a query of examples whose labels are not yet moved or graded: a row without
            reward has label 0.
    """
    limit = negatives.at_most_per_list
    if limit is None:
        return examples
    ranks = " ".join(f"when '{name}' then {rank}" for rank, name in enumerate(_SUREST_FIRST))
    key = "coalesce(cast(impression_id as varchar), concat(group_id, '|', item_id))"
    return f"""select * from (
{examples}
)
qualify
    label <> 0
    or row_number() over (
        partition by part, group_id, label <> 0
        order by
            case origin {ranks} else {len(_SUREST_FIRST)} end,
            md5(concat('at_most_per_list|', {key}))
    ) <= {limit}"""
