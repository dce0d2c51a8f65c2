"""Whether a policy's teacher is a LightGBM model that the problem can be scored with."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from label_platform.logs.contract import is_named_by
from label_platform.policy.spec import Policy
from label_platform.problem import Problem
from label_platform.strict_yaml import nearest

_FIRST_LINE = "tree"
_FIRST_TREE = "\nTree=0\n"
_LAST_TREE = "\nend of trees\n"
_EXPECTED = "expected a LightGBM text model (Booster.save_model)"
_HINTS = 3


class TeacherFileError(ValueError):
    """A file that is no usable teacher: says what was found and what was expected."""


@dataclass(frozen=True)
class TeacherFile:
    """A LightGBM text model as its header describes it.

    Attributes:
        text: the whole file.
        feature_names: the columns it reads, in its order.
    """

    text: str
    feature_names: tuple[str, ...]


def check_teacher(policy: Policy, problem: Problem) -> Iterator[str]:
    """What is wrong with the file of the policy's teacher, naming the key and the file."""
    if policy.teacher is None:
        return
    path = policy.path.parent / policy.teacher.model
    if not path.is_file():
        yield (
            f"teacher.model: there is no file {path}; it is looked for beside the policy "
            f"file{_siblings(path)}"
        )
        return
    try:
        names = read_teacher_file(path).feature_names
    except TeacherFileError as error:
        yield f"teacher.model: {path}: {error}"
        return
    patterns = (*problem.features, *problem.item_features)
    unknown = [name for name in names if not is_named_by(name, patterns)]
    if unknown:
        named = ", ".join(unknown[:_HINTS]) + (", ..." if len(unknown) > _HINTS else "")
        yield (
            f"teacher.model: {path}: found a model of {len(names)} features, {len(unknown)} of "
            f"which the problem does not have ({named}), expected names that the problem's "
            f"features or item_features name: {', '.join(patterns) or 'there are none'}"
        )


def read_teacher_file(path: Path) -> TeacherFile:
    """Read a LightGBM text model without loading it: on damaged text LightGBM ends the process.

    Args:
        path: as ``Booster.save_model`` wrote it.

    Raises:
        TeacherFileError: not there, not readable, not such a model, cut off, or of several outputs.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise TeacherFileError(
            f"found no such file, expected the teacher's LightGBM text model{_siblings(path)}"
        ) from error
    except UnicodeDecodeError as error:
        raise TeacherFileError(f"found no text, {_EXPECTED}") from error
    except OSError as error:
        raise TeacherFileError(f"found {error.strerror}, {_EXPECTED}") from error
    first = text.partition("\n")[0]
    if first.strip() != _FIRST_LINE or _LAST_TREE not in text:
        raise TeacherFileError(
            f"found {first!r:.40} in its first line and {'a' if _LAST_TREE in text else 'no'} line "
            f"{_LAST_TREE.strip()!r}, {_EXPECTED}, which begins with {_FIRST_LINE!r}"
        )
    header = _header(text)
    outputs = header["num_tree_per_iteration"]
    if outputs != "1":
        raise TeacherFileError(f"found a model of {outputs} outputs, expected one score")
    _require_whole(text, header)
    return TeacherFile(text, tuple(header["feature_names"].split()))


def _header(text: str) -> dict[str, str]:
    """What stands before the trees, by key; each key that LightGBM must find is there."""
    lines = text.partition(_FIRST_TREE)[0].split("\n")
    header = dict(line.split("=", 1) for line in lines if "=" in line)
    needed = ("num_class", "num_tree_per_iteration", "max_feature_idx", "feature_names")
    for key in (*needed, "feature_infos"):
        if key not in header:
            raise TeacherFileError(f"found no line {key}=... before its trees, {_EXPECTED}")
    return header


def _require_whole(text: str, header: dict[str, str]) -> None:
    """The header says how long each tree is; LightGBM reads at these places without looking."""
    sizes = header.get("tree_sizes", "").split()
    trees = text[text.find(_FIRST_TREE) + 1 : text.find(_LAST_TREE) + 1]
    found = len(trees.encode())
    if not sizes or not all(size.isdigit() for size in sizes) or found != sum(map(int, sizes)):
        raise TeacherFileError(
            f"found trees of {found} bytes where its line tree_sizes says otherwise: the file was "
            f"changed or damaged; {_EXPECTED} as it was written"
        )


def _siblings(path: Path) -> str:
    files = (each for each in path.parent.glob("*") if each.is_file())
    siblings = [each.name for each in files if each.suffix not in {".yaml", ".yml"}]
    return f"; {nearest(path.name, siblings)}" if siblings else ""
