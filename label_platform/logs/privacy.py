"""What tells people apart: user ids become keys, and quarantined text loses them."""

import hmac
import os
from collections.abc import Iterable

import pyarrow as pa

from label_platform.lake import Engine, quote_identifier, quote_literal
from label_platform.logs.contract import REDACTED_FIELDS
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError

SECRET_VARIABLE = "LABEL_PLATFORM_USER_SECRET"  # noqa: S105 - a variable's name
REDACTED = "(redacted)"
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

    @property
    def fingerprint(self) -> str:
        """Tells secrets apart without telling them: keys of two secrets never match."""
        return self._key("the fingerprint of this secret")[:8] if self._secret else "public"

    def apply(self, engine: Engine, table: str, where: str) -> None:
        """Replace the ids in a table's user_key column; once per distinct user.

        Args:
            engine: has the table.
            table: whose user_key column still holds ids.
            where: the condition of the rows to change.
        """
        if not self._secret:
            return
        engine.execute("create temp table if not exists user_keys (user_id varchar, key varchar)")
        new = engine.rows(
            f"select distinct user_key from {table} where {where} and user_key is not null"
            " and user_key not in (select user_id from user_keys)"
        )
        users = [user for (user,) in new]
        keys = [self._key(user) for user in users]
        engine.register("new_user_keys", pa.table({"user_id": users, "key": keys}, schema=_KEYS))
        engine.execute("insert into user_keys select * from new_user_keys")
        engine.execute(
            f"update {table} set user_key = user_keys.key from user_keys"
            f" where {where} and {table}.user_key = user_keys.user_id"
        )

    def _key(self, user: str) -> str:
        return hmac.digest(self._secret, user.encode(), "sha256").hex()[:_KEY_LENGTH]


_KEYS = pa.schema([("user_id", pa.string()), ("key", pa.string())])


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


def redacted_json(text: str) -> str:
    """SQL: a line of JSON, or of what should have been JSON, without identifying values.

    Args:
        text: the expression of the line.
    """
    names = "|".join(REDACTED_FIELDS)
    key = rf"""["']?\b(?:{names})\b["']?\s*[:=]\s*"""
    value = r"""(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^,}\]\s]+)"""
    nested = quote_literal(key + r"[\[{]")
    pattern, replacement = quote_literal(f"({key}){value}"), quote_literal(rf'\1"{REDACTED}"')
    return (
        f"case when regexp_matches({text}, {nested}) then {quote_literal(REDACTED)}"
        f" else regexp_replace({text}, {pattern}, {replacement}, 'g') end"
    )


def redacted_fields(
    text: str, fields: str, is_whole: str, names: Iterable[str], separator: str
) -> str:
    """SQL: a CSV record without identifying values.

    A record whose fields do not match the header is withheld whole if the file has identifying
    columns: nobody can say which of its fields they are.

    Args:
        text: the expression of the record's text.
        fields: the expression of its list of fields.
        is_whole: a condition under which the fields are those of the header.
        names: the header.
        separator: what stands between fields.
    """
    header = list(names)
    if not set(header) & set(REDACTED_FIELDS):
        return text
    kept = ", ".join(
        quote_literal(REDACTED) if name in REDACTED_FIELDS else f"{fields}[{place}]"
        for place, name in enumerate(header, start=1)
    )
    whole = f"array_to_string([{kept}], {quote_literal(separator)})"
    return f"case when {is_whole} then {whole} else {quote_literal(REDACTED)} end"


def redacted_columns(names: Iterable[str]) -> str:
    """SQL: a record of typed columns as JSON, without identifying values.

    Args:
        names: its columns.
    """
    values = ", ".join(
        f"{quote_literal(name)}, "
        + (quote_literal(REDACTED) if name in REDACTED_FIELDS else quote_identifier(name))
        for name in names
    )
    return f"json_object({values})::varchar" if values else "'{}'"
