"""What turns base rows into training rows where something has to be fitted on them first.

With r the row's prediction, E its expected examinations, g its grade's lower bounds:

    prior            label = (label E + a m) / (E + a), m = r or the mean of all
    doubly robust    label = label + r prediction_share; of an item that was not shown, r
    teacher          label = (1 - share) label + share score
    posterior        weight = weight theta (1 - r) / (1 - theta r) where nothing was clicked
    dual positives   weight = weight scale where only dense signals came
    grading          label = the number of bounds that it exceeds

Everything is fitted on training rows and applied to validation rows alike. Predictions come from
models that were fitted on other queries.
"""

from dataclasses import dataclass

from label_platform.examples.build import ROW_ORDER
from label_platform.policy import (
    PREDICTION_SHARE,
    DualPositives,
    Policy,
    Quantiles,
    Thresholds,
    examples_need_predictions,
    has_negative_grade,
    posterior_sql,
)

BASE = "base_examples"
PREDICTED = "predicted_examples"
TAUGHT = "taught_examples"

_BELOW_ZERO = -5e-7
"""Labels have 6 digits: those below 0 are below this, too."""


@dataclass(frozen=True)
class Fitted:
    """What was fitted on training rows.

    Attributes:
        prior_mean: m of an empirical Bayes prior.
        prior_strength: its a.
        prior_refusal: why there is none, where the policy then does without; else empty.
        dense_scale: what weights of dense positives are multiplied by.
        bounds: labels above the g-th of them have a grade of at least g.
    """

    prior_mean: float | None = None
    prior_strength: float | None = None
    prior_refusal: str = ""
    dense_scale: float = 1.0
    bounds: tuple[float, ...] = ()


def needs_finish(policy: Policy) -> bool:
    """Whether training rows need something that is fitted on them."""
    return (
        examples_need_predictions(policy)
        or policy.debias.prior is not None
        or policy.teacher is not None
        or policy.grading != "continuous"
        or (isinstance(policy.combine, DualPositives) and policy.combine.dense_share < 1)
    )


def base_sql(examples: str) -> str:
    """SQL of the base rows with their place in the fixed order, from 1."""
    return f"select *, row_number() over (order by {ROW_ORDER}) as row_id from (\n{examples}\n)"


def finished_sql(policy: Policy, fitted: Fitted) -> str:
    """SQL of the training rows, over the relations ``BASE``, ``PREDICTED`` and ``TAUGHT``.

    Args:
        policy: a checked policy.
        fitted: on the training rows.
    """
    return f"""select * exclude (row_id) replace ({_grade(policy, fitted)} as label)
from (
{ungraded_sql(policy, fitted)}
)
order by row_id"""


def ungraded_sql(policy: Policy, fitted: Fitted) -> str:
    """SQL of the rows before they are graded, with row_id."""
    joins, columns = "", ""
    if examples_need_predictions(policy):
        joins += f"\ninner join {PREDICTED} as predicted on base.row_id = predicted.row_id"
        columns += ", predicted.prediction"
    if policy.teacher is not None:
        joins += f"\ninner join {TAUGHT} as taught on base.row_id = taught.row_id"
        columns += ", taught.score as teacher_score"
    dropped = f" exclude ({PREDICTION_SHARE})" if policy.debias.method == "doubly_robust" else ""
    return f"""select
    base.*{dropped} replace (
        round(cast({_label(policy, fitted)} as double), 6) as label,
        round(cast({_weight(policy, fitted)} as double), 6) as weight
    ){columns}
from {BASE} as base{joins}"""


def bounds_of(policy: Policy, lowest: float, above: tuple[float, ...]) -> tuple[float, ...]:
    """The bounds of the grades, ascending.

    Args:
        policy: whose grades are quantiles.
        lowest: the first column of ``bounds_sql``.
        above: the second.
    """
    has_room = isinstance(policy.grading, Quantiles) and policy.grading.quantiles > 2
    below = (_BELOW_ZERO,) if has_room and has_negative_grade(policy) else ()
    return (*below, lowest, *above)


def dense_weights_sql() -> str:
    """SQL that adds up the weights of dense and of primary positives that train."""
    return f"""select
    coalesce(sum(cast(weight as decimal(28, 10))) filter (where is_dense), 0),
    coalesce(sum(cast(weight as decimal(28, 10))) filter (where not is_dense), 0)
from {BASE}
where part = 'train' and label > 0"""


def dense_scale(dense: float, primary: float, most: float) -> float:
    """The factor on dense weights that leaves them at most a share of all positive weight.

    Args:
        dense: the sum of their weights.
        primary: that of primary positives; without any the share cannot be kept.
        most: the share, above 0 and up to 1.
    """
    if primary <= 0 or dense <= 0 or dense <= most * (dense + primary):
        return 1.0
    return most * primary / ((1 - most) * dense)


def bounds_sql(policy: Policy, fitted: Fitted) -> str:
    """SQL of what separates grades of equal frequency: the lowest label, and a list of others."""
    if not isinstance(policy.grading, Quantiles):
        raise TypeError(f"{policy.name} has no quantiles")
    above = policy.grading.quantiles - 1
    lowest = "min(label)"
    if has_negative_grade(policy):
        # complaints have grade 0, and rows to which nothing came the next
        above, lowest = above - 1, "greatest(min(label), 0)"
    shares = ", ".join(repr(number / above) for number in range(1, above))
    return f"""with known as (
    select label from ({ungraded_sql(policy, fitted)}) where part = 'train'
),

lowest as (select {lowest} as label from known)

select
    any_value(lowest.label),
    quantile_disc(known.label, [{shares}]) filter (where known.label > lowest.label)
from known, lowest"""


def _label(policy: Policy, fitted: Fitted) -> str:
    label = "base.label"
    prior = policy.debias.prior
    if prior is not None:
        mean, strength = "predicted.prediction", prior.strength
        if prior.toward == "empirical_bayes":
            mean, strength = repr(fitted.prior_mean), fitted.prior_strength or 0.0
        examined = "base.expected_examinations"
        label = f"({label} * {examined} + {strength!r} * {mean}) / ({examined} + {strength!r})"
    if policy.debias.method == "doubly_robust":
        label = f"({label} + predicted.prediction * base.{PREDICTION_SHARE})"
    if policy.teacher is not None:
        share = policy.teacher.share
        label = f"({1 - share!r} * {label} + {share!r} * taught.score)"
    return label


def _weight(policy: Policy, fitted: Fitted) -> str:
    weight = "base.weight"
    if fitted.dense_scale != 1:
        weight = f"{weight} * case when base.is_dense then {fitted.dense_scale!r} else 1 end"
    posterior = posterior_sql("base.expected_examinations", "predicted.prediction")
    if policy.debias.method == "posterior":
        # whoever clicked or complained did look
        unclicked = "base.label = 0 and base.raw_label = 0 and base.origin <> 'random'"
        weight = f"{weight} * case when {unclicked} then {posterior} else 1 end"
    elif policy.negatives.examined is not None and policy.negatives.examined.weight == "posterior":
        weight = f"{weight} * case when base.origin = 'examined' then {posterior} else 1 end"
    return weight


def _grade(policy: Policy, fitted: Fitted) -> str:
    if isinstance(policy.grading, Thresholds):
        parts = [f"(label >= {bound!r})::integer" for bound in policy.grading.thresholds]
    elif isinstance(policy.grading, Quantiles):
        parts = [f"(label > {bound!r})::integer" for bound in fitted.bounds]
    else:
        return "label"
    return f"cast({' + '.join(parts) or '0'} as double)"
