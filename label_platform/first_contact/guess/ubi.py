"""What a sample of User Behavior Insights suggests."""

import re
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
from label_platform.lake import Engine, quote_literal
from label_platform.problem import NAME_PATTERN

_SHUFFLED = "random|shuffl|explor"
_MOST_APPLICATIONS = 20
_MOST_RENAMED = 30


class UbiGuess:
    """Events and queries in any mixture."""

    name = "ubi"
    names_feedback = False
    clocks: Mapping[str, int] = {"timestamp": 1}

    def options(self, engine: Engine, samples: Sequence[Sample]) -> list[Option]:
        """Which records are impressions, the base of their ordinals, a renamed click."""
        actions = _actions(engine, samples)
        found = [_impressions(engine, samples, actions)]
        if found[0].value == "events" and not actions.get("impression"):
            evidence = f"seen {actions['view']:,} times, and no impression"
            found.append(Option("impression_actions", ["view"], evidence))
        if actions:
            found.append(_first_ordinal(engine, samples))
        found += _renamed(engine, actions)
        return [*found, *_randomized(engine, samples)]

    def statements(self, sample: Sample, options: Mapping[str, Any]) -> Statements:
        """What a sample says."""
        relation = f"(select {_columns(sample)} from {sample.table})"
        actions = options.get("impression_actions", ["impression"])
        names = ", ".join(map(quote_literal, actions))
        is_shown = f"action in ({names})"
        lists = f"(select * from {relation} where {is_shown})"
        if options["impressions"] == "hits":
            lists = (
                "(select * replace (unnest(hits) ->> '$' as item)"
                f" from {relation} where hits is not null)"
            )
        renamed = {"click_through": "click", **options.get("actions", {})}
        cases = " ".join(
            f"when {quote_literal(old)} then {quote_literal(new)}" for old, new in renamed.items()
        )
        events = f"(select * from {relation} where action is not null and not {is_shown})"
        moment = "moment, naive"
        return Statements(
            shown(
                lists,
                request="request",
                query="query",
                item="item",
                person="person",
                moment=moment,
                shuffled=_is_shuffled(options),
            ),
            said(
                events,
                signal=f"case action {cases} else action end",
                request="request",
                item="item",
                person="person",
                moment=moment,
            ),
        )


def _columns(sample: Sample) -> str:
    item = first_given(
        sample.text("event_attributes", "object", "object_id"),
        sample.text("event_attributes", "object", "internal_id"),
    )
    ordinal = first_given(
        sample.text("event_attributes", "position", "ordinal", "index"),
        sample.text("event_attributes", "position", "ordinal"),
    )
    person = first_given(sample.text("user_id"), sample.text("client_id"))
    hits = sample.document("query_response_hit_ids")
    return (
        f"{sample.text('action_name')} as action, {sample.text('query_id')} as request,"
        f" {sample.text('user_query')} as query, {item} as item, {person} as person,"
        f" coalesce({sample.text('application')}, '') as application,"
        f" try_cast({ordinal} as bigint) as ordinal,"
        f" case when json_type({hits}) = 'ARRAY' then ({hits}) -> '$[*]' end as hits,"
        f" {sample.document('query_attributes')} as attributes, {sample.moment('timestamp')}"
    )


def _union(samples: Sequence[Sample]) -> str:
    return " union all ".join(f"select {_columns(each)} from {each.table}" for each in samples)


def _actions(engine: Engine, samples: Sequence[Sample]) -> dict[str, int]:
    """How often each action was done to an item, the most frequent first."""
    return dict(
        engine.rows(
            f"select action, count(*) from ({_union(samples)}) where action is not null"
            " and item is not null group by all order by count(*) desc, action"
        )
    )


def _impressions(engine: Engine, samples: Sequence[Sample], actions: Mapping[str, int]) -> Option:
    events = actions.get("impression") or actions.get("view")
    if events:
        return Option("impressions", "events", f"{events:,} events say that an item was shown")
    (lists,) = engine.row(
        f"select count(*) from ({_union(samples)}) where hits is not null and len(hits) > 0"
    )
    if lists:
        evidence = f"no impression events, but {lists:,} queries list their hits"
        return Option("impressions", "hits", evidence)
    evidence = "neither impression events nor query_response_hit_ids were seen"
    return Option("impressions", "events", evidence, is_doubtful=True)


def _first_ordinal(engine: Engine, samples: Sequence[Sample]) -> Option:
    """Nowhere is it written down; a 0 proves it, the absence of one only suggests it."""
    smallest = engine.rows(
        f"select application, min(ordinal), count(*) from ({_union(samples)})"
        " where ordinal is not null and item is not null"
        f" group by application order by count(*) desc, 1 limit {_MOST_APPLICATIONS}"
    )
    bases = {name: 0 if lowest == 0 else 1 for name, lowest, _ in smallest if name}
    evidence = ", ".join(
        f"{name or 'no application'}: smallest ordinal {lowest} of {count:,}"
        for name, lowest, count in smallest
    )
    counted = {base: sum(n for _, low, n in smallest if (low != 0) == base) for base in (0, 1)}
    default = 0 if counted[0] > counted[1] else 1
    value = {"default": default, **{name: base for name, base in bases.items() if base != default}}
    return Option("first_ordinal", value, evidence or "no ordinals were seen", is_doubtful=True)


def _renamed(engine: Engine, actions: Mapping[str, int]) -> list[Option]:
    """Actions that cannot be signals under their own names, or are clicks by another one."""
    unfit = [name for name in actions if re.fullmatch(NAME_PATTERN, name) is None]
    signals = dict(
        engine.rows(
            f"select name, {snake_case('name')} from (select unnest(?::varchar[]) as name)",
            [unfit[:_MOST_RENAMED]],
        )
    )
    renamed = {
        name: signals[name]
        for name in unfit[:_MOST_RENAMED]
        if re.fullmatch(NAME_PATTERN, signals[name]) is not None
    }
    evidence = ["names of signals have lower-case letters, digits and _"] if renamed else []
    similar = [name for name in actions if "click" in name.lower()]
    if similar and not actions.get("click") and not actions.get("click_through"):
        renamed[similar[0]] = "click"
        evidence.append(
            f"no action is called click, and {similar[0]} was seen {actions[similar[0]]:,} times"
        )
    return [Option("actions", renamed, "; ".join(evidence))] if renamed else []


def _randomized(engine: Engine, samples: Sequence[Sample]) -> list[Option]:
    (structure,) = engine.row(
        f"select json_group_structure(attributes)::varchar from ({_union(samples)})"
        " where json_type(attributes) = 'OBJECT'"
    )
    if structure is None:
        return []
    paths = engine.rows(
        "select ltrim(fullkey, '$.') from json_tree(?::json)"
        " where atom is not null and atom ->> '$' = 'BOOLEAN'"
        f" and regexp_matches(lower(key), '{_SHUFFLED}') order by 1",
        [structure],
    )
    return [
        Option("randomized", path.replace('"', ""), "a flag of the query_attributes, by its name")
        for (path,) in paths[:1]
    ]


def _is_shuffled(options: Mapping[str, Any]) -> str:
    if "randomized" not in options:
        return "null::boolean"
    path = "$" + "".join(f'."{key}"' for key in options["randomized"].split("."))
    return f"(attributes ->> {quote_literal(path)}) = 'true'"
