"""Features that tell no row from another, named before someone waits for them to matter."""

from collections.abc import Iterator

import numpy as np

from label_platform.ranking.feature_matrix import FeatureMatrix, Matrix

_GLANCE = 1_000
"""Rows that tell most features apart, so that few columns are read as a whole."""


def feature_warnings(features: FeatureMatrix) -> Iterator[str]:
    """A line for each feature that is missing in all training rows, or the same in all of them."""
    rows = len(features.matrix)
    for number, name in enumerate(features.names):
        column = features.matrix[:, number]
        if not (_is_constant(column[:_GLANCE]) and _is_constant(column)):
            continue
        if np.isnan(column[0]):
            yield f"feature {name!r} is missing in all {rows} training rows: nothing learns from it"
            continue
        vocabulary = features.codes.vocabularies.get(name)
        said = f"{column[0]:g}" if vocabulary is None else repr(vocabulary[int(column[0])])
        yield f"feature {name!r} is {said} in all {rows} training rows: nothing learns from it"


def _is_constant(column: Matrix) -> bool:
    if np.isnan(column[0]):
        return bool(np.isnan(column).all())
    return bool((column == column[0]).all())
