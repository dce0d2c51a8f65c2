"""Guesses a problem file from a sample of logs."""

from label_platform.first_contact.guess.look import look_at, name_of
from label_platform.first_contact.guess.proposal import Proposal
from label_platform.first_contact.guess.writing import write_problem

__all__ = ["Proposal", "look_at", "name_of", "write_problem"]
