"""What a sample of Coveo usage analytics suggests."""

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

_CLOCK_NAMES = ("timestamp", "datetime", "time", "date", "created")


class CoveoGuess:
    """Searches, clicks and custom events, told apart by their keys."""

    name = "coveo"
    names_feedback = True
    clocks: Mapping[str, int] = {}

    def options(self, engine: Engine, samples: Sequence[Sample]) -> list[Option]:
        """The key of the time, which differs from export to export."""
        names = sorted({name for sample in samples for name in sample.columns}, key=_clock_order)
        for name in names[:50]:
            times = " union all ".join(
                f"select {each.moment(name)} from {each.table}" for each in samples
            )
            read, records = engine.row(
                "select count(*) filter (moment > timestamptz '2000-01-01 00:00:00+00'), count(*)"
                f" from ({times})"
            )
            if read and 10 * read >= 9 * records:
                evidence = f"holds a time in {read:,} of {records:,} events"
                return [Option("timestamp", name, evidence)]
        evidence = "no key was seen that holds a time in most events"
        return [Option("timestamp", "timestamp", evidence, is_doubtful=True)]

    def statements(self, sample: Sample, options: Mapping[str, Any]) -> Statements:
        """What a sample says."""
        document = first_given(sample.text("documentUriHash"), sample.text("documentUri"))
        custom = f"coalesce({sample.text('eventType')}, {sample.text('eventValue')}) is not null"
        click = f"coalesce({document}, {sample.text('documentPosition')}) is not null"
        kind = f"case when {custom} then 'custom' when {click} then 'click' else 'search' end"
        results = f"unnest({sample.document('results')} -> '$[*]') as result"
        common = {
            "person": first_given(
                *map(sample.text, ("visitorId", "clientId", "username")),
            ),
            "moment": sample.moment(options["timestamp"]),
        }
        is_custom = f"{kind} = 'custom'"
        name = snake_case(sample.text("eventValue"))
        search = sample.text("searchQueryUid")
        last_search = first_given(sample.text("lastSearchQueryUid"), search)
        return Statements(
            shown(
                f"(select *, {results} from {sample.table} where {kind} = 'search')",
                request=search,
                query=first_given(sample.text("queryText"), "''"),
                item=first_given("result ->> '$.documentUriHash'", "result ->> '$.documentUri'"),
                **common,
            ),
            said(
                f"(select * from {sample.table} where {kind} <> 'search')",
                signal=f"case when {is_custom} then {name} else 'click' end",
                request=f"case when {is_custom} then {last_search} else {search} end",
                item=f"case when {is_custom} then {_custom_document(sample)} else {document} end",
                **common,
            ),
        )


def _custom_document(sample: Sample) -> str:
    """The result that a custom event is about; other ids of contents do not tell which it is."""

    def own(*names: str) -> str:
        return first_given(*(sample.text("customData", name) for name in names))

    key = own("contentIDKey", "contentIdKey", "contentidkey")
    content = own("contentIDValue", "contentIdValue", "contentidvalue")
    return first_given(
        sample.text("documentUriHash"),
        own("documentUriHash", "documenturihash"),
        f"case when ltrim(lower({key}), '@') = 'urihash' then {content} end",
    )


def _clock_order(name: str) -> tuple[int, str]:
    """Names that sound like a time first."""
    sounds = [place for place, word in enumerate(_CLOCK_NAMES) if word in name.lower()]
    return (min(sounds, default=len(_CLOCK_NAMES)), name)
