"""Sorts the files of a folder by format and role, from a sample of each kind of file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from label_platform.first_contact.guess.log_folder import FileSet, LogFolder, one_glob
from label_platform.first_contact.guess.reading import Size, sample_file
from label_platform.first_contact.guess.samples import Sample
from label_platform.first_contact.guess.signatures import (
    Signature,
    nearest_format,
    recognise,
)
from label_platform.lake import Engine
from label_platform.logs.records import UnreadableFileError
from label_platform.strict_yaml import ConfigurationError

MOST_SETS = 60
"""Kinds of file names that are looked at."""

_FILES_OF_A_SET = 3
_ALL_HEADS = 96 * 1024 * 1024
_SMALLEST_HEAD = 256 * 1024


@dataclass(frozen=True)
class Recognised:
    """Files that belong together.

    Attributes:
        files: the set.
        samples: of some of them.
        signature: what they are; None for what is no log.
    """

    files: FileSet
    samples: tuple[Sample, ...]
    signature: Signature | None


@dataclass(frozen=True)
class Recognition:
    """What lies in a folder.

    Attributes:
        folder: the folder.
        format: the format of its logs.
        logs: the sets of that format, and of items.
        unused: names of files that are something else.
        unreadable: why files could not be read.
    """

    folder: LogFolder
    format: str
    logs: tuple[Recognised, ...]
    unused: tuple[str, ...]
    unreadable: tuple[str, ...]

    def of(self, role: str) -> list[Recognised]:
        """The sets with a role."""
        return [each for each in self.logs if each.signature and each.signature.role == role]

    def samples(self, role: str) -> list[Sample]:
        """The samples of a role."""
        return [sample for each in self.of(role) for sample in each.samples]

    def globs(self, role: str) -> list[str]:
        """As few globs as match the files of a role and no others."""
        chosen = [each.files for each in self.of(role)]
        files = {file for each in chosen for file in each.files}
        beside = {file for each in self.of("beside") for file in each.files.files}
        everything = {file for each in self.folder.sets for file in each.files}
        return one_glob(self.folder, chosen, everything - files - beside)


def recognise_logs(engine: Engine, folder: LogFolder) -> Recognition:
    """Sort the files of a folder.

    Raises:
        ConfigurationError: none can be read, or none is a log of a format that there is.
    """
    found: list[Recognised] = []
    unreadable: list[str] = []
    sets = folder.sets[:MOST_SETS]
    head = max(_ALL_HEADS // (len(sets) * _FILES_OF_A_SET), _SMALLEST_HEAD)
    size = Size(head=min(head, Size().head))
    for files in sets:
        chosen = [files.files[place] for place in _places(len(files.files))]
        samples = _samples(engine, chosen, size, unreadable)
        found += _sorted_out(files, samples)
    if unreadable and not found:
        raise ConfigurationError("; ".join(unreadable[:3]))
    chosen_format = _most(found)
    if not chosen_format:
        raise ConfigurationError(_nothing_known(folder, found))
    logs = tuple(
        each for each in found if each.signature and each.signature.format in {"", chosen_format}
    )
    unused = [each.files.pattern for each in found if each not in logs]
    unused += [each.pattern for each in folder.sets[MOST_SETS:]]
    return Recognition(folder, chosen_format, logs, (*unused, *folder.others), tuple(unreadable))


def _places(count: int) -> list[int]:
    """The first, the middle and the last."""
    return sorted({0, count // 2, count - 1})


def _samples(
    engine: Engine, files: Iterable[Path], size: Size, unreadable: list[str]
) -> list[Sample]:
    samples = []
    for file in files:
        (number,) = engine.row("select count(*) from duckdb_tables()")
        try:
            sample = sample_file(engine, file, f"sample_{number}", size)
        except UnreadableFileError as error:
            unreadable.append(" ".join(str(error).split()))
            continue
        samples.append(sample)
    return samples


def _sorted_out(files: FileSet, samples: Sequence[Sample]) -> list[Recognised]:
    """One set, or one per file where files that are called alike hold different things."""
    signatures = {recognise(sample.columns) for sample in samples}
    if not samples:
        return []
    if len(signatures) == 1:
        return [Recognised(files, tuple(samples), signatures.pop())]
    return [
        Recognised(
            replace(files, pattern=sample.path.name, files=(sample.path,)),
            (sample,),
            recognise(sample.columns),
        )
        for sample in samples
    ]


def _most(found: Sequence[Recognised]) -> str:
    """The format that most of the bytes are of."""
    sizes: dict[str, int] = {}
    for each in found:
        if each.signature is not None and each.signature.format:
            size = sum(file.stat().st_size for file in each.files.files)
            name = each.signature.format
            sizes[name] = sizes.get(name, 0) + size
    return max(sizes, key=lambda name: sizes[name], default="")


def _nothing_known(folder: LogFolder, found: Sequence[Recognised]) -> str:
    """What was seen instead of logs: of each file its keys, and the format that comes nearest."""
    lines = []
    for each in found[:3]:
        columns = sorted({name for sample in each.samples for name in sample.columns})
        seen = ", ".join(columns[:12]) + (", ..." if len(columns) > 12 else "")
        lines.append(
            f"{each.files.pattern} has the keys {seen or '(none)'}; {nearest_format(columns)}"
        )
    return f"{folder.folder}: found no logs of a known format: " + "; ".join(lines)
