"""Looks at everything that has to be right before a run can be."""

from label_platform.first_contact.doctor.examine import (
    Patient,
    examine_software,
    examine_surroundings,
)
from label_platform.first_contact.doctor.finding import Finding

__all__ = ["Finding", "Patient", "examine_software", "examine_surroundings"]
