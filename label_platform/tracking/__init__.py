"""MLflow: every ranker's policy, labels, data and metrics, and the models themselves."""

from label_platform.tracking.champions import TitleChange, earlier_champion, held_by_hand
from label_platform.tracking.model_inputs import InputColumn, as_inputs, input_columns
from label_platform.tracking.policy_runs import TrackedPolicy, policy_text, tracked_policies
from label_platform.tracking.records import ComparisonRecord, RankerRecord, TrackedRanker
from label_platform.tracking.registry import (
    CHALLENGER,
    CHAMPION,
    DECISION,
    RETIRED,
    ROLLED_BACK,
    SUPPORTED,
    RegisteredRanker,
    Registry,
)
from label_platform.tracking.store import TrackingStore

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "DECISION",
    "RETIRED",
    "ROLLED_BACK",
    "SUPPORTED",
    "ComparisonRecord",
    "InputColumn",
    "RankerRecord",
    "RegisteredRanker",
    "Registry",
    "TitleChange",
    "TrackedPolicy",
    "TrackedRanker",
    "TrackingStore",
    "as_inputs",
    "earlier_champion",
    "held_by_hand",
    "input_columns",
    "policy_text",
    "tracked_policies",
]
