"""A policy as SQL: labels from ``impression_signals``.

With g the gain, theta and beta examination and trust offset, t = max(theta, clip):

                     impression grain                query-item grain, sums over a day
    none             g                               sum g                 / n
    ips              g / t                           sum g / t             / n
    ips into weight  g, rewarded rows weigh 1 / t
    posterior        g
    coec                                             sum g                 / sum t
    affine           (g - beta) / t                  sum (g - beta)        / sum t
    doubly_robust    (g - beta) / t + r (1 - theta/t)    the same sums, + r (1 - sum theta / sum t)

Where only the share F of an impression's feedback has come (``delay: reweight``), g is divided by
it at impression grain. At query-item grain, with one signal, F multiplies what is expected of each
impression instead: t, theta and beta of the sums, and n is sum F; with several, g is divided.

The terms with r, a prediction, are added where it is known: in the training examples, as are
posterior weights. Query-item labels are additive parts: examples divide once, over all days.

Attribution is paid once, in ``impression_signals``; a policy only scans that table.
"""

from dataclasses import dataclass
from datetime import datetime

from label_platform.lake import quote_identifier
from label_platform.policy.arrival import arrived_columns, with_arrival
from label_platform.policy.examination import EXAMINATION, TRUST_OFFSET, with_examination
from label_platform.policy.gains import (
    clip_sql,
    combined_gain_sql,
    gain_sql,
    is_dense_sql,
    rounded_sql,
    weight_sql,
)
from label_platform.policy.label_spec import DualPositives
from label_platform.policy.propensities import falls_back, labels_need_propensities
from label_platform.policy.signals import click_signal
from label_platform.policy.spec import Policy
from label_platform.problem import Problem

_SUM = "decimal(18, 6)"
"""Sums of decimals do not depend on the order in which threads add them, floating sums do."""

_LEAST_RELEVANCE = 1e-6
PREDICTION_SHARE = "prediction_share"
"""The factor of r in a doubly robust label."""
EVIDENCE = ("information", "unclipped_examinations")
"""Further parts of affine and doubly robust labels at query-item grain."""
_LESS_TRUST = frozenset({"affine", "doubly_robust"})


@dataclass(frozen=True)
class LabelInputs:
    """What a policy's labels are made from.

    Attributes:
        impression_signals: the days to label: a table's name or a scan.
        propensities: one day of the ``propensities`` table; None builds without debiasing.
        statistics: the policy's ``label_statistics``; None where it needs none.
        as_of: what came later is not known; None where no row is immature.
    """

    impression_signals: str
    propensities: str | None = None
    statistics: str | None = None
    as_of: datetime | None = None


def compile_labels(policy: Policy, problem: Problem, inputs: LabelInputs) -> str:
    """SQL of the labels of a policy with signals, in the layout of the ``labels`` table.

    Impressions with an ``excluded_reason`` get no label. At query-item grain without debiasing
    every impression counts as examined.

    Args:
        policy: a checked policy.
        problem: the problem it was checked against.
        inputs: the relations.

    Raises:
        ValueError: propensities are None, and the policy neither does without them nor falls back.
    """
    debias = labels_need_propensities(policy) and inputs.propensities is not None
    if labels_need_propensities(policy) and not debias and not falls_back(policy):
        raise ValueError(f"{policy.name} cannot be compiled without propensities")
    source = f"(select * from {inputs.impression_signals} where excluded_reason is null)"
    arrived: dict[str, str] = {}
    if policy.delay.immature == "reweight" and inputs.statistics and inputs.as_of:
        source = f"(\n{with_arrival(policy, source, inputs.statistics, inputs.as_of)}\n)"
        arrived = arrived_columns(policy)
    if debias and inputs.propensities is not None:
        source = f"(\n{with_examination(policy, problem, source, inputs.propensities)}\n)"
    if policy.grain == "impression":
        return _impression_labels(policy, source, arrived, debias=debias)
    return _query_item_labels(policy, problem, source, arrived, debias=debias)


def _impression_labels(
    policy: Policy, source: str, arrived: dict[str, str], *, debias: bool
) -> str:
    label, weight, more = gain_sql(policy, arrived), weight_sql(policy), ""
    if debias:
        label, weight = _debiased(policy, label, weight, source)
    if policy.debias.method == "doubly_robust":
        share = f"1 - {EXAMINATION} / {_clipped(policy)}" if debias else "cast(0 as double)"
        more += f",\n    {rounded_sql(share)} as {PREDICTION_SHARE}"
    if isinstance(policy.combine, DualPositives):
        more += f",\n    {is_dense_sql(policy)} as is_dense"
    if policy.auxiliary is not None:
        auxiliary = combined_gain_sql(policy.auxiliary.signals, policy.auxiliary.combine, arrived)
        more += f",\n    {rounded_sql(auxiliary)} as auxiliary_label"
    return f"""select
    impression_id,
    {rounded_sql(label)} as label,
    {rounded_sql(weight)} as weight{more}
from {source}"""


def _debiased(policy: Policy, gain: str, weight: str, source: str) -> tuple[str, str]:
    """Label and weight of an impression."""
    debias, theta = policy.debias, _clipped(policy)
    if debias.method == "ips" and debias.into == "label":
        return f"({gain}) / {theta}", weight
    if debias.method == "ips":
        mean = "1"
        if debias.self_normalise:
            total = f"sum(cast(1 / {theta} as {_SUM}))"
            mean = f"(select {total} / count(*) from {source} where ({gain}) > 0)"
        return gain, f"{weight} * (case when ({gain}) > 0 then 1 / {theta} / {mean} else 1 end)"
    return f"(({gain}) - {trust_sql(policy)}) / {theta}", weight


def _query_item_labels(
    policy: Policy, problem: Problem, source: str, arrived: dict[str, str], *, debias: bool
) -> str:
    # of one signal, what is expected is multiplied; of several, what came is divided
    is_single = len(policy.signals) == 1 and bool(arrived)
    single = [arrived[name] for name in policy.signals] if is_single else []
    gain = gain_sql(policy, {} if single else arrived)
    method = policy.debias.method if debias else "none"
    examined = " * ".join([_clipped(policy) if debias else "1", *single])
    summed, expected, more = gain, f"sum(cast({examined} as {_SUM}))", ""
    if method == "ips":
        summed = f"({gain}) / {_clipped(policy)}"
        expected = f"sum(cast({' * '.join(['1', *single])} as {_SUM}))"
    elif method in _LESS_TRUST:
        summed = f"({gain}) - {' * '.join([trust_sql(policy), *single])}"
        more = _evidence(policy, source, summed, single)
    elif not debias and not single:
        expected = "count(*)"
    if not debias and policy.debias.method in _LESS_TRUST:
        more = "".join(f",\n    cast({expected} as {_SUM}) as {name}" for name in EVIDENCE)
    if policy.auxiliary is not None:
        auxiliary = combined_gain_sql(policy.auxiliary.signals, policy.auxiliary.combine)
        more += f",\n    cast(sum(cast({auxiliary} as {_SUM})) as {_SUM}) as auxiliary_gain_sum"
    click = quote_identifier(click_signal(problem))
    return f"""select
    query_id,
    item_id,
    cast(sum(cast({summed} as {_SUM})) as {_SUM}) as gain_sum,
    cast({expected} as {_SUM}) as expected_examinations,
    count(*) as impressions,
    count(case when {click} > 0 then 1 end) as clicks{more}
from {source}
group by query_id, item_id"""


def _evidence(policy: Policy, source: str, summed: str, arrived: list[str]) -> str:
    """More sums: how much evidence an affine label rests on, and theta as it is before the clip.

    Information is that of relevance, which is 1 for a click in any currency: with a gain of g the
    mean label is g m and an offset g beta, so that g t^2 / (t g m + g beta) = t^2 / (t m + beta).
    What has not come yet informs nobody: both count for the share that has.
    """
    clipped, gain = _clipped(policy), _click_gain(policy)
    theta, examined = (" * ".join([each, *arrived]) for each in (EXAMINATION, clipped))
    mean = (
        f"(select greatest(sum(cast({summed} as {_SUM})) / sum(cast({examined} as {_SUM})), "
        f"{gain * _LEAST_RELEVANCE!r}) from {source})"
    )
    information = f"{gain!r} * {examined} * {clipped} / ({clipped} * {mean} + {trust_sql(policy)})"
    return f""",
    cast(sum(cast({information} as {_SUM})) as {_SUM}) as {EVIDENCE[0]},
    cast(sum(cast({theta} as {_SUM})) as {_SUM}) as {EVIDENCE[1]}"""


def trust_sql(policy: Policy) -> str:
    """What the clicks of an impression that trust alone explains are worth, as an expression."""
    return f"{_click_gain(policy)!r} * {TRUST_OFFSET}"


def _click_gain(policy: Policy) -> float:
    """The gain of the one signal that methods with a trust offset have."""
    (gain,) = policy.signals.values() if len(policy.signals) == 1 else (None,)
    return 1.0 if gain is None else gain.gain


def _clipped(policy: Policy) -> str:
    return f"greatest({EXAMINATION}, {clip_sql(policy)})"
