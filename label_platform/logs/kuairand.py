"""KuaiRand (short videos, CC BY-SA 4.0): one row per video shown, with all that came of it.

Each row is a list of its own. Source: https://kuairand.com, the columns of its log files.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from label_platform.lake import Engine
from label_platform.logs.content_ids import joined, peppered
from label_platform.logs.contract import Table, Wanted
from label_platform.logs.format_options import options_of, stream_patterns
from label_platform.logs.native import read_records
from label_platform.logs.records import Column, LogFile, LogPattern, Records, UnreadableFileError
from label_platform.problem import LogSource
from label_platform.strict_yaml import StrictModel

_WHO_SAW_WHAT_WHEN = ("user_id", "video_id", "time_ms")
_RENAMED = {"item_id": "video_id", "shown_at": "time_ms", "randomized": "is_rand"}
SECONDS = {
    "watch_s": "play_time_ms",
    "comment_stay_s": "comment_stay_time",
    "profile_stay_s": "profile_stay_time",
}
"""Signals in seconds, and the columns in milliseconds that they are made of."""


class KuaiRandFormat:
    """Comma- or tab-separated log files, all columns or some of them."""

    feedback: Mapping[str, str] = {
        "click": "is_click",
        "like": "is_like",
        "follow": "is_follow",
        "comment": "is_comment",
        "forward": "is_forward",
        "hate": "is_hate",
        "long_view": "long_view",
        "profile_enter": "is_profile_enter",
        **{signal: signal for signal in SECONDS},
    }

    def patterns(self, source: LogSource) -> Iterator[LogPattern]:
        """The globs of a log source."""
        options_of(source, StrictModel)
        for pattern in stream_patterns(source):
            yield replace(pattern, table=pattern.table or "impressions")

    def read(
        self, engine: Engine, file: LogFile, wanted: Mapping[Table, Wanted]
    ) -> Iterator[Records]:
        """The records of a file, in blocks."""
        for records in read_records(engine, file.path, wanted[file.table or "impressions"]):
            (rows,) = records.rows
            if rows.typed:
                raise UnreadableFileError(f"found {file.path.name}, expected CSV or TSV")
            if file.table == "items":
                yield replace(records, rows=(replace(rows, columns=_of_items(rows.columns)),))
                continue
            columns = _of_impressions(rows.columns)
            # what signals are made of is as little a feature as they are
            hidden = {*SECONDS.values(), "label"}
            names = tuple(name for name in rows.names if name not in hidden)
            columns = {name: column for name, column in columns.items() if name not in hidden}
            yield replace(records, rows=(replace(rows, columns=columns, names=names),))


def _of_items(found: Mapping[str, Column]) -> dict[str, Column]:
    return dict(found) | ({"item_id": found["video_id"]} if "video_id" in found else {})


def _of_impressions(found: Mapping[str, Column]) -> dict[str, Column]:
    columns = dict(found)
    columns |= {ours: found[theirs] for ours, theirs in _RENAMED.items() if theirs in found}
    columns |= {
        signal: _in_seconds(found[theirs].sql)
        for signal, theirs in SECONDS.items()
        if theirs in found
    }
    if "is_like" not in found and "label" in found:  # the published sample with fewer columns
        columns["is_like"] = found["label"]
    shown = [found[name].sql if name in found else "''" for name in _WHO_SAW_WHAT_WHEN]
    columns["request_id"] = Column(f"md5({peppered(joined(*shown))})")
    columns["query_id"] = Column("'all'")
    if "tab" in found:
        columns["query_id"] = Column(f"coalesce(nullif({found['tab'].sql}, ''), 'all')")
    columns["position"] = Column("1", "INTEGER")
    return columns


def _in_seconds(milliseconds: str) -> Column:
    """What is no number stays as it is, to be refused."""
    return Column(f"coalesce((try_cast({milliseconds} as double) / 1000)::varchar, {milliseconds})")
