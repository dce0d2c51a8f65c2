"""A policy as SQL: labels from ``impression_signals``.

    gain  = sum (or max) over signals of gain_s * value_s * quality_s
    none:   label = gain                                   one row per impression
    ips:    label = gain / max(theta, clip)                one row per impression
    coec:   gain_sum = sum gain, expected_examinations = sum max(theta, clip)
                                                           one row per query, item and day

Attribution is paid once, in ``impression_signals``; a policy only scans that table.
"""

from label_platform.lake import quote_identifier
from label_platform.policy.examination import EXAMINATION, with_examination
from label_platform.policy.propensities import falls_back, labels_need_propensities
from label_platform.policy.signals import click_signal
from label_platform.policy.spec import Policy, Quality, SignalGain
from label_platform.problem import Problem

_SUM = "decimal(18, 6)"
"""Sums of decimals do not depend on the order in which threads add them, floating sums do."""


def compile_labels(
    policy: Policy, problem: Problem, impression_signals: str, propensities: str | None
) -> str:
    """SQL of the policy's labels, in the layout of the ``labels`` table.

    Impressions with an ``excluded_reason`` get no label. At query-item grain without debiasing
    every impression counts as examined.

    Args:
        policy: a checked policy.
        problem: the problem it was checked against.
        impression_signals: the days to label: a table's name or a scan.
        propensities: one day of the ``propensities`` table; None builds without debiasing.

    Raises:
        ValueError: propensities are None, and the policy neither does without them nor falls back.
    """
    debias = labels_need_propensities(policy) and propensities is not None
    if labels_need_propensities(policy) and not debias and not falls_back(policy):
        raise ValueError(f"{policy.name} cannot be compiled without propensities")
    source = f"(select * from {impression_signals} where excluded_reason is null)"
    if debias and propensities is not None:
        source = f"(\n{with_examination(policy, problem, source, propensities)}\n)"
    if policy.grain == "impression":
        return _impression_labels(policy, source, debias=debias)
    return _query_item_labels(policy, problem, source, debias=debias)


def _impression_labels(policy: Policy, source: str, *, debias: bool) -> str:
    label = gain_sql(policy)
    if debias:
        label = f"({label}) / {_clipped(policy)}"
    return f"""select
    impression_id,
    round({label}, 6) as label,
    cast(1 as double) as weight
from {source}"""


def _query_item_labels(policy: Policy, problem: Problem, source: str, *, debias: bool) -> str:
    examinations = f"sum(cast({_clipped(policy)} as {_SUM}))" if debias else "count(*)"
    click = quote_identifier(click_signal(problem))
    return f"""select
    query_id,
    item_id,
    cast(sum(cast({gain_sql(policy)} as {_SUM})) as {_SUM}) as gain_sum,
    cast({examinations} as {_SUM}) as expected_examinations,
    count(*) as impressions,
    count(case when {click} > 0 then 1 end) as clicks
from {source}
group by query_id, item_id"""


def gain_sql(policy: Policy) -> str:
    """The gain of one impression as an SQL expression over the columns of its signals."""
    # sorted, because floating sums depend on their order and a version does not on that of keys
    terms = [_term(name, gain) for name, gain in sorted(policy.signals.items())]
    if policy.combine == "max" and len(terms) > 1:
        return f"greatest({', '.join(terms)})"
    return " + ".join(terms)


def _clipped(policy: Policy) -> str:
    return f"greatest({EXAMINATION}, {policy.debias.clip!r})"


def _term(name: str, gain: SignalGain) -> str:
    term = f"{gain.gain!r} * {quote_identifier(name)}"
    return term if gain.quality is None else f"{term} * {_quality(gain.quality)}"


def _quality(quality: Quality) -> str:
    value = quote_identifier(quality.of)
    share = f"greatest({value}, 0) / {quality.cap!r}"
    if quality.shape == "log":
        return f"least(1, ln(1 + {share}) / ln(2))"
    if quality.shape == "linear":
        return f"least(1, {share})"
    return f"(case when {value} >= {quality.cap!r} then 1 else 0 end)"
