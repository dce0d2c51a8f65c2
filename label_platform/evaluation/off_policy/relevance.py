"""Relevance as the regression of doubly robust estimates, fitted without the query it predicts."""

import numpy as np
from numpy.typing import NDArray

from label_platform.evaluation.metrics import Floats
from label_platform.ranking.relevance_model import cross_fitted_labels


def cross_fitted_relevance(
    features: NDArray[np.floating],
    clicks: Floats,
    examination: Floats,
    offset: Floats,
    units: NDArray[np.str_],
) -> Floats:
    """Predict gamma of each row by a model that has not seen its query.

    The label of a row is (clicks - offset) / examination with its examination as the weight, so
    that a leaf's value is clicks over expected clicks. A wrong model costs precision, not truth,
    as long as logging shows what the target ranks.

    Args:
        features: shape (n, F).
        clicks: of each row, shape (n,).
        examination: sum of alpha over its impressions; rows of 0 are predicted only.
        offset: sum of beta over its impressions.
        units: each row's query, or list, as text.

    Returns:
        Shape (n,), between 0 and the largest rate that a row's clicks can stand for: 1 / the
        smallest examination of one impression is not reached, so 1 is the bound.
    """
    shown = np.nan_to_num(examination) > 0
    if not shown.any():
        return np.zeros(len(clicks))
    gained = clicks - np.nan_to_num(offset)
    label = np.divide(gained, examination, out=np.zeros(len(clicks)), where=shown)
    weight = np.where(shown, examination, 0.0)
    found = cross_fitted_labels(np.asarray(features, np.float64), label, weight, units)
    bounded: Floats = np.clip(found, 0.0, 1.0)
    return bounded
