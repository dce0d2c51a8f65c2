"""What tells people apart: user ids become keys, and quarantined text loses them."""

import hmac
import os
import re
from collections.abc import Iterable
from hashlib import sha256

import pyarrow as pa

from label_platform.lake import Engine, quote_identifier, quote_literal
from label_platform.logs import batch
from label_platform.logs.content_ids import prepare_pepper
from label_platform.logs.hidden_fields import is_one_of, name_pattern
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError

SECRET_VARIABLE = "LABEL_PLATFORM_USER_SECRET"  # noqa: S105 - a variable's name
REDACTED = "(redacted)"
HIDDEN = "hidden:"
"""How the hash of a rare query text begins."""

_KEY_LENGTH = 32


class UserKeys:
    """Turns user ids into user keys: as they are, or by HMAC-SHA256 with a secret.

    Args:
        problem: says whether user ids are public or keyed.

    Raises:
        ConfigurationError: ids are keyed and the environment holds no secret.
    """

    def __init__(self, problem: Problem) -> None:
        self._secret = _secret(problem)
        self._whose = f"problem {problem.name}"

    @property
    def fingerprint(self) -> str:
        """Tells secrets apart without telling them: keys of two secrets never match."""
        return self.key("the fingerprint of this secret")[:8] if self._secret else "public"

    def key(self, user: str) -> str:
        """The key of a user id; of a query text it is a hash that nobody can guess back."""
        if not self._secret:
            return user
        return hmac.digest(self._secret, user.encode(), "sha256").hex()[:_KEY_LENGTH]

    def require_same(self, known: str) -> None:
        """Refuse to go on where a lake's keys were made otherwise.

        Args:
            known: the fingerprint that the lake remembers, empty if it has none yet.

        Raises:
            ConfigurationError: the fingerprint is another.
        """
        if known not in {"", self.fingerprint}:
            raise ConfigurationError(
                f"{self._whose}: user_ids: the user keys in the lake were made with another secret "
                "or setting; with this one no user would be found again"
            )

    @property
    def are_public(self) -> bool:
        """Whether user ids are kept as they are."""
        return not self._secret

    def prepare_ids(self, engine: Engine) -> None:
        """Let the engine make ids from which nobody without the secret can tell what is in them.

        Public user ids are no secret, and neither are ids that are made of them.
        """
        prepare_pepper(engine, self.key("the pepper of content ids") if self._secret else "")

    def find(self, engine: Engine, where: str) -> None:
        """Make the keys of a file's users, once per distinct user.

        Args:
            engine: has the batch, whose user_key columns hold ids until it is published.
            where: the condition of the file's rows.
        """
        if self.are_public:
            return
        users = " union all ".join(
            f"select user_key from {table} where {where}"
            for table in (*map(batch.name_of, _WITH_USERS), batch.RECORDS)
        )
        new = engine.rows(
            f"select distinct user_key from ({users}) where user_key is not null"
            f" and user_key not in (select user_id from {batch.USER_KEYS})"
        )
        ids = [user for (user,) in new]
        _insert(engine, batch.USER_KEYS, ids, [self.key(user) for user in ids])


_WITH_USERS = ("impressions", "interactions", "requests")
_KEYS = pa.schema([("user_id", pa.string()), ("key", pa.string())])


def _insert(engine: Engine, table: str, values: list[str], keys: list[str]) -> None:
    given = pa.table({"user_id": values, "key": keys}, schema=_KEYS)
    engine.register("ingest_new_keys", given)
    engine.execute(f"insert into {table} select * from ingest_new_keys")


def with_user_keys(relation: str, keys: UserKeys) -> str:
    """The relation with keys in place of the ids in its user_key column."""
    if keys.are_public:
        return relation
    return (
        f"(select rows.* replace (known.key as user_key) from {relation} as rows"
        f" left join {batch.USER_KEYS} as known on rows.user_key = known.user_id)"
    )


def hide_query_texts(engine: Engine, problem: Problem, keys: UserKeys, file: int) -> None:
    """Drop a file's query texts, or replace the rare ones by a hash, as the problem says.

    What is rare is told from the file alone, so that the same file always gives the same rows.

    Args:
        engine: has the batch.
        problem: says which texts are kept.
        keys: makes the hashes.
        file: the batch's number of the file.
    """
    if problem.query_text.keep == "all":
        return
    tables = [batch.name_of(table) for table in ("impressions", "requests")]
    of_file = batch.of_file(file)
    if problem.query_text.keep == "none":
        for table in tables:
            engine.execute(f"update {table} set query_text = null where {of_file}")
        return
    both = " union all ".join(
        f"select query_text, request_id from {table} where {of_file}" for table in tables
    )
    rare = engine.rows(
        f"select query_text from ({both}) where query_text is not null group by query_text"
        f" having count(distinct request_id) < {problem.query_text.frequent_from}"
    )
    texts = [text for (text,) in rare]
    hashes = [f"{HIDDEN}{keys.key(f'query text: {text}')}" for text in texts]
    if keys.are_public:
        hashes = [HIDDEN + sha256(text.encode()).hexdigest()[:_KEY_LENGTH] for text in texts]
    engine.execute("create or replace temp table ingest_rare (user_id varchar, key varchar)")
    _insert(engine, "ingest_rare", texts, hashes)
    for table in tables:
        engine.execute(
            f"update {table} set query_text = ingest_rare.key from ingest_rare"
            f" where {of_file} and {table}.query_text = ingest_rare.user_id"
        )


def _secret(problem: Problem) -> bytes:
    if problem.user_ids == "public":
        return b""
    secret = os.environ.get(SECRET_VARIABLE, "")
    if not secret:
        raise ConfigurationError(
            f"problem {problem.name}: user_ids: keyed needs a secret in the environment variable "
            f"{SECRET_VARIABLE}, found none; set it, or say user_ids: public where the logs' ids "
            "are already anonymous"
        )
    return secret.encode()


def redacted_json(text: str, hidden: Iterable[str]) -> str:
    """SQL: a line of JSON, or of what should have been JSON, without values that are not kept.

    A line that is no JSON is withheld whole if one of the keys is in it and its value cannot be
    found; any line is, whose keys spell plain letters as escapes.

    Args:
        text: the expression of the line.
        hidden: the keys of those values, in whatever case.
    """
    names = rf"""["']?\b(?:{name_pattern(hidden)})\b["']?"""
    key = rf"{names}\s*[:=]\s*"
    value = r"""(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^,}\]\s]+)"""
    replacement = quote_literal(rf'\1"{REDACTED}"')
    kept = f"regexp_replace({text}, {_pattern(f'({key}){value}')}, {replacement}, 'g')"
    # what is no key: one whose value is gone, and a value that happens to be such a name
    settled = _pattern(rf"{key}\"{re.escape(REDACTED)}\"|[:=]\s*{names}\s*[,}}\]]")
    nested = _pattern(key + r"[\[{]")
    # JSON within a text: where such a value ends depends on how often it was escaped
    quoted = _pattern(rf"""\b(?:{name_pattern(hidden)})\\+["']\s*[:=]""")
    others = f"regexp_replace({kept}, {settled}, '', 'g')"
    return f"""case
        when regexp_matches({text}, {nested}) or regexp_matches({text}, {quoted})
            then {quote_literal(REDACTED)}
        when regexp_matches({text}, {_pattern(_ESCAPED_KEY)}) then {quote_literal(REDACTED)}
        when regexp_matches({others}, {_pattern(names)}) and not json_valid({text})
            then {quote_literal(REDACTED)}
        else {kept} end"""


_ESCAPED_KEY = r""""(?:[^"\\]|\\.)*\\u00[2-7][0-9a-f](?:[^"\\]|\\.)*"\s*:"""


def _pattern(expression: str) -> str:
    return quote_literal(f"(?is){expression}")


def redacted_fields(
    text: str,
    fields: str,
    is_whole: str,
    names: Iterable[str],
    separator: str,
    hidden: Iterable[str],
) -> str:
    """SQL: a CSV record without values that are not kept.

    A record whose fields do not match the header is withheld whole if the file has columns of
    such values: nobody can say which of its fields they are.

    Args:
        text: the expression of the record's text.
        fields: the expression of its list of fields.
        is_whole: a condition under which the fields are those of the header.
        names: the header.
        separator: what stands between fields.
        hidden: the columns of those values.
    """
    header = list(names)
    is_hidden = is_one_of(hidden)
    if not any(map(is_hidden, header)):
        return text
    kept = ", ".join(
        quote_literal(REDACTED) if is_hidden(name) else f"{fields}[{place}]"
        for place, name in enumerate(header, start=1)
    )
    whole = f"array_to_string([{kept}], {quote_literal(separator)})"
    return f"case when {is_whole} then {whole} else {quote_literal(REDACTED)} end"


def redacted_columns(names: Iterable[str], hidden: Iterable[str]) -> str:
    """SQL: a record of typed columns as JSON, without values that are not kept.

    Args:
        names: its columns.
        hidden: the columns of those values.
    """
    is_hidden = is_one_of(hidden)
    values = ", ".join(
        f"{quote_literal(name)}, "
        + (quote_literal(REDACTED) if is_hidden(name) else quote_identifier(name))
        for name in names
    )
    return f"json_object({values})::varchar" if values else "'{}'"
