"""The Open Bandit Dataset (ZOZO, CC BY 4.0): one row per impression, no lists, no queries.

Each row is a list of its own whose only item stands at position 1 to 3; the campaign (the file's
name) is the ranker, ``random`` the one that shuffles; the click is part of the row. Catalogue
features come from ``item_context.csv`` beside the logs: what is numeric there can be a feature,
the hashed categories stay text and are left to whoever names them in ``item_features``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from label_platform.lake import Engine, quote_literal
from label_platform.logs.contract import Table, Wanted
from label_platform.logs.format_options import options_of, stream_patterns
from label_platform.logs.native import read_records
from label_platform.logs.records import Column, LogFile, LogPattern, Records
from label_platform.problem import LogSource
from label_platform.strict_yaml import StrictModel

ITEM_CONTEXT = "item_context.csv"
_RENAMED = {"shown_at": "timestamp", "logging_probability": "propensity_score"}


class OpenBanditFormat:
    """Campaign files such as random.csv.gz and bts.csv.gz, with item_context.csv beside them."""

    feedback: Mapping[str, str] = {"click": "click"}

    def patterns(self, source: LogSource) -> Iterator[LogPattern]:
        """The globs of a log source."""
        options_of(source, StrictModel)
        given = list(stream_patterns(source))
        if source.items is None:
            beside = str(PurePosixPath(given[-1].pattern).parent / ITEM_CONTEXT)
            yield LogPattern("items", beside, "items", optional=True)
        for pattern in given:
            is_items = pattern.table == "items"
            log = replace(pattern, table="impressions", without=ITEM_CONTEXT)
            yield pattern if is_items else log

    def read(
        self, engine: Engine, file: LogFile, wanted: Mapping[Table, Wanted]
    ) -> Iterator[Records]:
        """The records of a file, in blocks."""
        for records in read_records(engine, file.path, wanted[file.table or "impressions"]):
            yield records if file.table == "items" else _as_impressions(records, file)


def _as_impressions(records: Records, file: LogFile) -> Records:
    campaign = file.path.name.split(".", maxsplit=1)[0]
    shuffled = str(campaign.startswith("random")).lower()
    (rows,) = records.rows
    columns = dict(rows.columns)
    columns |= {ours: columns[theirs] for ours, theirs in _RENAMED.items() if theirs in columns}
    columns |= {
        # line 1 is the header, so the first row is number 0, as in the file's own index column
        "request_id": Column(f"{quote_literal(campaign + '-')} || (record_line - 2)", "VARCHAR"),
        "query_id": Column("'all'", "VARCHAR"),
        "ranker_id": Column(quote_literal(campaign), "VARCHAR"),
        "randomized": Column(shuffled, "BOOLEAN"),
    }
    return replace(records, rows=(replace(rows, columns=columns),))
