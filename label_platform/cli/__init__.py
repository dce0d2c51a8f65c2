"""The command line."""

from label_platform.cli.application import main

__all__ = ["main"]
