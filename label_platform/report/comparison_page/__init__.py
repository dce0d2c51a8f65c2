"""A comparison as one page that a product owner can read."""

from label_platform.report.comparison_page.content import (
    Check,
    ComparisonPage,
    Curve,
    ExampleList,
    Histogram,
    Importance,
    RankedItem,
)
from label_platform.report.comparison_page.render import render_page

__all__ = [
    "Check",
    "ComparisonPage",
    "Curve",
    "ExampleList",
    "Histogram",
    "Importance",
    "RankedItem",
    "render_page",
]
