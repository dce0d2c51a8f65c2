"""What a sample of Algolia Insights suggests."""

from collections.abc import Mapping, Sequence
from typing import Any

from label_platform.first_contact.guess.samples import Sample
from label_platform.first_contact.guess.statements import (
    Option,
    Statements,
    first_given,
    said,
    shown,
    snake_case,
)
from label_platform.lake import Engine


class AlgoliaGuess:
    """View, click and conversion events; a view that names its query is a list."""

    name = "algolia"
    names_feedback = False
    clocks: Mapping[str, int] = {"timestamp": 1}

    def options(self, engine: Engine, samples: Sequence[Sample]) -> list[Option]:  # noqa: ARG002
        """None that a sample could tell."""
        return []

    def statements(self, sample: Sample, options: Mapping[str, Any]) -> Statements:  # noqa: ARG002
        """What a sample says."""
        person = first_given(sample.text("authenticatedUserToken"), sample.text("userToken"))
        events = (
            f"(select *, {sample.text('eventType')} as kind, {sample.text('eventSubtype')} as"
            f" subtype, {sample.text('queryID')} as list,"
            f" unnest({sample.document('objectIDs')} -> '$[*]') ->> '$' as item"
            f" from {sample.table})"
        )
        subtype = (
            "case subtype when 'addToCart' then 'add_to_cart' when 'purchase' then 'purchase'"
            " else 'conversion' end"
        )
        signal = f"case when kind = 'conversion' then {subtype} else {snake_case('kind')} end"
        common = {
            "request": "list",
            "item": "item",
            "person": person,
            "moment": sample.moment("timestamp"),
        }
        is_list = "kind = 'view' and list is not null"
        return Statements(
            shown(f"(select * from {events} where {is_list})", query="list", **common),
            said(f"(select * from {events} where not ({is_list}))", signal=signal, **common),
        )
