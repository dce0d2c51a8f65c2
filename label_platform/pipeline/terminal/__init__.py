"""What a run prints for people."""

from label_platform.pipeline.terminal.comparison import print_agreement, print_comparison
from label_platform.pipeline.terminal.delays import duration, print_delays
from label_platform.pipeline.terminal.progress import (
    print_end,
    print_failures,
    print_files,
    print_view,
)
from label_platform.pipeline.terminal.propensities import (
    print_estimators,
    print_propensities,
    print_reasons,
)

__all__ = [
    "duration",
    "print_agreement",
    "print_comparison",
    "print_delays",
    "print_end",
    "print_estimators",
    "print_failures",
    "print_files",
    "print_propensities",
    "print_reasons",
    "print_view",
]
