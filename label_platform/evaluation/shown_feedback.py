"""What people were shown on evaluation days, each person's impressions ranked anew.

For logs whose lists have one item, where a re-ranked list can only be made of what a person saw
one after the other. All of it was chosen by the logging ranker, and nothing corrects for that:
these yardsticks are biased, their names begin with ``shown_``, and no ranker is promoted by them.

    NWTG@10, NEG@10 = sum over a person's items of gain / log2(1 + rank), by that of the best order

with the seconds watched, or 1[any explicit feedback], as the gain. Seconds favour long videos.

    DS@10 = sample deviation of the durations, in seconds, of a person's first 10 items

which tells rankers that only find long videos from those that vary; more is not better by itself.
Source: Bai et al., LabelCraft, WSDM 2024, section 5.1; ``watch_metrics`` says how ties count.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from label_platform.evaluation.evidence import Evidence
from label_platform.evaluation.metrics import Floats, Lists, Ranking, ndcg_at_k
from label_platform.evaluation.watch_metrics import duration_spread
from label_platform.evaluation.yardsticks import (
    ALL,
    DEPTH,
    MIN_QUERIES,
    Measurement,
    RefusedYardstick,
    Yardstick,
)
from label_platform.ranking import NUMBERS_ONLY, FeatureCodes, read_features

SHOWN_PREFIX = "shown_"
WATCH_SIGNAL = "watch_s"
EXPLICIT_SIGNALS = ("like", "follow", "comment", "forward", "share")
"""Signals by which people say that they care, as problems call them."""
DURATION_SECONDS = {"duration_s": 1.0, "duration_ms": 0.001}
"""Columns that hold a video's duration, and how many seconds their unit is."""


@dataclass(frozen=True, eq=False)
class ShownNdcg:
    """Mean over people of the nDCG of their impressions.

    Attributes:
        name: of the yardstick.
        features: one row per impression, a person's together.
        lists: of the people with two impressions or more.
        gains: of each impression, 0 or more.
        slice: which part of the data they are.
        cutoff: the rank below which nothing counts.
    """

    name: str
    features: NDArray[np.float32]
    lists: Lists
    gains: Floats
    slice: str = ALL
    cutoff: int = DEPTH

    @property
    def evidence(self) -> Evidence:
        """People, and impressions with any such feedback."""
        return Evidence(len(self.lists), int((self.gains > 0).sum()))

    def measure(self, scores: Floats) -> Measurement:
        """One part per person, called by a number; people without any gain are left out."""
        values = ndcg_at_k(self.gains, scores, self.lists, self.cutoff)
        people = np.flatnonzero(np.isfinite(values))
        return Measurement(people.astype(np.str_), values[people], np.ones(len(people)))


@dataclass(frozen=True, eq=False)
class ShownSpread:
    """Mean over people of the spread of durations in the first items of their impressions.

    Attributes:
        name: of the yardstick.
        features: one row per impression whose duration is known, a person's together.
        lists: of the people with two such impressions or more.
        durations_s: of each impression.
        slice: which part of the data they are.
        cutoff: how many items are the first.
    """

    name: str
    features: NDArray[np.float32]
    lists: Lists
    durations_s: Floats
    slice: str = "all"
    cutoff: int = DEPTH

    def measure(self, scores: Floats) -> Measurement:
        """One part per person, called by a number."""
        values = duration_spread(self.durations_s, Ranking.of(scores, self.lists), self.cutoff)
        return Measurement(np.arange(len(values)).astype(np.str_), values, np.ones(len(values)))


def shown_feedback_yardsticks(
    impressions: pa.Table,
    feature_names: Sequence[str],
    signals: Sequence[str],
    cutoff: int = DEPTH,
    codes: FeatureCodes = NUMBERS_ONLY,
) -> tuple[Yardstick, ...]:
    """``shown_watch_ndcg_at_10`` and ``shown_explicit_ndcg_at_10``, of the signals there are.

    With a watch signal and a column of durations, ``shown_duration_spread_at_10`` too.
    Impressions with an ``excluded_reason``, or of nobody known, are left out.

    Args:
        impressions: ``impression_signals`` of the evaluation days with the features, in any order.
        feature_names: the rankers' features, without position.
        signals: of the problem.
        cutoff: the rank below which nothing counts.
        codes: of text features, as the rankers have them.
    """
    wanted = {
        f"{SHOWN_PREFIX}watch_ndcg_at_{cutoff}": [s for s in signals if s == WATCH_SIGNAL],
        f"{SHOWN_PREFIX}explicit_ndcg_at_{cutoff}": [s for s in signals if s in EXPLICIT_SIGNALS],
    }
    rows = _of_people(impressions)
    people = Lists.of_sorted(rows.column("user_key").to_numpy(zero_copy_only=False))
    values = read_features(rows, feature_names, codes=codes)
    found: list[Yardstick] = []
    for name, columns in wanted.items():
        if not columns:
            continue
        given = np.stack([rows.column(column).to_numpy() for column in columns])
        gains = np.maximum(given.max(axis=0), 0.0).astype(np.float64)
        if columns != [WATCH_SIGNAL]:
            gains = (gains > 0).astype(np.float64)
        found.append(_supported(ShownNdcg(name, values, people, gains, cutoff=cutoff)))
    duration = next((name for name in DURATION_SECONDS if name in rows.column_names), None)
    if WATCH_SIGNAL in signals and duration is not None:
        found.append(_spread(rows, duration, feature_names, cutoff, codes))
    return tuple(found)


def _spread(
    rows: pa.Table, column: str, feature_names: Sequence[str], cutoff: int, codes: FeatureCodes
) -> Yardstick:
    """Of the impressions whose duration is known: above 0, as for labels made of watch time."""
    name = f"{SHOWN_PREFIX}duration_spread_at_{cutoff}"
    if cutoff < 2:
        return RefusedYardstick(name, f"one item has no spread: cutoff is {cutoff}, needed 2")
    given = pc.fill_null(rows.column(column).cast(pa.float64()), 0.0).to_numpy()
    known = _with_others(rows.filter(pa.array(np.isfinite(given) & (given > 0))))
    people = Lists.of_sorted(known.column("user_key").to_numpy(zero_copy_only=False))
    if len(people) < MIN_QUERIES:
        reason = (
            f"{len(people)} people of the evaluation days with two impressions whose {column} is "
            f"known, needed {MIN_QUERIES}"
        )
        return RefusedYardstick(name, reason)
    seconds = known.column(column).to_numpy().astype(np.float64) * DURATION_SECONDS[column]
    matrix = read_features(known, feature_names, codes=codes)
    return ShownSpread(name, matrix, people, seconds, cutoff=cutoff)


def _of_people(impressions: pa.Table) -> pa.Table:
    """A person's impressions together, of those with two or more, in a fixed order."""
    known = pc.is_valid(impressions.column("user_key"))
    if "excluded_reason" in impressions.column_names:
        known = pc.and_(known, pc.is_null(impressions.column("excluded_reason")))
    keys = [(name, "ascending") for name in ("user_key", "shown_at", "request_id")]
    return _with_others(impressions.filter(known).sort_by(keys))


def _with_others(rows: pa.Table) -> pa.Table:
    """The impressions of people with two or more, a person's being together."""
    people = Lists.of_sorted(rows.column("user_key").to_numpy(zero_copy_only=False))
    return rows.filter(pa.array((people.sizes >= 2)[people.codes]))


def _supported(yardstick: ShownNdcg) -> Yardstick:
    people = int((yardstick.lists.totals(yardstick.gains) > 0).sum())
    if people >= MIN_QUERIES:
        return yardstick
    reason = (
        f"{people} people of the evaluation days with two impressions and any such feedback, "
        f"needed {MIN_QUERIES}"
    )
    return RefusedYardstick(yardstick.name, reason)
