"""A simulated feed of short videos, where seconds of watching depend on how long videos are."""

from label_platform.logs.simulators.short_video.settings import ShortVideoSettings
from label_platform.logs.simulators.short_video.simulation import simulate_short_video

__all__ = ["ShortVideoSettings", "simulate_short_video"]
