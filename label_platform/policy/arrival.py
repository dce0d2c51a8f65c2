"""How much of an impression's feedback has come by now, from the delays of each signal.

F(t) is the share of a signal's feedback, within its window, that comes within t of the impression
(Kaplan-Meier over all impressions, see logs/delays.py). It is raised to at least .05, so that
nothing that came stands for more than 20.
"""

from datetime import datetime

from label_platform.lake import quote_identifier, quote_literal
from label_platform.policy.signals import reweighted_signals
from label_platform.policy.spec import Policy

ARRIVED = "arrived"
"""The rows of ``label_statistics`` that hold F: name is the signal, ``at`` the age in seconds."""
LEAST_ARRIVED = 0.05


def arrived_columns(policy: Policy) -> dict[str, str]:
    """By signal, the column that ``with_arrival`` adds."""
    return {name: quote_identifier(f"{name}_arrived") for name in reweighted_signals(policy)}


def with_arrival(policy: Policy, relation: str, statistics: str, as_of: datetime) -> str:
    """SQL that adds the share that has come, per signal with a gain, to a relation's columns.

    Args:
        policy: names the signals.
        relation: impressions with shown_at.
        statistics: ``label_statistics`` with the rows of F.
        as_of: now.
    """
    moment = f"{quote_literal(as_of.isoformat())}::timestamptz"
    columns = arrived_columns(policy)
    joins, added = "", ""
    for number, (name, column) in enumerate(columns.items()):
        curve = f"curve_{number}"
        rows = (
            f'select "at", value from {statistics} '
            f"where statistic = {quote_literal(ARRIVED)} and name = {quote_literal(name)}"
        )
        joins += f'\nasof left join ({rows}) as {curve} on aged.age_s >= {curve}."at"'
        added += f",\n    greatest(coalesce({curve}.value, 0), {LEAST_ARRIVED!r}) as {column}"
    return f"""with aged as (
    select *, epoch({moment}) - epoch(shown_at) as age_s from {relation}
)

select
    aged.* exclude (age_s){added}
from aged{joins}"""
