"""Former versions of policies: where they are known from, what changed, how to have one back."""

from label_platform.pipeline.policy_versions.history import (
    KnownVersion,
    PolicyHistory,
    policy_history,
)
from label_platform.pipeline.policy_versions.restore import restore_policy
from label_platform.pipeline.policy_versions.revisions import Revision, git, revisions_of

__all__ = [
    "KnownVersion",
    "PolicyHistory",
    "Revision",
    "git",
    "policy_history",
    "restore_policy",
    "revisions_of",
]
