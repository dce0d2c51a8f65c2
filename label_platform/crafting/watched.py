"""Which impressions have a watch-time label, and what was watched there, in seconds."""

from label_platform.lake import quote_identifier
from label_platform.policy import WatchTime

MOST_S = 1e7
"""More seconds than anyone watches; sums of squares of no more than that stay exact."""


def watched_sql(spec: WatchTime, impression_signals: str, more: str = "") -> str:
    """The impressions that count, as a relation with ``impression_id``, ``w`` and ``d``.

    Left out are impressions with an ``excluded_reason`` and those whose duration D is not known:
    absent, not above 0, or above ``MOST_S``. w is between 0 and ``MOST_S``.

    Args:
        spec: says which columns hold w and D.
        impression_signals: the days that are read.
        more: further columns, each as ``, expression as name``.
    """
    duration = f"cast({quote_identifier(spec.duration)} as double)"
    if spec.duration_unit == "ms":
        duration = f"({duration} / 1000)"
    given = f"cast({quote_identifier(spec.watch_s)} as double)"
    # least and greatest take several times as long as a comparison
    seconds = (
        f"case when {given} between 0 and {MOST_S!r} then {given} "
        f"when {given} > 0 then {MOST_S!r} else 0 end"
    )
    return f"""(
    select impression_id, {seconds} as w, {duration} as d{more}
    from {impression_signals}
    where excluded_reason is null and {duration} > 0 and {duration} <= {MOST_S!r}
)"""
