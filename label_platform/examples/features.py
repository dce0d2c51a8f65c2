"""Which columns rankers learn from: the problem's globs against the columns that there are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from label_platform.examples.feature_tables import JoinedTable
from label_platform.logs.contract import is_named_by
from label_platform.policy import Policy
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError, located, nearest

_IMPRESSION_COLUMNS = frozenset(
    {
        "impression_id",
        "request_id",
        "query_id",
        "query_text",
        "user_key",
        "session_id",
        "item_id",
        "position",
        "shown_at",
        "surface",
        "device",
        "user_agent",
        "ranker_id",
        "randomized",
        "logging_probability",
        "ingested_at",
        "list_length",
        "first_clicked_position",
        "last_clicked_position",
        "excluded_reason",
    }
)
_ITEM_COLUMNS = frozenset({"item_id", "valid_from", "title", "ingested_at"})
_EXAMPLE_COLUMNS = frozenset(
    {
        "part",
        "group_id",
        "label",
        "weight",
        "raw_label",
        "raw_weight",
        "impressions",
        "expected_examinations",
        "origin",
        "shown_at",
        "examination_probability",
        "curve_position",
        "trust_offset",
        "is_dense",
        "auxiliary_label",
        "prediction_share",
        "information",
        "row_id",
        "prediction",
        "teacher_score",
        "key_",
        "from_",
        "known_",
    }
)
"""Columns that the platform itself gives to examples, or uses on the way to them."""

_OWN_PREFIX = "_own_"
"""All other columns that queries make beside features start so."""

RESERVED_COLUMNS = _EXAMPLE_COLUMNS | _IMPRESSION_COLUMNS
"""Names that no feature can have."""


@dataclass(frozen=True)
class FeatureColumns:
    """The feature columns of a problem, sorted by name.

    Attributes:
        impression: logged with the impression.
        item: from the items table, as of the impression.
        joined: from feature tables, as of the impression.
    """

    impression: tuple[str, ...]
    item: tuple[str, ...]
    joined: tuple[str, ...] = ()

    @property
    def shown(self) -> tuple[str, ...]:
        """Those that an impression has, with feature tables joined to it."""
        return (*self.impression, *self.joined)

    @property
    def every(self) -> tuple[str, ...]:
        """All of them, in the order in which rankers see them."""
        return (*self.impression, *self.item, *self.joined)


def resolve_features(
    problem: Problem,
    signal_columns: Iterable[str],
    item_columns: Iterable[str],
    joined: Sequence[JoinedTable] = (),
) -> FeatureColumns:
    """The columns that the problem's ``features``, ``item_features`` and feature tables name.

    Globs only meet columns that can be features: keys, the position, and above all the signals
    that labels are made of are never among them, whatever a glob matches.

    Args:
        problem: the problem with its globs.
        signal_columns: the columns of ``impression_signals``.
        item_columns: the columns of ``items``; empty if there is no such table.
        joined: the feature tables.

    Raises:
        ConfigurationError: a glob that matches nothing, or a name that is already taken.
    """
    outcomes = {name for signal in problem.signals for name in (signal, f"{signal}_delay_s")}
    signals = set(signal_columns)
    logged = sorted(signals - _IMPRESSION_COLUMNS - outcomes)
    stored = sorted(set(item_columns) - _ITEM_COLUMNS)
    lines: list[str] = []
    found = FeatureColumns(
        impression=_matching("features", problem.features, logged, lines),
        item=_matching("item_features", problem.item_features, stored, lines),
    )
    lines.extend(
        f"features: {name!r} is a name that the platform uses itself; rename it"
        for name in found.impression + found.item
        if _is_reserved(name)
    )
    lines.extend(
        f"item_features: {name!r} is logged with the impression too; rename one"
        for name in found.item
        if name.lower() in {each.lower() for each in found.impression}
    )
    # a table's columns are joined to all that impressions have, whether features or not
    taken = {name.lower() for name in (*signals, *outcomes, *found.impression, *found.item)}
    for table in joined:
        lines.extend(
            f"feature_tables.{table.name}: the name {name!r} is taken, by the platform, a signal, "
            "the impressions or another feature; rename the column, or name the others by columns"
            for name in table.columns
            if _is_reserved(name) or name.lower() in taken
        )
        taken.update(name.lower() for name in table.columns)
    if lines:
        raise ConfigurationError("\n".join(f"{problem.name}: {line}" for line in lines))
    return replace(found, joined=tuple(name for table in joined for name in table.columns))


def require_logged_score(
    policy: Policy, features: FeatureColumns, text_columns: Iterable[str]
) -> None:
    """Refuse ``negatives.hard.by: score`` where logs have no such number.

    Args:
        policy: a checked policy: the problem's patterns name its score.
        features: the columns that there are.
        text_columns: those that are text.

    Raises:
        ConfigurationError: it names file, line, and the nearest number that logs have.
    """
    hard = policy.negatives.hard
    if hard is None or hard.by != "score" or hard.score is None:
        return
    numbers = set(features.impression) - set(text_columns)
    if hard.score not in numbers:
        known = nearest(hard.score, numbers) if numbers else "there are none"
        line = (
            f"negatives.hard.score: {hard.score!r} is none of the numbers that the logs have for "
            f"each impression; {known}"
        )
        raise ConfigurationError(located(policy.path, [line]))


def _is_reserved(name: str) -> bool:
    """Names of columns are the same in capitals and in small letters."""
    return name.lower() in RESERVED_COLUMNS or name.lower().startswith(_OWN_PREFIX)


def _matching(
    key: str, patterns: Sequence[str], columns: list[str], lines: list[str]
) -> tuple[str, ...]:
    matched: set[str] = set()
    for pattern in patterns:
        names = {name for name in columns if is_named_by(name, [pattern])}
        if not names:
            hint = nearest(pattern, columns) if columns else "there are none"
            lines.append(f"{key}: {pattern!r} matches no feature column; {hint}")
        matched |= names
    return tuple(sorted(matched))
