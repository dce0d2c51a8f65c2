"""How a day's labels are: how many above 0, how large, how even, how much of them at the clip.

Labels are counted in buckets that are the same on all days, so that any days can be compared by
their counts alone: 0, and on either side of it steps of 5%, the first of them below one millionth,
which labels are rounded to.

At query-item grain a label is the ratio of its sums, gain_sum / expected_examinations.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from label_platform.lake import Engine, quote_identifier, quote_literal
from label_platform.policy import EXAMINATION, Policy, labels_need_propensities, with_examination
from label_platform.policy.gains import clip_sql
from label_platform.problem import Problem

_STEP = math.log(1.05)
_LEAST = 1e-6
_FIRST = 1 - math.floor(math.log(_LEAST) / _STEP)
"""Added to a bucket's number, so that those above 0 begin with 1."""
_DIGITS = 9


@dataclass(frozen=True)
class LabelHealth:
    """The numbers of one day of a policy's labels.

    Attributes:
        rows: labels, that is impressions or pairs of query and item.
        positives: labels above 0.
        mean: of all labels.
        effective_share: Kish's effective sample size of labels above 0, over their number:
            (sum of pulls)^2 / (positives * sum of squared pulls), 1 if all are alike. A row pulls
            by its label, at impression grain times its weight. None without positives.
        clip_share: share of impressions whose propensity is below the clip; None where labels
            do not divide by it.
        immature_share: share of impressions for which feedback could still come.
        buckets: rows by bucket, those above 0 above, those below 0 below bucket 0.
    """

    rows: int
    positives: int
    mean: float | None
    effective_share: float | None
    clip_share: float | None
    immature_share: float
    buckets: Mapping[int, int]

    @property
    def positive_share(self) -> float | None:
        """Share of labels above 0; None without labels."""
        return self.positives / self.rows if self.rows else None

    def as_facts(self) -> dict[str, Any]:
        """The numbers as JSON holds them."""
        buckets = [list(each) for each in sorted(self.buckets.items())]
        # text, for a manifest has each number of a list on a line of its own
        text = " ".join(f"{bucket}:{rows}" for bucket, rows in buckets)
        return asdict(self) | {"buckets": text}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """The numbers that ``as_facts`` gave."""
        pairs = [pair.split(":") for pair in facts["buckets"].split()]
        return cls(**{**facts, "buckets": {int(bucket): int(rows) for bucket, rows in pairs}})


@dataclass(frozen=True)
class HealthInputs:
    """What a day's health is measured on.

    Attributes:
        labels: the day's labels: a table's name or a scan.
        impression_signals: of the same day.
        propensities: those that the labels were divided by; None where they were not.
        open_since: impressions shown later can still get feedback; None where none can.
    """

    labels: str
    impression_signals: str
    propensities: str | None = None
    open_since: datetime | None = None


def measure_label_health(
    engine: Engine, policy: Policy, problem: Problem, inputs: HealthInputs
) -> LabelHealth:
    """Count a day's labels in one scan, and its impressions in another where they matter.

    Source of the effective sample size: L. Kish, Survey Sampling (1965), section 11.7.

    Args:
        engine: reads the relations.
        policy: whose labels they are.
        problem: names the context of propensities.
        inputs: the day.
    """
    counted = engine.rows(label_counts_sql(policy, inputs.labels))
    buckets = {int(bucket): int(rows) for bucket, rows, *_ in counted}
    rows = sum(buckets.values())
    positive = [sums for sums in counted if sums[0] > 0]
    positives = sum(int(sums[1]) for sums in positive)
    pulls, squares = (math.fsum(sums[column] for sums in positive) for column in (3, 4))
    clip_share, immature_share = _impression_shares(engine, policy, problem, inputs)
    return LabelHealth(
        rows=rows,
        positives=positives,
        mean=round(math.fsum(sums[2] for sums in counted) / rows, _DIGITS) if rows else None,
        effective_share=round(pulls**2 / squares / positives, _DIGITS) if squares > 0 else None,
        clip_share=clip_share,
        immature_share=immature_share,
        buckets=buckets,
    )


def label_counts_sql(policy: Policy, labels: str) -> str:
    """SQL of rows, sum of labels, sum and sum of squares of pulls, by bucket of the label."""
    label, weight = "label", "weight"
    if policy.grain == "query_item":
        label, weight = "gain_sum / nullif(expected_examinations, 0)", "1"
    nearest = f"floor(ln(greatest(abs(label), {_LEAST!r})) / {_STEP!r})"
    return f"""select
    cast(case when label = 0 then 0 else sign(label) * ({nearest} + {_FIRST}) end as integer)
        as bucket,
    count(*) as labels,
    sum(label) as label_sum,
    sum(label * weight) as pull_sum,
    sum(label * weight * label * weight) as pull_square_sum
from (
    select cast({label} as double) as label, cast({weight} as double) as weight from {labels}
)
where isfinite(label)
group by bucket"""


def _impression_shares(
    engine: Engine, policy: Policy, problem: Problem, inputs: HealthInputs
) -> tuple[float | None, float]:
    """The shares of impressions at the clip (None if nothing is clipped), and immature."""
    divides = labels_need_propensities(policy) and inputs.propensities is not None
    if not divides and inputs.open_since is None:
        return None, 0.0
    by = ", ".join(["position", *map(quote_identifier, problem.context)])
    is_open = "false"
    if inputs.open_since is not None:
        is_open = f"shown_at > timestamptz {quote_literal(inputs.open_since.isoformat())}"
    clip = clip_sql(policy) if divides else "0"
    # grouped first: a few hundred rows are looked up in the curve instead of all impressions
    shown = f"""(
    select {by}, {clip} as least_divisor, count(*) as impressions,
        count(case when {is_open} then 1 end) as open_impressions
    from {inputs.impression_signals}
    where excluded_reason is null
    group by all
)"""
    below = "0"
    if divides and inputs.propensities is not None:
        shown = f"({with_examination(policy, problem, shown, inputs.propensities)})"
        below = f"coalesce(sum(impressions) filter (where {EXAMINATION} < least_divisor), 0)"
    total, immature, clipped = engine.row(
        f"select coalesce(sum(impressions), 0), coalesce(sum(open_impressions), 0), {below} "
        f"from {shown}"
    )
    of_all = max(int(total), 1)
    return (int(clipped) / of_all if divides else None), int(immature) / of_all
