"""P(examined) of impressions at the positions where they were logged."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from label_platform.propensity import PropensityCurve, is_pooled


def logged_examination(impressions: pd.DataFrame, curve: PropensityCurve) -> NDArray[np.float64]:
    """P(examined) of each impression at its logged position; NaN where the curve holds none.

    The curve of the impression's own context decides, then the pooled one.

    Args:
        impressions: with position and the curve's context columns.
        curve: relative to the reference position.
    """
    pooled = is_pooled(curve.table, curve.context)
    found = _look_up(impressions, curve.table[pooled], [])
    if not curve.context:
        return found
    own = _look_up(impressions, curve.table[~pooled], list(curve.context))
    return np.where(np.isnan(own), found, own)


def _look_up(
    impressions: pd.DataFrame, table: pd.DataFrame, context: list[str]
) -> NDArray[np.float64]:
    keys = impressions[[*context, "position"]].astype(dict.fromkeys(context, "str"))
    values = table[[*context, "position", "propensity"]].astype(dict.fromkeys(context, "str"))
    joined = keys.merge(values, on=[*context, "position"], how="left", validate="many_to_one")
    return joined["propensity"].to_numpy(dtype=np.float64)
