"""Interactions + impressions -> matched_interactions, and the orphans among them.

One partition per day of events. What its rows say of each day of impressions is hashed apart, so
that a late event makes its own impression's day stale and leaves the days beside it alone.
"""

from typing import Any

from label_platform.lake import Manifest, Partition, create_models, recipe_hash, row_hash_sql
from label_platform.pipeline.context import Context
from label_platform.pipeline.model_variables import matching_variables, model_versions
from label_platform.pipeline.windows import days_looked_back_on

MATCHED_BY_DAY = "matched_by_day"
"""The attribute that holds rows and hash of a day's events by the day of their impression."""

_MODELS = (
    "stg_impressions",
    "stg_interactions",
    "int_signal_windows",
    "int_matches_by_request",
    "int_matches_by_user",
    "matched_interactions",
)


def matched_interactions_recipe(context: Context, partition: Partition) -> dict[str, Any]:
    """What a day of ``matched_interactions`` is made from."""
    days = days_looked_back_on(context.problem, partition.day)
    return {
        "interactions": context.content("interactions", partition.day),
        "impressions": context.contents("impressions", tuple(days)),
        "variables": matching_variables(context),
        "models": model_versions(_MODELS),
    }


def build_matched_interactions(context: Context, partition: Partition) -> Manifest:
    """Find the impression that each event of a day belongs to, or why it belongs to none."""
    create_models(
        context.engine,
        ["matched_interactions"],
        variables=matching_variables(context),
        sources={
            "impressions": _impressions(context, partition),
            "interactions": context.lake.scan("interactions", [partition.day]),
        },
    )
    events, attributed = context.engine.row(
        "select count(*), count(*) filter (where orphan_reason is null) from matched_interactions"
    )
    return context.lake.publish(
        context.engine,
        partition,
        "from matched_interactions order by impression_day, occurred_at, interaction_id",
        recipe=recipe_hash(matched_interactions_recipe(context, partition)),
        attributes={
            "events": events,
            "attributed": attributed,
            "orphaned": events - attributed,
            MATCHED_BY_DAY: _matched_by_day(context),
        },
    )


def _impressions(context: Context, partition: Partition) -> str:
    """The impressions that a day's events may belong to; none, where events trail far behind."""
    days = days_looked_back_on(context.problem, partition.day)
    if context.lake.files(Partition("impressions", day) for day in days):
        return context.lake.scan("impressions", days)
    return f"(from {context.lake.scan('impressions', context.log_days[-1:])} limit 0)"


def _matched_by_day(context: Context) -> dict[str, dict[str, Any]]:
    columns = context.engine.schema("matched_interactions")
    found = context.engine.rows(
        f"select impression_day, count(*), sum({row_hash_sql(columns)}) from matched_interactions"
        " where orphan_reason is null group by impression_day order by impression_day"
    )
    return {str(day): {"rows": rows, "hash": f"{int(total):x}"} for day, rows, total in found}
