"""Judging rankers: metrics, yardsticks, off-policy estimates, comparisons with intervals."""

from label_platform.evaluation.agreement_with_outcomes import (
    Agreement,
    agreement,
    unmatched,
)
from label_platform.evaluation.arm_evaluations import Arm, ArmEvaluation, Side
from label_platform.evaluation.arms import Effort, SideCache, evaluate_arm, fit_side
from label_platform.evaluation.bootstrap import bootstrap_ratios, bootstrap_weights
from label_platform.evaluation.calibration import Calibration, calibration_of
from label_platform.evaluation.comparison import compare
from label_platform.evaluation.estimates import MOST_DISAGREEMENT, Estimate
from label_platform.evaluation.evidence import Evidence
from label_platform.evaluation.identity import IDENTITY_CHECKS, identity_checks
from label_platform.evaluation.log_checks import (
    CHECKS,
    LogCheck,
    mix_check,
    randomized_share_check,
)
from label_platform.evaluation.metric_yardsticks import metric_yardsticks
from label_platform.evaluation.metrics import (
    Lists,
    Ranking,
    dcg_at_k,
    lists_without_positives,
    ndcg_at_k,
    rank_discounts,
)
from label_platform.evaluation.off_policy import (
    LoggedClicks,
    OffPolicyEstimate,
    Overlap,
    estimate_dcg,
    estimate_value,
    logged_examination,
)
from label_platform.evaluation.off_policy_answer import TargetAnswer, TargetValue
from label_platform.evaluation.off_policy_rankings import Rankings
from label_platform.evaluation.outcomes import Outcome, read_outcomes
from label_platform.evaluation.panel import Panel
from label_platform.evaluation.resampling import poisson_counts, row_counts
from label_platform.evaluation.shown_feedback import SHOWN_PREFIX, shown_feedback_yardsticks
from label_platform.evaluation.shown_lists import ShownLists
from label_platform.evaluation.slices import (
    COMPUTED,
    NEW_ITEMS,
    QUERY_FREQUENCY,
    query_frequencies,
    sliced_yardsticks,
)
from label_platform.evaluation.true_relevance import true_ndcg_yardsticks
from label_platform.evaluation.verdict import (
    DECIDE_NOTHING,
    TRUTH_PREFIX,
    ArmVerdict,
    in_words,
    verdicts,
)
from label_platform.evaluation.yardsticks import (
    ALL,
    Measurement,
    RefusedYardstick,
    Yardstick,
    click_yardsticks,
)

__all__ = [
    "ALL",
    "CHECKS",
    "COMPUTED",
    "DECIDE_NOTHING",
    "IDENTITY_CHECKS",
    "MOST_DISAGREEMENT",
    "NEW_ITEMS",
    "QUERY_FREQUENCY",
    "SHOWN_PREFIX",
    "TRUTH_PREFIX",
    "Agreement",
    "Arm",
    "ArmEvaluation",
    "ArmVerdict",
    "Calibration",
    "Effort",
    "Estimate",
    "Evidence",
    "Lists",
    "LogCheck",
    "LoggedClicks",
    "Measurement",
    "OffPolicyEstimate",
    "Outcome",
    "Overlap",
    "Panel",
    "Ranking",
    "Rankings",
    "RefusedYardstick",
    "ShownLists",
    "Side",
    "SideCache",
    "TargetAnswer",
    "TargetValue",
    "Yardstick",
    "agreement",
    "bootstrap_ratios",
    "bootstrap_weights",
    "calibration_of",
    "click_yardsticks",
    "compare",
    "dcg_at_k",
    "estimate_dcg",
    "estimate_value",
    "evaluate_arm",
    "fit_side",
    "identity_checks",
    "in_words",
    "lists_without_positives",
    "logged_examination",
    "metric_yardsticks",
    "mix_check",
    "ndcg_at_k",
    "poisson_counts",
    "query_frequencies",
    "randomized_share_check",
    "rank_discounts",
    "read_outcomes",
    "row_counts",
    "shown_feedback_yardsticks",
    "sliced_yardsticks",
    "true_ndcg_yardsticks",
    "unmatched",
    "verdicts",
]
