"""What is left of erased users: hashes by which their records are known when they come again.

A file that is read again, that has grown, or that is new, still holds what was erased. Ingestion
asks the tombstones and counts such records as ignored. They hold neither ids nor keys; where user
ids are keyed, their hashes cannot be tried out without the secret.
"""

import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from label_platform.lake import Engine, replace_file
from label_platform.logs import batch
from label_platform.logs.mentions import (
    look_for,
    pieces_of,
    redacted,
    redacted_detail,
    spellings,
    tokens,
)
from label_platform.logs.privacy import UserKeys

TOMBSTONES_NAME = "_tombstones.json"
FORMAT_VERSION = 1
Kind = Literal["user", "request", "session", "spelling"]

_HASHES = "tombstone_hashes"
_PEPPER = "tombstone_pepper"
_HASH_LENGTH = 32
_LISTS = ("impressions", "interactions", "requests")


@dataclass
class Tombstone:
    """What is left of one user.

    Attributes:
        user: the hash of the user's key.
        requests: hashes of the ids of the user's lists: later events may name only their list.
        sessions: hashes of the user's sessions: others may name only their session.
        spellings: hashes of the id as it stands in texts, each with its number of pieces.
        unfinished: while the erasure has not ended, what it found: counts and days, no ids.
    """

    user: str
    requests: list[str] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    spellings: list[tuple[int, str]] = field(default_factory=list)
    unfinished: dict[str, Any] | None = None


@dataclass
class Tombstones:
    """All tombstones of a problem; they change on disk by one atomic replacement.

    Attributes:
        path: the file in the lake.
        salt: makes these hashes unlike those of any other lake.
        pepper: what is hashed in front of each value: the salt, and the secret where there is one.
        stones: one per user.
    """

    path: Path
    salt: str
    pepper: str
    stones: list[Tombstone] = field(default_factory=list)

    def hash(self, kind: Kind, value: str) -> str:
        """The hash of a value, as :meth:`hash_sql` gives it too."""
        text = f"{self.pepper}{kind}:{value}"
        return sha256(text.encode()).hexdigest()[:_HASH_LENGTH]

    def of(self, key: str) -> Tombstone | None:
        """The tombstone of a user key."""
        user = self.hash("user", key)
        return next((stone for stone in self.stones if stone.user == user), None)

    def add(self, key: str, user: str) -> Tombstone:
        """The tombstone of a user, made if there is none."""
        stone = self.of(key)
        if stone is None:
            stone = Tombstone(self.hash("user", key))
            stone.spellings = [
                (pieces_of(text), self.hash("spelling", text)) for text in spellings(user)
            ]
            self.stones.append(stone)
        return stone

    def save(self) -> None:
        """Replace the tombstones on disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "format_version": FORMAT_VERSION,
            "salt": self.salt,
            "tombstones": [asdict(stone) for stone in self.stones],
        }
        replace_file(self.path, json.dumps(content, indent=1, sort_keys=True))

    def prepare(self, engine: Engine, stones: Iterable[Tombstone]) -> None:
        """Give the engine the tables that :meth:`hash_sql` and :meth:`known` read."""
        pairs = [
            pair
            for stone in stones
            for pair in [
                ("user", stone.user),
                *(("request", each) for each in stone.requests),
                *(("session", each) for each in stone.sessions),
                *(("spelling", each) for _, each in stone.spellings),
            ]
        ]
        kinds, hashes = zip(*pairs, strict=True) if pairs else ((), ())
        given = pa.table({"kind": pa.array(kinds, pa.string()), "hash": pa.array(hashes, "string")})
        for name, table in ((_HASHES, given), (_PEPPER, pa.table({"pepper": [self.pepper]}))):
            engine.register(f"given_{name}", table)
            engine.execute(f"create or replace table {name} as from given_{name}")

    @staticmethod
    def hash_sql(kind: Kind, value: str) -> str:
        """The expression of a value's hash; the pepper stays out of the statement's text."""
        text = f"concat((select pepper from {_PEPPER}), '{kind}:', {value})"
        return f"left(sha256({text}), {_HASH_LENGTH})"

    def known(self, kind: Kind, value: str) -> str:
        """A condition: a value has a tombstone."""
        hashes = f"(select hash from {_HASHES} where kind = '{kind}')"
        return f"{self.hash_sql(kind, value)} in {hashes}"

    def ignore(self, engine: Engine, file: int) -> None:
        """Mark what a file says of erased users as ignored, refused records too.

        Args:
            engine: has the batch and, where user ids are keyed, the keys of its users.
            file: the batch's number of the file.
        """
        if not self.stones:
            return
        self.prepare(engine, self.stones)
        users = f"user_key in ({self._erased_users(file)})"
        for name in (*map(batch.name_of, _LISTS), batch.RECORDS):
            ignored = "" if name == batch.RECORDS else "ignored = true, "
            conditions = [users]
            if ignored:
                conditions.append(f"user_key is null and {self._of_erased('request', name, file)}")
            if name == batch.name_of("interactions"):
                session = self._of_erased("session", name, file)
                conditions.append(f"user_key is null and request_id is null and {session}")
            either = " or ".join(f"({condition})" for condition in conditions)
            engine.execute(
                f"update {name} set {ignored}record_verdict = null"
                f" where {batch.of_file(file)} and ({either})"
            )
        self._redact(engine, file)

    def _erased_users(self, file: int) -> str:
        """The query of a file's erased users, as their ids or keys stand in the batch."""
        ids = " union ".join(
            f"select user_key from {name} where {batch.of_file(file)}"
            for name in (*map(batch.name_of, _LISTS), batch.RECORDS)
        )
        return (
            f"select user_key from ({ids}) as users"
            f" left join {batch.USER_KEYS} as keys on users.user_key = keys.user_id"
            f" where {self.known('user', 'coalesce(keys.key, users.user_key)')}"
        )

    def _of_erased(self, kind: Literal["request", "session"], name: str, file: int) -> str:
        column = f"{kind}_id"
        distinct = (
            f"select distinct {column} from {name} where {batch.of_file(file)}"
            f" and user_key is null and {column} is not null"
        )
        return f"{column} in (select {column} from ({distinct}) where {self.known(kind, column)})"

    def _redact(self, engine: Engine, file: int) -> None:
        """Take erased ids out of the texts of a file's refused records."""
        columns = [
            (name, column)
            for name in (*map(batch.name_of, batch.TABLES), batch.RECORDS)
            for column in ("record_verdict", "record_raw")
        ]
        texts = " union all ".join(
            f"select {column} as text from {name}"
            f" where {batch.of_file(file)} and {column} is not null"
            for name, column in columns
        )
        lengths = {pieces for stone in self.stones for pieces, _ in stone.spellings}
        found = [
            token
            for pieces in sorted(lengths)
            for (token,) in engine.rows(
                f"select token from ({tokens(f'({texts})', pieces)})"
                f" where {self.known('spelling', 'token')}"
                f" or {self.known('spelling', 'lower(token)')}"
            )
        ]
        if not found:
            return
        count = look_for(engine, found)
        for name, column in columns:
            text = redacted(column, count)
            if column == "record_verdict":  # comes before the text that it is judged by
                text = redacted_detail(column, "record_raw", count)
            engine.execute(
                f"update {name} set {column} = {text}"
                f" where {batch.of_file(file)} and {column} is not null"
            )


def read_tombstones(folder: Path, keys: UserKeys) -> Tombstones:
    """The tombstones in a problem's folder of the lake; none where nobody was erased.

    Args:
        folder: the problem's folder.
        keys: makes user keys.

    Raises:
        ValueError: a newer version of the platform wrote them.
    """
    path = folder / TOMBSTONES_NAME
    content: dict[str, Any] = {"salt": secrets.token_hex(16)}
    if path.is_file():
        content = json.loads(path.read_text())
    version = content.get("format_version", FORMAT_VERSION)
    if version > FORMAT_VERSION:
        raise ValueError(
            f"{path}: format version {version}, this version of the platform reads up to "
            f"{FORMAT_VERSION}"
        )
    salt = content["salt"]
    stones = [Tombstone(**facts) for facts in content.get("tombstones", ())]
    # of a secret, the hash depends on it; of public ids, it is the salt once more
    return Tombstones(path, salt, salt + keys.key(f"the tombstones of {salt}"), stones)
