"""The yardstick that only simulations have: true relevance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from label_platform.evaluation.evidence import Evidence
from label_platform.evaluation.metrics import Floats, Lists, ndcg_at_k
from label_platform.evaluation.yardsticks import (
    ALL,
    DEPTH,
    Measurement,
    RefusedYardstick,
    Yardstick,
)
from label_platform.ranking import NUMBERS_ONLY, FeatureCodes, read_features


@dataclass(frozen=True, eq=False)
class TrueNdcg:
    """nDCG@10 of true relevance over all candidates of a query; simulations only."""

    name: str
    features: NDArray[np.float32]
    lists: Lists
    query: NDArray[np.str_]
    relevance: Floats
    slice: str = ALL

    @property
    def evidence(self) -> Evidence:
        """Queries, and items with any relevance."""
        return Evidence(len(self.lists), int((self.relevance > 0).sum()))

    def measure(self, scores: Floats) -> Measurement:
        """One part per query; queries without anything relevant are left out."""
        values = ndcg_at_k(self.relevance, scores, self.lists, DEPTH)
        known = np.isfinite(values)
        return Measurement(self.query[known], values[known], np.ones(int(known.sum())))


def true_ndcg_yardsticks(
    truth: pa.Table, feature_names: Sequence[str], codes: FeatureCodes = NUMBERS_ONLY
) -> tuple[Yardstick, ...]:
    """``true_ndcg_at_10`` over queries that were logged, ``..._unseen`` over the others.

    Args:
        truth: a simulation's query_id, item_id, relevance, seen_in_log and features.
        feature_names: the rankers' features, without position.
        codes: of text features, as the rankers have them.
    """
    rows = truth.sort_by([("query_id", "ascending"), ("item_id", "ascending")])
    seen = rows.column("seen_in_log").to_numpy().astype(np.bool_)
    return (
        _true_ndcg("true_ndcg_at_10", rows.filter(pa.array(seen)), feature_names, codes),
        _true_ndcg("true_ndcg_at_10_unseen", rows.filter(pa.array(~seen)), feature_names, codes),
    )


def _true_ndcg(
    name: str, rows: pa.Table, feature_names: Sequence[str], codes: FeatureCodes
) -> Yardstick:
    relevance = rows.column("relevance").to_numpy().astype(np.float64)
    if not (relevance > 0).any():
        return RefusedYardstick(name, "no such query has anything relevant in the truth")
    keys = rows.column("query_id").to_numpy()
    lists = Lists.of_sorted(keys)
    query = keys[lists.starts].astype(np.str_)
    return TrueNdcg(name, read_features(rows, feature_names, codes=codes), lists, query, relevance)
