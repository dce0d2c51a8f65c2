"""Rows in chunks through a ranker, into a file of ids and scores."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from label_platform.examples import evaluation_rows_sql
from label_platform.lake import quote_identifier, quote_literal
from label_platform.pipeline.context import Context
from label_platform.pipeline.examples import feature_columns
from label_platform.pipeline.feature_tables import shown_with_features
from label_platform.pipeline.scoring.choice import ChosenRanker
from label_platform.pipeline.scoring.rows import open_rows
from label_platform.pipeline.scoring.written import writing
from label_platform.ranking import TrainingError
from label_platform.strict_yaml import ConfigurationError, nearest
from label_platform.tracking import InputColumn, as_inputs, input_columns

IDS = ("impression_id", "request_id", "query_id", "item_id", "position")
SCORE = "score"
ROW = "row"

Progress = Callable[[int, int], None]
"""Told what is done and what there is to do, in rows or bytes."""


@dataclass(frozen=True)
class Scored:
    """What was written.

    Attributes:
        path: the file.
        rows: how many.
        model: the ranker that scored them, for people.
    """

    path: Path
    rows: int
    model: str


def score_file(
    source: Path,
    out: Path,
    chosen: ChosenRanker,
    keep: Sequence[str] | None = None,
    on_progress: Progress = lambda _done, _total: None,
) -> Scored:
    """Score the rows of a file, in its order and a chunk at a time.

    Args:
        source: Parquet, CSV or JSONL; holds the ranker's features among other columns.
        out: Parquet or CSV; replaced where it exists.
        chosen: the ranker.
        keep: columns that stand beside the score; by default the ids that there are, and the
            number of the row where there are none.
        on_progress: told how far it is.

    Raises:
        ConfigurationError: names the file, and the column or line that does not fit.
    """
    if out.exists() and source.exists() and out.samefile(source):
        raise ConfigurationError(f"--out: {out} is the file of rows itself; choose another name")
    columns = input_columns(chosen.ranker)
    with open_rows(source) as rows:
        kept = _kept(source, rows.columns, keep)
        _require_features(source, rows.columns, columns)
        numbers = [each.name for each in columns if each.kind == "double"]
        texts = [each.name for each in columns if each.kind != "double"]
        chunks = rows.chunks(numbers, [*kept, *(name for name in texts if name not in kept)])
        scored = _scored(source, chunks, chosen, kept)
        total = rows.total
        first, _ = next(scored)
        count = 0
        with writing(out, first.schema, chosen.facts) as write:
            for table, done in scored:
                write(table)
                count += len(table)
                on_progress(done, total)
    on_progress(total, total)
    return Scored(out, count, chosen.name)


def score_day(
    context: Context,
    day: date,
    out: Path,
    chosen: ChosenRanker,
    on_progress: Progress = lambda _done, _total: None,
) -> Scored:
    """Score what was shown on a day, with the item features that were valid then.

    Args:
        context: of the problem.
        day: a log day.
        out: as for a file.
        chosen: the ranker.
        on_progress: told how far it is.

    Raises:
        ConfigurationError: nothing is known of the day, or a feature is not logged on it.
    """
    days = context.lake.days("impression_signals")
    if day not in days:
        hint = nearest(str(day), map(str, days)) if days else "`label-platform run` reads logs"
        raise ConfigurationError(f"--impressions: no impressions of {day} were built; {hint}")
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent) as folder:
        rows = Path(folder) / f"impressions of {day}.parquet"
        names = ", ".join(_columns_of_day(context, day, chosen))
        query = f"select {names} from ({_rows_of_day(context, day)}) order by request_id, position"
        context.engine.execute(f"copy ({query}) to {quote_literal(str(rows))} (format parquet)")
        return score_file(rows, out, chosen, on_progress=on_progress)


def _rows_of_day(context: Context, day: date) -> str:
    items = context.lake.scan("items", context.item_days) if context.item_days else None
    names = feature_columns(context, (day,)).item
    return evaluation_rows_sql(shown_with_features(context, [day]), items, names)


def _columns_of_day(context: Context, day: date, chosen: ChosenRanker) -> list[str]:
    """Ids and features, as SQL."""
    known = context.engine.schema(f"({_rows_of_day(context, day)})")
    _require_features(Path(f"impressions of {day}"), list(known), input_columns(chosen.ranker))
    names = [*(name for name in IDS if name in known), *chosen.ranker.feature_names]
    # outside of the engine, a UUID would be bytes
    return [
        f"cast({quoted} as varchar) as {quoted}" if known[name] == "UUID" else quoted
        for name in names
        for quoted in [quote_identifier(name)]
    ]


def _scored(
    source: Path,
    chunks: Iterator[tuple[pa.Table, int]],
    chosen: ChosenRanker,
    kept: Sequence[str],
) -> Iterator[tuple[pa.Table, int]]:
    """Each chunk's kept columns with its scores; the first chunk is empty and tells the types."""
    columns, done_rows = input_columns(chosen.ranker), 0
    for rows, done in chunks:
        try:
            scores = chosen.ranker.score(as_inputs(rows, columns), threads=os.cpu_count() or 1)
        except TrainingError as error:
            raise ConfigurationError(f"{source}: {error}") from error
        beside = rows.select(list(kept))
        if not kept:
            beside = pa.table({ROW: np.arange(done_rows + 1, done_rows + len(rows) + 1)})
        done_rows += len(rows)
        yield beside.append_column(SCORE, pa.array(scores, pa.float64())), done


def _kept(source: Path, known: Sequence[str], keep: Sequence[str] | None) -> list[str]:
    if keep is None:
        return [name for name in IDS if name in known]
    for name in keep:
        if name not in known:
            raise ConfigurationError(
                f"--keep: {source} has no column {name!r}; {nearest(name, known)}"
            )
        if name == SCORE:
            raise ConfigurationError(f"--keep: {source}: {SCORE!r} is the name of what is written")
    return list(dict.fromkeys(keep))


def _require_features(source: Path, known: Sequence[str], columns: Sequence[InputColumn]) -> None:
    for column in columns:
        count = known.count(column.name)
        if count == 0:
            raise ConfigurationError(
                f"{source}: the ranker's feature {column.name!r} is not among the columns; "
                f"{nearest(column.name, known)}"
            )
        if count > 1:
            raise ConfigurationError(f"{source}: found {count} columns {column.name!r}, expected 1")
