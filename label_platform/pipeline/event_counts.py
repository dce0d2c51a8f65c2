"""How many events of a day came in, and how many reached an impression; what is set aside."""

from datetime import date

from label_platform.lake import Partition, quote_literal
from label_platform.pipeline.attribution import ATTRIBUTED
from label_platform.pipeline.context import Context
from label_platform.pipeline.matching import days_before
from label_platform.pipeline.model_variables import matching_variables


def accepted_events(context: Context, day: date) -> int:
    """The events of a day that the problem asks for, as ingestion has them."""
    if context.lake.manifest(Partition("interactions", day)) is None:
        return 0
    signals = matching_variables(context)["signals"]
    names = {name for signal in signals for name in (signal["name"], signal["reversed_by"]) if name}
    asked = ", ".join(map(quote_literal, sorted(names)))
    (events,) = context.engine.row(
        f"select count(*) from {context.lake.scan('interactions', [day])}"
        f" where signal in ({asked}) and ingested_at <= {quote_literal(context.as_of)}::timestamptz"
    )
    return int(events)


def attributed_events(context: Context, day: date) -> int | None:
    """The events of a day that some day's impressions were given; None while one is unbuilt."""
    total = 0
    for each in days_before(context, day):
        if context.lake.manifest(Partition("impressions", each)) is None:
            continue
        manifest = context.lake.manifest(Partition("impression_signals", each))
        if manifest is None:
            return None
        total += manifest.attributes[ATTRIBUTED].get(str(day), 0)
    return total


def excluded_shares(context: Context, days: list[date]) -> dict[date, tuple[float, str]]:
    """Per day the share of impressions that are set aside, and the reasons, the largest first."""
    found = context.engine.rows(
        f"""select cast(shown_at as date), count(excluded_reason) / count(*),
            array_to_string(list_sort(list_distinct(list(excluded_reason))), ', ')
        from {context.lake.scan("impression_signals", days)} group by 1"""
    )
    return {day: (share, reasons or "") for day, share, reasons in found}
