"""Label policies: what they may say, their versions, and their labels as SQL."""

from label_platform.policy.arrival import ARRIVED
from label_platform.policy.check import check_policy
from label_platform.policy.compile import EVIDENCE, PREDICTION_SHARE, LabelInputs, compile_labels
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
from label_platform.policy.library import load_policies, load_policy
from label_platform.policy.propensities import (
    PriorRefusedError,
    PropensityRefusedError,
    examples_need_predictions,
    examples_need_propensities,
    falls_back,
    labels_need_propensities,
    require_propensities,
)
from label_platform.policy.signals import click_signal, longest_window, used_signals
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
    "ARRIVED",
    "EVIDENCE",
    "EXAMINATION",
    "PREDICTION_SHARE",
    "SEMANTICS",
    "TRUST_OFFSET",
    "Auxiliary",
    "DualPositives",
    "Examined",
    "FirstOf",
    "Hard",
    "LabelHealth",
    "LabelInputs",
    "Negatives",
    "Policy",
    "PriorRefusedError",
    "PropensityRefusedError",
    "Quantiles",
    "RandomCatalogue",
    "RankerSpec",
    "Thresholds",
    "WatchTime",
    "check_policy",
    "click_signal",
    "combined_gain_sql",
    "compile_labels",
    "examples_need_predictions",
    "examples_need_propensities",
    "falls_back",
    "gain_sql",
    "label_version",
    "labels_need_propensities",
    "load_policies",
    "load_policy",
    "longest_window",
    "policy_version",
    "posterior_sql",
    "require_propensities",
    "used_signals",
    "with_examination",
]
