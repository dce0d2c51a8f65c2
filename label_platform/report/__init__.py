"""Plots and pages for people."""

from label_platform.report.comparison_page import (
    Check,
    ComparisonPage,
    Curve,
    ExampleList,
    Histogram,
    Importance,
    RankedItem,
    render_page,
)
from label_platform.report.estimators_plot import plot_estimators
from label_platform.report.grid_plot import plot_grid
from label_platform.report.label_health_plot import HealthPanel, plot_label_health
from label_platform.report.label_histogram import plot_label_histogram
from label_platform.report.propensity_plot import plot_propensities

__all__ = [
    "Check",
    "ComparisonPage",
    "Curve",
    "ExampleList",
    "HealthPanel",
    "Histogram",
    "Importance",
    "RankedItem",
    "plot_estimators",
    "plot_grid",
    "plot_label_health",
    "plot_label_histogram",
    "plot_propensities",
    "render_page",
]
