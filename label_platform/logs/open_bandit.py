"""The Open Bandit Dataset (ZOZO, CC BY 4.0): one row per impression, no lists, no queries.

Each row is a list of its own whose only item stands at position 1 to 3; the policy (in the file's
name, or in that of a folder) is the ranker, ``random`` the one that shuffles; the campaign, where a
name says it, is the query; the click is part of the row. Catalogue
features come from ``item_context.csv`` beside the logs: what is numeric there can be a feature,
the hashed categories stay text and are left to whoever names them in ``item_features``.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from label_platform.lake import Engine, quote_literal
from label_platform.logs.contract import Table, Wanted
from label_platform.logs.format_options import options_of, stream_patterns
from label_platform.logs.native import read_records
from label_platform.logs.records import Column, LogFile, LogPattern, Records, UnreadableFileError
from label_platform.problem import LogSource
from label_platform.strict_yaml import StrictModel

ITEM_CONTEXT = "item_context.csv"
_POLICIES = ("random", "bts")
_CAMPAIGNS = ("all", "men", "women")
_RENAMED = {"shown_at": "timestamp", "logging_probability": "propensity_score"}


class OpenBanditFormat:
    """Files such as random.csv.gz, or random/men/men.csv, with item_context.csv beside them."""

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
        """The records of a file, in blocks.

        Raises:
            UnreadableFileError: nothing says which policy has chosen the items.
        """
        for records in read_records(engine, file.path, wanted[file.table or "impressions"]):
            yield records if file.table == "items" else _as_impressions(records, file)


def _as_impressions(records: Records, file: LogFile) -> Records:
    policy = policy_of(file.name)
    if policy is None:
        raise UnreadableFileError(
            f"found the path {file.name}, expected the policy, random or bts, in the name of the "
            "file or of a folder below logs_folder, such as random/men/men.csv"
        )
    campaign = _one_named_in(file.name, _CAMPAIGNS) or "all"
    source = re.sub(r"\.(csv|tsv)(\.(gz|zst))?$", "", file.name)
    (rows,) = records.rows
    columns = dict(rows.columns)
    columns |= {ours: columns[theirs] for ours, theirs in _RENAMED.items() if theirs in columns}
    columns |= {
        # line 1 is the header, so the first row is number 0, as in the file's own index column
        "request_id": Column(f"{quote_literal(source + '-')} || (record_line - 2)", "VARCHAR"),
        "query_id": Column(quote_literal(campaign), "VARCHAR"),
        "ranker_id": Column(quote_literal(policy), "VARCHAR"),
        "randomized": Column(str(policy == "random").lower(), "BOOLEAN"),
    }
    return replace(records, rows=(replace(rows, columns=columns),))


def policy_of(path: str) -> str | None:
    """The policy that a file's name, or that of a folder, says has chosen the items."""
    return _one_named_in(path, _POLICIES)


def _one_named_in(path: str, names: tuple[str, ...]) -> str | None:
    """Which of some names is a word of a path: of the file's name or, before that, its folders'."""
    for part in reversed(PurePosixPath(path.lower()).parts):
        found = [name for name in names if name in re.split("[^a-z]+", part)]
        if found:
            return found[0] if len(found) == 1 else None
    return None
