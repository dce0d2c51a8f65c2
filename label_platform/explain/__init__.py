"""Labels explained: computed again from log lines and fitted values, without any SQL."""

from label_platform.explain.attribution import reversals_of
from label_platform.explain.build import (
    IN_TRAINING,
    Frame,
    Recorded,
    explain_impression,
    mean_inverse,
)
from label_platform.explain.cell import CellDay, explain_cell
from label_platform.explain.curve import Curve, CurveError
from label_platform.explain.evidence import Event, Place, Shown
from label_platform.explain.explanation import EventFate, Explanation, ListRow
from label_platform.explain.fates import LogEvidence, Wording, gather, key_of
from label_platform.explain.fitted import Fitted
from label_platform.explain.html import as_html
from label_platform.explain.label import computed_label
from label_platform.explain.steps import Comparison, Step
from label_platform.explain.text import as_text_lines, number
from label_platform.explain.training import TrainingRow

__all__ = [
    "IN_TRAINING",
    "CellDay",
    "Comparison",
    "Curve",
    "CurveError",
    "Event",
    "EventFate",
    "Explanation",
    "Fitted",
    "Frame",
    "ListRow",
    "LogEvidence",
    "Place",
    "Recorded",
    "Shown",
    "Step",
    "TrainingRow",
    "Wording",
    "as_html",
    "as_text_lines",
    "computed_label",
    "explain_cell",
    "explain_impression",
    "gather",
    "key_of",
    "mean_inverse",
    "number",
    "reversals_of",
]
