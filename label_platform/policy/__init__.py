"""Label policies: what they may say, their versions, and their labels as SQL."""

from label_platform.policy.check import check_policy
from label_platform.policy.compile import compile_labels
from label_platform.policy.examination import EXAMINATION, with_examination
from label_platform.policy.library import load_policies, load_policy
from label_platform.policy.propensities import (
    PropensityRefusedError,
    examples_need_propensities,
    falls_back,
    labels_need_propensities,
    require_propensities,
)
from label_platform.policy.signals import click_signal, longest_window, used_signals
from label_platform.policy.spec import Examined, Negatives, Policy, RandomCatalogue, RankerSpec
from label_platform.policy.version import SEMANTICS, label_version, policy_version

__all__ = [
    "EXAMINATION",
    "SEMANTICS",
    "Examined",
    "Negatives",
    "Policy",
    "PropensityRefusedError",
    "RandomCatalogue",
    "RankerSpec",
    "check_policy",
    "click_signal",
    "compile_labels",
    "examples_need_propensities",
    "falls_back",
    "label_version",
    "labels_need_propensities",
    "load_policies",
    "load_policy",
    "longest_window",
    "policy_version",
    "require_propensities",
    "used_signals",
    "with_examination",
]
