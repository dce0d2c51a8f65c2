"""Refused records that name an erased user: in free text, an id may stand anywhere.

An id counts where it is a whole token, no part of a longer word or number; a short one only where
it is a whole value: a text in JSON, a field in CSV. A text is cut into
pieces, words and what stands between them, so that an id can also be found by its hash alone: it
is as many pieces in a row as its tombstone says.
"""

import json
import re
from collections.abc import Iterable
from urllib.parse import quote

import pyarrow as pa

from label_platform.lake import Engine, quote_literal

ERASED = "(erased)"
SHORTEST = 4
"""Characters from which on an id is looked for anywhere: a shorter one stands there by chance."""

_TABLE = "erased_mentions"
_WORD = r"\p{L}\p{N}_"
_ANYWHERE = (rf"(^|[^{_WORD}])", rf"($|[^{_WORD}])")
_JSON_VALUE = (r"""(["'])""", r"""(["']\s*(?:[^\s:]|$))""")
_CSV_FIELD = (r"""(^|[,;\t"'] *)""", r"""( *(?:[,;\t"'\r\n]|$))""")
"""What stands before and after an id."""

_PIECES = quote_literal(rf"[{_WORD}]+|[^{_WORD}]+")


def spellings(user: str) -> tuple[str, ...]:
    """How an id stands in texts: as it is, as JSON and URLs escape it, without punctuation around.

    All in lower case: texts are searched without regard to case.
    """
    user = user.lower()
    if len(user) < SHORTEST:
        return (user,) if re.fullmatch(r"\w(.*\w)?", user) else ()
    given = (
        user,
        json.dumps(user)[1:-1],
        quote(user, safe="").lower(),
        quote(user, safe="@").lower(),
    )
    bare = [re.sub(r"^\W+|\W+$", "", text) for text in given]
    return tuple(dict.fromkeys(text for text in bare if len(text) >= SHORTEST))


def is_named_in(text: str, user: str) -> bool:
    """Whether a text names a user as a whole token; of a short id nobody can say."""
    return len(user) >= SHORTEST and any(
        re.search(rf"(?<!\w){re.escape(spelling)}(?!\w)", text, re.IGNORECASE)
        for spelling in spellings(user)
    )


def pieces_of(spelling: str) -> int:
    """How many words, and gaps between them, an id consists of."""
    return len(re.findall(r"\w+|\W+", spelling))


def tokens(texts: str, pieces: int) -> str:
    """The query of all that could be an id of some pieces, as ``token``.

    Args:
        texts: a relation with the column ``text``.
        pieces: how many the id has.
    """
    places = f"range(1, len(pieces) - {pieces} + 2)"
    joined = f"array_to_string(pieces[place : place + {pieces} - 1], '')"
    return (
        f"select distinct unnest([{joined} for place in {places}]) as token"
        f" from (select regexp_extract_all(text, {_PIECES}) as pieces from {texts})"
    )


def look_for(engine: Engine, found: Iterable[str]) -> int:
    """Tell the engine which ids :func:`redacted` is to replace; returns how many.

    They stand in a table and not in the SQL: a statement that fails is shown to people.
    """
    given = pa.table({"token": pa.array(found, pa.string())})
    engine.register(f"given_{_TABLE}", given)
    engine.execute(
        f"create or replace table {_TABLE} as"
        f" select token, row_number() over () as number from given_{_TABLE}"
    )
    return len(given)


def redacted(text: str, count: int) -> str:
    """The expression of a text in which the first ids of :func:`look_for` are replaced.

    Args:
        text: the expression of the text.
        count: how many ids there are.
    """
    given = text
    for number in range(1, count + 1):
        token = f"(select token from {_TABLE} where number = {number})"
        pattern = f"""case when length({token}) >= {SHORTEST} then {_around(_ANYWHERE, token)}
            when ltrim({given})[1] in ('{{', '[') then {_around(_JSON_VALUE, token)}
            else {_around(_CSV_FIELD, token)} end"""
        # twice, because two ids in a row share what stands between them
        for _ in range(2):
            text = f"regexp_replace({text}, {pattern}, '\\1{ERASED}\\2', 'gi')"
    return text


def redacted_detail(detail: str, raw: str, count: int) -> str:
    """The expression of a refusal's reason without ids, also without one that was cut.

    Args:
        detail: the expression of the reason, which shows the beginning of a wrong value.
        raw: the expression of the record's text.
        count: how many ids there are.
    """
    cut = quote_literal("(?s)found '.{80}', expected")
    whole = f"regexp_replace({detail}, {cut}, 'found ''{ERASED}'', expected')"
    names_user = f"{redacted(raw, count)} is distinct from {raw}"
    return redacted(f"(case when {names_user} then {whole} else {detail} end)", count)


def _around(sides: tuple[str, str], token: str) -> str:
    before, after = map(quote_literal, sides)
    return f"{before} || regexp_escape({token}) || {after}"
