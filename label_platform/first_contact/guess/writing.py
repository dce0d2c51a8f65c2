"""Puts a proposal where it belongs, once it is sure to be a problem file."""

from pathlib import Path

import yaml

from label_platform.first_contact.guess.problem_text import problem_text
from label_platform.first_contact.guess.proposal import Proposal
from label_platform.lake import replace_file
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError, parse


def write_problem(proposal: Proposal, path: Path) -> None:
    """Write a problem file, whole or not at all.

    Raises:
        ConfigurationError: the file cannot be written there, or a value that the user gave, such
            as the name, does not fit.
    """
    text = problem_text(proposal)
    parse(Problem, yaml.safe_load(text), path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror}") from error
