"""What a sample of the BigQuery export of Google Analytics 4 suggests."""

from collections.abc import Mapping, Sequence
from typing import Any

from label_platform.first_contact.guess.samples import Sample, moment_of
from label_platform.first_contact.guess.statements import (
    Option,
    Statements,
    first_given,
    said,
    shown,
)
from label_platform.lake import Engine
from label_platform.logs.nested_values import first_given as first_said


class Ga4Guess:
    """The export of Google Analytics 4; a list is what one view_item_list event shows."""

    name = "ga4"
    names_feedback = False
    clocks: Mapping[str, int] = {"event_timestamp": 1000}

    def options(self, engine: Engine, samples: Sequence[Sample]) -> list[Option]:
        """Whether the index of a list's first item is 0."""
        index = first_said("(thing -> '$.item_list_index')", "(thing -> '$.index')")
        found = " union all ".join(
            f"select try_cast({index} ->> '$' as bigint) as place from {_items(each)}"
            f" where {each.text('event_name')} = 'view_item_list'"
            for each in samples
        )
        zeros, places = engine.row(
            f"select count(*) filter (place = 0), count(place) from ({found})"
        )
        evidence = (
            f"item_list_index or index is 0 for {zeros:,} of {places:,} items of view_item_list"
        )
        return [Option("first_index", 0, evidence)] if zeros else []

    def statements(self, sample: Sample, options: Mapping[str, Any]) -> Statements:  # noqa: ARG002
        """What a sample says."""
        name = sample.text("event_name")
        milliseconds = f"(try_cast({sample.text('event_timestamp')} as bigint) // 1000)"
        common = {
            "item": first_given("thing ->> '$.item_id'", "thing ->> '$.item_name'"),
            "person": first_given(sample.text("user_id"), sample.text("user_pseudo_id")),
            "moment": moment_of(milliseconds, "BIGINT"),
        }
        renamed = "when 'select_item' then 'click' when 'refund' then 'return'"
        return Statements(
            shown(
                f"(select * from {_items(sample)} where {name} = 'view_item_list')",
                request=f"concat({name}, {sample.text('event_timestamp')}, {common['person']})",
                query="'a list'",
                device=sample.text("device", "category"),
                **common,
            ),
            said(
                f"(select * from {_items(sample)} where {name} <> 'view_item_list')",
                signal=f"case {name} {renamed} else {name} end",
                **common,
            ),
        )


def _items(sample: Sample) -> str:
    """One row per event and item; Parquet wraps arrays into lists of elements."""
    items = sample.document("items")
    wrapped = f"{items} -> '$.list[*].element'"
    each = f"case json_type({items}) when 'OBJECT' then {wrapped} else {items} -> '$[*]' end"
    return f"(select *, unnest({each}) as thing from {sample.table})"
