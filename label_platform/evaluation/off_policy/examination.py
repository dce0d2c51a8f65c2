"""P(examined) of impressions at the positions where they were logged."""

from dataclasses import replace

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
    return _own_or_pooled(impressions, curve, "propensity")


def logged_trust_offset(impressions: pd.DataFrame, curve: PropensityCurve) -> NDArray[np.float64]:
    """Beta of each impression at its logged position; 0 where the curve knows of no trust.

    Arguments are those of ``logged_examination``.
    """
    if "trust_offset" not in curve.table:
        return np.zeros(len(impressions))
    # the row that gives an impression its examination gives it its offset, be it an unknown one
    table = curve.table.assign(trust_offset=curve.table["trust_offset"].fillna(0.0))
    found = _own_or_pooled(impressions, replace(curve, table=table), "trust_offset")
    return np.nan_to_num(found)


def _own_or_pooled(
    impressions: pd.DataFrame, curve: PropensityCurve, value: str
) -> NDArray[np.float64]:
    pooled = is_pooled(curve.table, curve.context)
    found = _look_up(impressions, curve.table[pooled], [], value)
    if not curve.context:
        return found
    own = _look_up(impressions, curve.table[~pooled], list(curve.context), value)
    return np.where(np.isnan(own), found, own)


def _look_up(
    impressions: pd.DataFrame, table: pd.DataFrame, context: list[str], value: str
) -> NDArray[np.float64]:
    keys = impressions[[*context, "position"]].astype(dict.fromkeys(context, "str"))
    values = table[[*context, "position", value]].astype(dict.fromkeys(context, "str"))
    joined = keys.merge(values, on=[*context, "position"], how="left", validate="many_to_one")
    return joined[value].to_numpy(dtype=np.float64)
