"""Which unrewarded rows train, and at what weight: the blocks of a policy's ``negatives``.

Click at 3 of 30 shown, ``examined`` with depth 2:

    1-2   skip_above   seen and passed over
    4-5   examined     just below, probably seen: theta, or a constant
    6-30  unexamined   probably not seen: a sample of them; also every item of a list without click

Blocks are disjoint, and rows of a block that the policy does not ask for are left out. Without
any of the three blocks, all that was shown trains.
"""

from label_platform.examples.sampling import sampled_sql
from label_platform.policy import (
    EXAMINATION,
    Negatives,
    Policy,
    examples_need_propensities,
    falls_back,
)

_BLOCKS = ("skip_above", "examined", "unexamined")


def asks_for_blocks(negatives: Negatives) -> bool:
    """Whether the policy chooses among the unrewarded rows at all."""
    return any(getattr(negatives, block) is not None for block in _BLOCKS)


def origin_sql(negatives: Negatives) -> str:
    """The origin of a shown row, over its label, position and the list's last_clicked_position.

    A label below 0 is feedback, not the lack of it, and always trains. A row at or above the last
    click without a reward was seen, clicked or not: it counts as skipped.
    """
    if not asks_for_blocks(negatives):
        return "case when label > 0 then 'positive' else 'shown' end"
    examined = ""
    if negatives.examined is not None:
        depth = negatives.examined.depth
        examined = f"\n        when position <= last_clicked_position + {depth} then 'examined'"
    return f"""case
        when label > 0 then 'positive'
        when label < 0 then 'shown'
        when position <= last_clicked_position then 'skip_above'{examined}
        else 'unexamined'
    end"""


def kept_sql(negatives: Negatives) -> str:
    """The condition under which a shown row trains, over its origin and impression_id."""
    if not asks_for_blocks(negatives):
        return "true"
    asked = [block for block in _BLOCKS[:2] if getattr(negatives, block) is not None]
    origins = ", ".join(f"'{origin}'" for origin in ("positive", "shown", *asked))
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

    Raises:
        ValueError: the policy weights by theta, there is none, and it does not fall back.
    """
    negatives = policy.negatives
    cases = []
    if negatives.skip_above is not None:
        cases.append(f"when 'skip_above' then {negatives.skip_above.weight!r}")
    if negatives.examined is not None:
        weight: float | str = negatives.examined.weight
        if examples_need_propensities(policy):
            if not has_examination and not falls_back(policy):
                raise ValueError(
                    f"{policy.name}: negatives.examined.weight: theta needs propensities"
                )
            weight = EXAMINATION if has_examination else 1.0
        cases.append(f"when 'examined' then {weight}")
    if negatives.unexamined is not None:
        weight = negatives.unexamined.weight
        if weight == "inverse_rate":
            weight = 1 / negatives.unexamined.rate
        cases.append(f"when 'unexamined' then {weight}")
    if not cases:
        return "1.0"
    return f"case origin {' '.join(cases)} else 1.0 end"
