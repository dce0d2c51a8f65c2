"""What a format with a single stream of records asks of its log source: a path, and options."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from label_platform.logs.records import LogPattern
from label_platform.problem import LogSource
from label_platform.strict_yaml import ConfigurationError, StrictModel, parse

Options = TypeVar("Options", bound=StrictModel)


def options_of(source: LogSource, model: type[Options]) -> Options:
    """A log source's options, checked.

    Raises:
        ConfigurationError: an option that the format does not have, or a value that it cannot use.
    """
    return parse(model, source.options, Path("options"))


def stream_patterns(source: LogSource) -> Iterator[LogPattern]:
    """The globs of a format whose records all come from ``path``, with items of their own or none.

    Raises:
        ConfigurationError: there is no path, or keys that only formats with several tables have.
    """
    if source.path is None:
        raise ConfigurationError(f"format {source.format} needs the key path, found none")
    for key in ("impressions", "interactions"):
        if getattr(source, key) is not None:
            raise ConfigurationError(
                f"{key}: format {source.format} reads everything from path, expected no such key"
            )
    if source.items is not None:
        yield LogPattern("items", source.items, "items")
    yield LogPattern("path", source.path)
