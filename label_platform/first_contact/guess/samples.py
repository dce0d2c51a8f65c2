"""A sample of a log file: a table whose values are asked for by their names, as SQL."""

import json
from dataclasses import dataclass
from pathlib import Path

from label_platform.lake import quote_identifier, quote_literal
from label_platform.logs.records import Column
from label_platform.logs.value_sql import lacks_zone, typed


@dataclass(frozen=True)
class Sample:
    """Some or all records of one file, as a table of the engine.

    Attributes:
        path: the file.
        table: the table's name.
        columns: its columns and their SQL types; those of JSON files are the documents' own keys,
            of type JSON.
        rows: how many records there are.
        is_whole: whether these are all records of the file.
        has_end: whether the last records of the file are among them.
    """

    path: Path
    table: str
    columns: dict[str, str]
    rows: int
    is_whole: bool
    has_end: bool

    def text(self, name: str, *keys: str) -> str:
        """SQL: a value as text, null where it is absent or empty.

        Args:
            name: the column.
            keys: where in the column's object the value stands.
        """
        kind = self.columns.get(name)
        if kind is None:
            return "null::varchar"
        column = quote_identifier(name)
        if kind == "JSON" or keys:
            steps = "".join(f".{json.dumps(key)}" for key in keys)
            leaf = column if kind == "JSON" else f"to_json({column})"
            return f"nullif({leaf} ->> {quote_literal('$' + steps)}, '')"
        return f"nullif({column}::varchar, '')"

    def document(self, name: str) -> str:
        """SQL: a column's object or array as JSON, null where it is absent."""
        kind = self.columns.get(name)
        if kind is None:
            return "null::json"
        return quote_identifier(name) if kind == "JSON" else f"to_json({quote_identifier(name)})"

    def moment(self, *names: str) -> str:
        """SQL: a time, read as UTC where it names no zone, and whether it names none.

        Args:
            names: the column, and where in its object the value stands.
        """
        kind = self.columns.get(names[0], "VARCHAR")
        if kind in {"JSON", "VARCHAR"} or len(names) > 1:
            return moment_of(self.text(*names), "VARCHAR")
        return moment_of(quote_identifier(names[0]), kind)


def moment_of(value: str, kind: str) -> str:
    """SQL: two columns, the moment that a value is and whether its zone is anybody's guess."""
    read = typed(value, Column(value, kind), "moment", "string", "UTC")
    naive = (
        f"{value} is not null" if kind.startswith("TIMESTAMP") else lacks_zone(value, kind, None)
    )
    naive = "false" if kind == "TIMESTAMP WITH TIME ZONE" else naive
    return f"{read} as moment, coalesce({naive}, false) as naive"
