"""matched_interactions -> orphaned_interactions: the events that count for no impression."""

from typing import Any

from label_platform.lake import Manifest, Partition, create_models, load_models, recipe_hash
from label_platform.pipeline.attribution import ATTRIBUTED, MATCHED
from label_platform.pipeline.context import Context
from label_platform.pipeline.matching import days_before


def orphaned_interactions_recipe(context: Context, partition: Partition) -> dict[str, Any]:
    """What a day of ``orphaned_interactions`` is made from, and what it is counted against."""
    event_day = str(partition.day)
    signals = {
        day: context.lake.manifest(Partition("impression_signals", day))
        for day in days_before(context, partition.day)
    }
    return {
        "matched_interactions": context.content("matched_interactions", partition.day),
        "impression_signals": {
            str(day): [manifest.attributes.get(name, {}).get(event_day) for name in _COUNTED]
            for day, manifest in signals.items()
            if manifest is not None
        },
        "model": load_models()["orphaned_interactions"].version,
    }


_COUNTED = (MATCHED, ATTRIBUTED)


def build_orphaned_interactions(context: Context, partition: Partition) -> Manifest:
    """Keep a day's events that count for no impression, each with its reason."""
    create_models(
        context.engine,
        ["orphaned_interactions"],
        variables={},
        sources={
            "matched_interactions": context.lake.scan("matched_interactions", [partition.day])
        },
    )
    return context.lake.publish(
        context.engine,
        partition,
        "from orphaned_interactions order by occurred_at, interaction_id",
        recipe=recipe_hash(orphaned_interactions_recipe(context, partition)),
    )
