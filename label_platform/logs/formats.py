"""The log formats, by the name that a problem file gives them.

A new format is one small class in a file of its own, and one line in :data:`FORMATS`.
"""

from collections.abc import Iterator, Mapping
from typing import Protocol

from label_platform.lake import Engine
from label_platform.logs.contract import Wanted
from label_platform.logs.native import NativeFormat
from label_platform.logs.open_bandit import OpenBanditFormat
from label_platform.logs.records import LogFile, LogPattern, Records
from label_platform.problem import LogSource


class LogFormat(Protocol):
    """Reads files of one format as records under the keys of the contract."""

    @property
    def feedback(self) -> Mapping[str, str]:
        """Signals that stand in the impression's own record, and their columns.

        A value above zero becomes an interaction at the moment of the impression.
        """

    def patterns(self, source: LogSource) -> Iterator[LogPattern]:
        """The globs of a log source."""

    def read(self, engine: Engine, file: LogFile, wanted: Wanted) -> Iterator[Records]:
        """The records of a file, in blocks; each is used up before the next is asked for.

        Raises:
            UnreadableFileError: the file cannot be read at all.
        """


FORMATS: Mapping[str, LogFormat] = {
    "native": NativeFormat(),
    "open_bandit": OpenBanditFormat(),
}
