"""Label policies: what they may say, their versions, and their labels as SQL."""

from label_platform.policy.arrival import ARRIVED
from label_platform.policy.booster_parameters import BoosterParameters
from label_platform.policy.check import check_policy, warnings_of
from label_platform.policy.check_segments import unseen_values
from label_platform.policy.compile import EVIDENCE, PREDICTION_SHARE, LabelInputs, compile_labels
from label_platform.policy.diff import ABSENT, BINS, Distribution, LabelDiff, label_diff
from label_platform.policy.diff_keys import PolicyChange, key_changes, policy_change
from label_platform.policy.diff_rows import paired_rows_sql, rows_layout
from label_platform.policy.diff_sql import Layout, Side, day_sql, layout_of, total_sql
from label_platform.policy.diff_words import cell_words, evidence_sql, impression_words
from label_platform.policy.examination import (
    EXAMINATION,
    TRUST_OFFSET,
    posterior_sql,
    with_examination,
)
from label_platform.policy.gains import combined_gain_sql, gain_sql
from label_platform.policy.label_spec import (
    Auxiliary,
    DualPositives,
    FirstOf,
    Quantiles,
    Thresholds,
    WatchTime,
)
from label_platform.policy.library import load_policies, load_policy, policy_of_text
from label_platform.policy.propensities import (
    MixedLabelsError,
    PolicyRefusedError,
    PriorRefusedError,
    PropensityRefusedError,
    examples_need_predictions,
    examples_need_propensities,
    falls_back,
    labels_need_propensities,
    require_propensities,
)
from label_platform.policy.signals import (
    click_signal,
    has_negative_grade,
    longest_window,
    reweighted_signals,
    used_signals,
)
from label_platform.policy.spec import Policy
from label_platform.policy.training_spec import (
    Examined,
    Hard,
    LabelHealth,
    Negatives,
    RandomCatalogue,
    RankerSpec,
)
from label_platform.policy.version import SEMANTICS, label_version, policy_version

__all__ = [
    "ABSENT",
    "ARRIVED",
    "BINS",
    "EVIDENCE",
    "EXAMINATION",
    "PREDICTION_SHARE",
    "SEMANTICS",
    "TRUST_OFFSET",
    "Auxiliary",
    "BoosterParameters",
    "Distribution",
    "DualPositives",
    "Examined",
    "FirstOf",
    "Hard",
    "LabelDiff",
    "LabelHealth",
    "LabelInputs",
    "Layout",
    "MixedLabelsError",
    "Negatives",
    "Policy",
    "PolicyChange",
    "PolicyRefusedError",
    "PriorRefusedError",
    "PropensityRefusedError",
    "Quantiles",
    "RandomCatalogue",
    "RankerSpec",
    "Side",
    "Thresholds",
    "WatchTime",
    "cell_words",
    "check_policy",
    "click_signal",
    "combined_gain_sql",
    "compile_labels",
    "day_sql",
    "evidence_sql",
    "examples_need_predictions",
    "examples_need_propensities",
    "falls_back",
    "gain_sql",
    "has_negative_grade",
    "impression_words",
    "key_changes",
    "label_diff",
    "label_version",
    "labels_need_propensities",
    "layout_of",
    "load_policies",
    "load_policy",
    "longest_window",
    "paired_rows_sql",
    "policy_change",
    "policy_of_text",
    "policy_version",
    "posterior_sql",
    "require_propensities",
    "reweighted_signals",
    "rows_layout",
    "total_sql",
    "unseen_values",
    "used_signals",
    "warnings_of",
    "with_examination",
]
