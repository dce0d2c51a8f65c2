"""Labels traced to the log lines they were made from, and events to the labels they touched."""

from label_platform.pipeline.explanation.explainer import LabelExplainer
from label_platform.pipeline.explanation.search import ImpressionList, LabelSearch
from label_platform.pipeline.explanation.touched import touched_by

__all__ = ["ImpressionList", "LabelExplainer", "LabelSearch", "touched_by"]
