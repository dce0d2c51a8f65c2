"""Simulated logs whose truth is known: what the platform is shown, tested and measured with."""

from label_platform.logs.simulators.product_search import simulate_product_search
from label_platform.logs.simulators.settings import ProductSearchSettings
from label_platform.logs.simulators.short_video import ShortVideoSettings, simulate_short_video
from label_platform.logs.simulators.summary import SimulationSummary

__all__ = [
    "ProductSearchSettings",
    "ShortVideoSettings",
    "SimulationSummary",
    "simulate_product_search",
    "simulate_short_video",
]
