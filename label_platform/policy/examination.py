"""P(examined) of every impression, from the table of propensities.

The curve of the impression's own context decides; then the pooled curve over all contexts. Lists
that are longer than the curve take its deepest position: examination only falls with depth, so
this overstates it and a label comes out too small rather than too large. A position that the
pooled curve skips takes the nearest one above for the same reason.
"""

from label_platform.lake import quote_identifier, quote_literal
from label_platform.policy.spec import Policy
from label_platform.problem import Problem

EXAMINATION = "examination_probability"
"""The column that ``with_examination`` adds."""

TRUST_OFFSET = "trust_offset"
"""What it adds beside it where labels are made from clicks of trust too: beta, 0 if unknown."""

_NO_CURVE = "the propensities hold no pooled estimate at or above this position"


def with_examination(policy: Policy, problem: Problem, relation: str, propensities: str) -> str:
    """SQL that adds ``examination_probability`` to a relation's columns.

    It is relative to position 1 and never null.
    Both joins probe tables of a few dozen rows, which costs less than reading the relation.

    Args:
        policy: says which estimator's rows to take.
        problem: names the context columns.
        relation: impressions, with position and the context columns.
        propensities: one day of the ``propensities`` table.
    """
    context = [quote_identifier(column) for column in problem.context]
    pooled = " and ".join(f"{column} is null" for column in context) or "true"
    offset_of_pooled, offset = _offset_columns(policy, context)
    return f"""with curve as (
    select * from {propensities}
    where {_estimator(policy)}
),

positions as (
    select unnest(range(1, max(position) + 1)) as position from curve
),

pooled as (
    select
        positions.position,
        arg_max(curve.propensity, curve.position) as propensity{offset_of_pooled}
    from positions
    inner join curve on curve.position <= positions.position
    where {pooled}
    group by positions.position
),

shown as (
    select *, least(position, (select max(position) from curve)) as curve_position
    from {relation}
)

select
    shown.* exclude (curve_position),
    coalesce({"own.propensity, " if context else ""}pooled.propensity, error({
        quote_literal(_NO_CURVE)
    })) as {EXAMINATION}{offset}
from shown
{_own_curve(context)}left join pooled on shown.curve_position = pooled.position"""


def _estimator(policy: Policy) -> str:
    wanted = policy.debias.estimator
    return "chosen" if wanted == "auto" else f"estimator = {quote_literal(wanted)}"


def _offset_columns(policy: Policy, context: list[str]) -> tuple[str, str]:
    """The trust offset as a column of the pooled curve and of the result, where it is used."""
    if policy.debias.method not in {"affine", "doubly_robust"}:
        return "", ""
    # what has no offset is given one, so that arg_max takes that of the same position
    known = f"coalesce(curve.{TRUST_OFFSET}, 0)"
    of_pooled = f",\n        arg_max({known}, curve.position) as {TRUST_OFFSET}"
    value = f"pooled.{TRUST_OFFSET}"
    if context:
        value = f"case when own.position is not null then own.{TRUST_OFFSET} else {value} end"
    return of_pooled, f",\n    coalesce({value}, 0) as {TRUST_OFFSET}"


def _own_curve(context: list[str]) -> str:
    if not context:
        return ""
    same = " and ".join(f"cast(shown.{column} as varchar) = own.{column}" for column in context)
    return f"left join curve as own on shown.curve_position = own.position and {same}\n"


def posterior_sql(theta: str, relevance: str) -> str:
    """P(examined | not clicked) = theta (1 - gamma) / (1 - theta gamma), as an expression.

    Args:
        theta: an expression for P(examined); noise above 1 counts as 1, as does one not known,
            so that without propensities all is taken as examined.
        relevance: an expression for gamma, which is taken to be between 0 and .999.
    """
    gamma = f"least(greatest({relevance}, 0), 0.999)"
    examined = f"least(coalesce({theta}, 1), 1)"
    return f"({examined} * (1 - {gamma}) / (1 - {examined} * {gamma}))"
