"""MLflow: every ranker's policy, labels, data and metrics, and the models themselves."""

from label_platform.tracking.policy_runs import TrackedPolicy, policy_text, tracked_policies
from label_platform.tracking.store import RankerRecord, TrackedRanker, TrackingStore

__all__ = [
    "RankerRecord",
    "TrackedPolicy",
    "TrackedRanker",
    "TrackingStore",
    "policy_text",
    "tracked_policies",
]
