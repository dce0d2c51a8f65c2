"""What another version of a policy would change: a plan before anything is written."""

from label_platform.pipeline.policy_diff.compare import PolicyDiff, diff_policies
from label_platform.pipeline.policy_diff.source import read_policy
from label_platform.pipeline.policy_diff.text import print_diff

__all__ = ["PolicyDiff", "diff_policies", "print_diff", "read_policy"]
