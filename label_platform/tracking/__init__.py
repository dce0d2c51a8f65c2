"""MLflow: every ranker's policy, labels, data and metrics, and the models themselves."""

from label_platform.tracking.store import RankerRecord, TrackedRanker, TrackingStore

__all__ = ["RankerRecord", "TrackedRanker", "TrackingStore"]
