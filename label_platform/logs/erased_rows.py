"""Which rows are an erased user's, in SQL: by user key, by list, by impression, by session.

A row with another user's key is that user's. A row without any is whose list, impression or, if
it names neither, session it names.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import pyarrow as pa

from label_platform.lake import Engine, Partition, SqlError, quote_literal, scan_parquet
from label_platform.logs.contract import IdKind, id_type
from label_platform.logs.holdings import Holding
from label_platform.logs.mentions import look_for, redacted, redacted_detail, spellings
from label_platform.logs.tombstones import Tombstone, Tombstones

_USERS, _REQUESTS = "erased_users", "erased_requests"
_IMPRESSIONS, _SESSIONS = "erased_impressions", "erased_sessions"
_TEXTS = ("raw", "detail")
_MOMENTS = frozenset({"shown_at", "asked_at"})


@dataclass
class ErasedRows:
    """The rows of one user.

    Attributes:
        engine: gets tables of the user's ids.
        tombstones: hash values.
        stone: what is known of the user from an earlier call.
        key: the user's key.
        user: the user's id.
        ids: the problem's kind of ids.
    """

    engine: Engine
    tombstones: Tombstones
    stone: Tombstone | None
    key: str
    user: str
    ids: IdKind
    _spellings: int = 0

    def collect(self, found: Sequence[Holding]) -> None:
        """Collect the ids of the user's lists, impressions and sessions.

        Args:
            found: the tables to look into, files included that no manifest names any more.
        """
        self.tombstones.prepare(self.engine, [self.stone] if self.stone else [])
        self._spellings = look_for(self.engine, spellings(self.user))
        self._fill(_USERS, "user_key", "VARCHAR", [])
        self.engine.register("given_erased_user", pa.table({"user_key": [self.key]}))
        self.engine.execute(f"insert into {_USERS} from given_erased_user")
        files = {(each.home.folder, each.table): self._readable(each) for each in found}
        parts = [(each, files[each.home.folder, each.table]) for each in found]
        self._fill(_REQUESTS, "request_id", id_type(self.ids), list(self._request_queries(parts)))
        impressions = [
            f"select impression_id from {scan_parquet(paths)} where {_of_user()}"
            for each, paths in parts
            if {"impression_id", "user_key", "request_id", "shown_at"} <= each.columns
        ]
        self._fill(_IMPRESSIONS, "impression_id", "UUID", impressions)
        self._fill(_SESSIONS, "session_id", "VARCHAR", list(self._session_queries(parts)))

    def _fill(self, table: str, column: str, kind: str, queries: Iterable[str]) -> None:
        # not temporary: connections that write side by side read it too
        self.engine.execute(f"create or replace table {table} ({column} {kind})")
        for query in queries:
            self.engine.execute(
                f"insert into {table} select distinct {column} from ({query})"
                f" where {column} is not null and {column} not in (select {column} from {table})"
            )

    def _request_queries(self, parts: Iterable[tuple[Holding, list[Path]]]) -> Iterable[str]:
        for each, files in parts:
            if "request_id" not in each.columns:
                continue
            relation = scan_parquet(files)
            if "user_key" in each.columns and each.columns & _MOMENTS:
                users = f"select user_key from {_USERS}"
                yield f"select request_id from {relation} where user_key in ({users})"
            if self.stone:
                distinct = f"(select distinct request_id from {relation})"
                known = self.tombstones.known("request", "request_id")
                yield f"select request_id from {distinct} where request_id is not null and {known}"

    def _session_queries(self, parts: Iterable[tuple[Holding, list[Path]]]) -> Iterable[str]:
        relations = [
            f"select user_key, session_id from {scan_parquet(files)}"
            for each, files in parts
            if each.is_raw and {"user_key", "session_id"} <= each.columns
        ]
        if not relations:
            return
        rows = f"({' union all '.join(relations)})"
        is_user = f"user_key in (select user_key from {_USERS})"
        # a session that somebody else has part in says nothing of this user
        yield (
            f"select session_id from {rows} where session_id is not null group by session_id"
            f" having bool_or({is_user}) and bool_and({is_user} or user_key is null)"
        )
        if self.stone:
            known = self.tombstones.known("session", "session_id")
            yield f"select session_id from (select distinct session_id from {rows}) where {known}"

    def _readable(self, holding: Holding) -> list[Path]:
        return [*holding.files, *(path for path in holding.loose_files if self._can_read(path))]

    def _can_read(self, path: Path) -> bool:
        try:
            self.engine.schema(scan_parquet([path]))
        except SqlError:
            return False
        return True

    def hashes(self, kind: Literal["request", "session"]) -> list[str]:
        """The hashes of the user's lists or sessions, for the tombstone."""
        table = {"request": _REQUESTS, "session": _SESSIONS}[kind]
        hashed = self.tombstones.hash_sql(kind, f"{kind}_id")
        return [each for (each,) in self.engine.rows(f"select {hashed} from {table}")]

    def list_count(self) -> int:
        """How many lists the user was shown."""
        (count,) = self.engine.row(f"select count(*) from {_REQUESTS}")
        return int(count)

    def impression_days(self, found: Sequence[Holding]) -> list[date]:
        """The days of the user's impressions, and of those that led to the user's feedback."""
        queries = []
        for each in found:
            where = f"{scan_parquet(each.files)} where {belongs(each.columns, is_raw=each.is_raw)}"
            if each.is_raw and "shown_at" in each.columns:
                queries.append(f"select shown_at::date as day from {where}")
            elif "impression_day" in each.columns:
                queries.append(f"select impression_day as day from {where}")
        if not queries:
            return []
        union = " union all ".join(queries)
        days = self.engine.rows(f"select distinct day from ({union}) where day is not null")
        return [day for (day,) in days]

    def in_partitions(self, holding: Holding) -> dict[Partition, int]:
        """The user's rows by partition, found in one scan of a table."""
        return self._counted(holding, belongs(holding.columns, is_raw=holding.is_raw))

    def mentions_in(self, holding: Holding) -> dict[Partition, int]:
        """Refused records of others whose texts name the user, by partition."""
        if not self._spellings:
            return {}
        theirs = belongs(holding.columns, is_raw=True)
        named = " or ".join(f"{self._redacted(text)} is distinct from {text}" for text in _TEXTS)
        return self._counted(holding, f"not {theirs} and ({named})")

    def without(self, files: Sequence[Path], *, is_raw: bool) -> str:
        """The query of what remains of some files, texts redacted.

        Args:
            files: data files of a partition.
            is_raw: whether ingestion writes the table.
        """
        relation = scan_parquet(files)
        columns = set(self.engine.schema(relation))
        texts = [text for text in _TEXTS if text in columns] if {*_TEXTS} <= columns else []
        replaced = ", ".join(f"{self._redacted(text)} as {text}" for text in texts)
        kept = f"* replace ({replaced})" if replaced and self._spellings else "*"
        return f"select {kept} from {relation} where not {belongs(columns, is_raw=is_raw)}"

    def by_source(self, files: Sequence[Path]) -> dict[str, int]:
        """The user's refused records by the log file that they came from."""
        relation = scan_parquet(files)
        theirs = belongs(set(self.engine.schema(relation)), is_raw=True)
        return dict(
            self.engine.rows(
                f"select source, count(*) from {relation} where {theirs} group by source"
            )
        )

    def holds(self, path: Path, *, is_raw: bool) -> bool:
        """Whether a data file holds rows of the user, or texts that name the user.

        Raises:
            SqlError: it is no whole data file.
        """
        relation = scan_parquet([path])
        columns = set(self.engine.schema(relation))
        conditions = [belongs(columns, is_raw=is_raw)]
        if {*_TEXTS} <= columns and self._spellings:
            conditions += [f"{self._redacted(text)} is distinct from {text}" for text in _TEXTS]
        either = " or ".join(conditions)
        return bool(self.engine.rows(f"select 1 from {relation} where {either} limit 1"))

    def _redacted(self, text: str) -> str:
        if text == "detail":
            return redacted_detail(text, "raw", self._spellings)
        return redacted(text, self._spellings)

    def _counted(self, holding: Holding, condition: str) -> dict[Partition, int]:
        files = {
            str(holding.folder(partition) / file.name): partition
            for partition, manifest in holding.manifests.items()
            for file in manifest.files
        }
        if not files:
            return {}
        names = ", ".join(map(quote_literal, files))
        scan = f"read_parquet([{names}], union_by_name = true, filename = true)"
        found = self.engine.rows(
            f"select filename, count(*) from {scan} where {condition} group by filename"
        )
        counts: dict[Partition, int] = {}
        for name, count in found:
            counts[files[name]] = counts.get(files[name], 0) + count
        return counts


def belongs(columns: Iterable[str], *, is_raw: bool) -> str:
    """A condition, never null: a row is the erased user's.

    Args:
        columns: of the table.
        is_raw: whether ingestion writes the table. What is made of raw tables is made anew, so it
            may lose every row of the user's impressions, also one that names someone else too.
    """
    names = set(columns)
    nobodys = "user_key is null and " if "user_key" in names else ""
    of_raw = nobodys if is_raw else ""
    conditions = []
    if "user_key" in names:
        conditions.append(f"user_key in (select user_key from {_USERS})")
    if "impression_id" in names:
        conditions.append(f"{of_raw}impression_id in (select impression_id from {_IMPRESSIONS})")
    if "request_id" in names:
        conditions.append(f"{nobodys}request_id in (select request_id from {_REQUESTS})")
    if {"user_key", "request_id", "session_id"} <= names:
        sessions = f"session_id in (select session_id from {_SESSIONS})"
        conditions.append(f"{nobodys}request_id is null and {sessions}")
    if {"origin", "group_id"} <= names:
        # a random item of the catalogue, drawn for a list and shown in none
        lists = f"select request_id from {_REQUESTS}"
        conditions.append(f"origin = 'random' and group_id in ({lists})")
    either = " or ".join(f"({condition})" for condition in conditions) or "false"
    return f"coalesce({either}, false)"


def _of_user() -> str:
    return belongs(("user_key", "request_id"), is_raw=True)
