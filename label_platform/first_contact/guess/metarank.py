"""What a sample of Metarank events suggests."""

from collections.abc import Mapping, Sequence
from typing import Any

from label_platform.first_contact.guess.samples import Sample
from label_platform.first_contact.guess.statements import (
    Option,
    Statements,
    said,
    shown,
    snake_case,
)
from label_platform.lake import Engine, quote_literal
from label_platform.logs.metarank import RELEVANCY


class MetarankGuess:
    """Rankings, interactions, items and users, as Metarank imports them."""

    name = "metarank"
    names_feedback = True
    clocks: Mapping[str, int] = {"timestamp": 1}

    def options(self, engine: Engine, samples: Sequence[Sample]) -> list[Option]:
        """The field of a ranking that holds what was searched for, if it is not called query."""
        rankings = " union all ".join(
            f"select unnest({each.document('fields')} -> '$[*].name') ->> '$' as name"
            f" from {each.table} where {each.text('event')} = 'ranking'"
            for each in samples
        )
        names = {name for (name,) in engine.rows(f"select distinct name from ({rankings})")}
        others = [name for name in ("search_query", "query_text", "search", "q") if name in names]
        if "query" in names or not others:
            return []
        return [Option("query_field", others[0], "a field of the rankings, by its name")]

    def statements(self, sample: Sample, options: Mapping[str, Any]) -> Statements:  # noqa: ARG002
        """What a sample says."""
        event = sample.text("event")
        common = {"person": sample.text("user"), "moment": sample.moment("timestamp")}
        things = f"unnest({sample.document('items')} -> '$[*]') as thing"
        return Statements(
            shown(
                f"(select *, {things} from {sample.table} where {event} = 'ranking')",
                request=sample.text("id"),
                query=sample.text("id"),
                item="thing ->> '$.id'",
                **common,
            ),
            said(
                f"(select * from {sample.table} where {event} = 'interaction')",
                signal=snake_case(sample.text("type")),
                request=sample.text("ranking"),
                item=sample.text("item"),
                **common,
            ),
        )


def metarank_fields(sample: Sample) -> tuple[str, str]:
    """SQL: name and value of each field of rankings and their items, and of catalogue items.

    The score that older rankings give an item outside of its fields is one of them, too.
    """

    def pairs(relation: str, fields: str) -> str:
        each = f"(select unnest({fields}) as field from {relation})"
        return f"select field ->> '$.name' as name, field ->> '$.value' as value from {each}"

    of_kind = f"(select * from {sample.table} where {sample.text('event')} = {{}})"
    ranking = of_kind.format(quote_literal("ranking"))
    own = f"{sample.document('fields')} -> '$[*]'"
    of_items = f"{sample.document('items')} -> '$[*].fields[*]'"
    things = f"(select unnest({sample.document('items')} -> '$[*]') as thing from {ranking})"
    scores = f"select '{RELEVANCY}' as name, thing ->> '$.{RELEVANCY}' as value from {things}"
    logged = f"{pairs(ranking, own)} union all {pairs(ranking, of_items)} union all {scores}"
    return logged, pairs(of_kind.format(quote_literal("item")), own)
