"""Estimators of P(examined | position, context) and their diagnostics."""

from label_platform.propensity.curve import PropensityCurve, Verdict, is_pooled
from label_platform.propensity.flatness import flatness_p_value
from label_platform.propensity.randomized import estimate_randomized, expected_error
from label_platform.propensity.statistics import randomized_statistics_sql

__all__ = [
    "PropensityCurve",
    "Verdict",
    "estimate_randomized",
    "expected_error",
    "flatness_p_value",
    "is_pooled",
    "randomized_statistics_sql",
]
