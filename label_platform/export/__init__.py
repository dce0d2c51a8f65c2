"""Training examples as files that other programs learn from."""

from label_platform.export.codes import describe_codes
from label_platform.export.facts import Facts, gather_facts
from label_platform.export.labels import LabelScale, parse_scale
from label_platform.export.limits import Finding, findings
from label_platform.export.scores import write_runs
from label_platform.export.targets import TARGETS, Target
from label_platform.export.writing import Export, write_part

__all__ = [
    "TARGETS",
    "Export",
    "Facts",
    "Finding",
    "LabelScale",
    "Target",
    "describe_codes",
    "findings",
    "gather_facts",
    "parse_scale",
    "write_part",
    "write_runs",
]
