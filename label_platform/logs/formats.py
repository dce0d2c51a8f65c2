"""The log formats, by the name that a problem file gives them.

A format is one small class in a file of its own. Other packages add theirs by an entry point of
the group ``label_platform.log_formats``.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Protocol

from label_platform.lake import Engine
from label_platform.logs.algolia import AlgoliaFormat
from label_platform.logs.contract import Table, Wanted
from label_platform.logs.coveo import CoveoFormat
from label_platform.logs.ga4 import Ga4Format
from label_platform.logs.kuairand import KuaiRandFormat
from label_platform.logs.metarank import MetarankFormat
from label_platform.logs.native import NativeFormat
from label_platform.logs.open_bandit import OpenBanditFormat
from label_platform.logs.records import LogFile, LogPattern, Records
from label_platform.logs.ubi import UbiFormat
from label_platform.problem import LogSource
from label_platform.strict_yaml import ConfigurationError, nearest

ENTRY_POINTS = "label_platform.log_formats"


class LogFormat(Protocol):
    """Reads files of one format as records under the keys of the contract."""

    @property
    def feedback(self) -> Mapping[str, str]:
        """Signals that stand in the impression's own record, and their columns.

        A value above zero becomes an interaction at the moment of the impression.
        """

    def patterns(self, source: LogSource) -> Iterator[LogPattern]:
        """The globs of a log source.

        Raises:
            ConfigurationError: a key or an option that the format needs is absent or wrong.
        """

    def read(
        self, engine: Engine, file: LogFile, wanted: Mapping[Table, Wanted]
    ) -> Iterator[Records]:
        """The records of a file, in blocks; each is used up before the next is asked for.

        Raises:
            UnreadableFileError: the file cannot be read at all.
        """


_OURS: Mapping[str, LogFormat] = {
    "native": NativeFormat(),
    "algolia": AlgoliaFormat(),
    "coveo": CoveoFormat(),
    "ga4": Ga4Format(),
    "kuairand": KuaiRandFormat(),
    "metarank": MetarankFormat(),
    "open_bandit": OpenBanditFormat(),
    "ubi": UbiFormat(),
}


def format_of(name: str) -> LogFormat:
    """The log format of a name: ours, or one that another package has registered.

    Raises:
        ConfigurationError: no format has this name, or its package cannot be loaded.
    """
    if name in _OURS:
        return _OURS[name]
    known = _registered()
    if name not in known:
        names = [*_OURS, *known]
        raise ConfigurationError(f"format: {name!r} is not known; {nearest(name, names)}")
    return known[name]


def feedback_of(file: LogFile) -> Mapping[str, str]:
    """The signals that stand in a file's own impressions, and their columns."""
    return format_of(file.source.format).feedback if file.table != "items" else {}


@cache
def _registered() -> Mapping[str, LogFormat]:
    found: dict[str, LogFormat] = {}
    for point in entry_points(group=ENTRY_POINTS):
        try:
            found[point.name] = point.load()()
        except Exception as error:
            raise ConfigurationError(
                f"format {point.name!r}, registered by {point.value!r}, cannot be loaded: {error}"
            ) from error
    return found
