"""Estimators of P(examined | position, context) and their diagnostics."""

from label_platform.propensity.answer import Answer, estimate_all
from label_platform.propensity.cells import Floats
from label_platform.propensity.choice import Choice, choose
from label_platform.propensity.curve import PropensityCurve, Verdict, is_pooled
from label_platform.propensity.curves import estimate_curves
from label_platform.propensity.findings import (
    ENOUGH_POWER,
    Finding,
    flagged,
    model_findings,
)
from label_platform.propensity.flatness import flatness_p_value
from label_platform.propensity.grid import SLOT_COLUMNS, slot_name, slots, with_slots
from label_platform.propensity.log_statistics import LogStatistics
from label_platform.propensity.randomized import estimate_randomized, expected_error
from label_platform.propensity.registry import ESTIMATORS
from label_platform.propensity.statistics import (
    cell_statistics_sql,
    count_cells_sql,
    features_sql,
    list_statistics_sql,
    position_counts_sql,
    randomized_statistics_sql,
    swap_statistics_sql,
)

__all__ = [
    "ENOUGH_POWER",
    "ESTIMATORS",
    "SLOT_COLUMNS",
    "Answer",
    "Choice",
    "Finding",
    "Floats",
    "LogStatistics",
    "PropensityCurve",
    "Verdict",
    "cell_statistics_sql",
    "choose",
    "count_cells_sql",
    "estimate_all",
    "estimate_curves",
    "estimate_randomized",
    "expected_error",
    "features_sql",
    "flagged",
    "flatness_p_value",
    "is_pooled",
    "list_statistics_sql",
    "model_findings",
    "position_counts_sql",
    "randomized_statistics_sql",
    "slot_name",
    "slots",
    "swap_statistics_sql",
    "with_slots",
]
