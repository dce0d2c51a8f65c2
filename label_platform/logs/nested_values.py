"""SQL over the values of nested documents; a leaf is an expression of type JSON."""

from collections.abc import Iterable, Mapping
from typing import Any

from label_platform.lake import quote_identifier, quote_literal
from label_platform.logs.content_ids import joined, peppered
from label_platform.logs.contract import RejectionReason
from label_platform.logs.json_records import DOCUMENTS
from label_platform.logs.privacy import REDACTED, redacted_json
from label_platform.logs.records import broken
from label_platform.strict_yaml import ConfigurationError

KEYS_PATTERN = r"^[^.]+(\.[^.]+)*$"
"""Keys with dots between them."""

REQUEST_AS_QUERY = "request:"
"""How the query id of a list begins whose query text is not known, or only to another record."""

_ABSENT = "('', '(not set)', 'nan')"
"""What clients, analytics and pandas write where there is nothing, in lower case."""


def given(leaf: str) -> str:
    """The leaf, or null where it only says that there is nothing."""
    return f"(case when lower({leaf} ->> '$') not in {_ABSENT} then {leaf} end)"


def first_given(*leaves: str) -> str:
    """The first leaf that says anything."""
    return f"coalesce({', '.join(map(given, leaves))})"


def elements(leaf: str) -> str:
    """The list of an array's elements; anything else is the only element of its list."""
    return f"(case json_type({leaf}) when 'ARRAY' then {leaf} -> '$[*]' else [{leaf}] end)"


def one_at_least(values: str) -> str:
    """The list, or one of a single null: so that what lacks its items is refused for it."""
    return f"(case when len({values}) > 0 then {values} else [null] end)"


def counterpart(leaf: str, key: str, items: str, items_key: str, place: str) -> str:
    """The leaf of an array that runs parallel to the items of a record.

    Arrays of different lengths have no counterparts: the leaf says so, and is refused for it.

    Args:
        leaf: the array; null where the record has none.
        key: its name.
        items: the list of items.
        items_key: its name.
        place: which item, from 1.
    """
    values = elements(leaf)
    said = f"concat(len({values}), {quote_literal(f' {key} for ')}, len({items}), ' {items_key}')"
    return (
        f"(case when coalesce({leaf} ->> '$', '') = '' then null"
        f" when len({values}) <> len({items}) then to_json({said}) else {values}[{place}] end)"
    )


def revenue(price: str, quantity: str) -> str:
    """The text of price times quantity; null without a price, one piece without a quantity.

    What is no number stays as it is, to be refused.
    """
    cost, pieces = given(price), given(quantity)
    cost_number = f"try_cast(({cost} ->> '$') as double)"
    pieces_number = f"try_cast(({pieces} ->> '$') as double)"
    return (
        f"(case when {cost} is null then null"
        f" when {cost_number} is null then {cost} ->> '$'"
        f" when {pieces} is not null and {pieces_number} is null then {pieces} ->> '$'"
        f" else ({cost_number} * coalesce({pieces_number}, 1))::varchar end)"
    )


def snake_case(text: str) -> str:
    """The text as the name of a signal: addToCart and "Add to cart" are both add_to_cart."""
    words = f"regexp_replace({text}, '([a-z0-9])([A-Z])', '\\1_\\2', 'g')"
    return f"lower(trim(regexp_replace({words}, '[^A-Za-z0-9]+', '_', 'g'), '_'))"


def at_keys(keys: str) -> str:
    """The leaf at some keys, with dots between them, of the record that :func:`with_keys` asks for.

    Args:
        keys: such as ``context.query``.
    """
    first, *others = keys.split(".")
    escaped = [key.replace("\\", "\\\\").replace('"', '\\"') for key in others]
    path = quote_literal("$" + "".join(f'."{key}"' for key in escaped))
    leaf = f"record.{quote_identifier(first)}"
    return f"({leaf} -> {path})" if others else leaf


def with_keys(structure: Mapping[str, Any], keys: str, option: str) -> dict[str, Any]:
    """What to read of documents, and what :func:`at_keys` wants.

    Raises:
        ConfigurationError: a key that differs from one that is read anyway in its case only.
    """
    first = keys.split(".", maxsplit=1)[0]
    for known in structure:
        if known.lower() == first.lower() and known != first:
            raise ConfigurationError(
                f"options: {option}: found {keys!r}, expected a key that differs in more than case"
                f" from {known!r}; did you mean {known!r}?"
            )
    return {first: "JSON"} | dict(structure)


def documents_with(key: str, expected: str) -> str:
    """The relation of the documents; refused are those without the key that says what they are.

    Args:
        key: the record's key.
        expected: what it should say.
    """
    detail = broken(RejectionReason.MISSING_KEY, f"{key}: found nothing, expected {expected}")
    return (
        "(select * replace (case when record_refusal is null and"
        f" coalesce(record.{quote_identifier(key)} ->> '$', '') = '' then {quote_literal(detail)}"
        f" else record_refusal end as record_refusal) from {DOCUMENTS})"
    )


def redacted_without(hidden: Iterable[str], *keys: str) -> str:
    """The text of a document without some keys, and without values that are not kept.

    Args:
        hidden: the keys of those values.
        keys: those below which anything may stand, under names that nobody can foresee.
    """
    patch = "{" + ", ".join(f'"{key}": null' for key in keys) + "}"
    anywhere = quote_literal("|".join(keys))
    return redacted_json(
        f"""(case
            when ltrim(text)[1] = '{{' and json_valid(text)
                then json_merge_patch(text, {quote_literal(patch)})::varchar
            when regexp_matches(text, {anywhere}) then {quote_literal(REDACTED)}
            else text
        end)""",
        hidden,
    )


def with_twin_ids(relation: str, *keys: str) -> str:
    """The relation with ``interaction_id``, null but for what its record says once more.

    Two sizes of one product in one purchase say the same twice; sent again, they are still two.

    Args:
        relation: rows of events, with record_line and record_part.
        keys: expressions of text that an event is known by.
    """
    same = ", ".join(keys)
    text = peppered(joined(*keys, "twin"))
    return f"""(
        select *, case when twin > 1 then md5({text}) end as interaction_id
        from (
            select *,
                row_number() over (partition by record_line, {same} order by record_part) as twin
            from {relation}
        )
    )"""
