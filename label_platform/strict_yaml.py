"""YAML files that users write: loaded safely, checked strictly, refused in words they can use."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from label_platform.yaml_refusals import listed, nearest, refusals_of, unknown_name

__all__ = [
    "ConfigurationError",
    "StrictModel",
    "listed",
    "located",
    "nearest",
    "parse",
    "read_yaml",
    "unknown_name",
]

Model = TypeVar("Model", bound=BaseModel)


class ConfigurationError(ValueError):
    """A file that a user wrote cannot be used: names file, key, what was found and expected."""


class StrictModel(BaseModel):
    """Base of everything read from a user's YAML: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _UniqueKeys(yaml.SafeLoader):
    """Safe YAML in which a key that stands twice is an error, not a silent replacement.

    So is an anchor that holds itself: nothing that is read from it would come to an end.
    """

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call] # of PyYAML
            held = self.anchors.get(event.anchor)
            # what is not read to its end yet has no end
            if held is not None and held.end_mark is None:
                problem = f"&{event.anchor}, line {held.start_mark.line + 1}, holds itself"
                raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the signature of PyYAML
        lines: list[tuple[object, int]] = []
        for name, _ in node.value:
            key = self.construct_object(name, deep=True)
            for other, line in lines:
                if other == key:
                    problem = f"the key {key!r} stands twice, first on line {line}"
                    raise yaml.constructor.ConstructorError(None, None, problem, name.start_mark)
            lines.append((key, name.start_mark.line + 1))
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        ConfigurationError: no such file, not YAML, or not a mapping.
    """
    if not path.is_file():
        siblings = [entry.name for entry in path.parent.glob("*.yaml")]
        hint = f" ({nearest(path.name, siblings)})" if siblings else ""
        raise ConfigurationError(f"{path}: there is no such file{hint}")
    try:
        content = yaml.load(path.read_text(), Loader=_UniqueKeys)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {_syntax(error)}") from error
    if content is None:
        raise ConfigurationError(f"{path}: the file is empty; expected a mapping of keys")
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path}: expected a mapping of keys, found {content!r:.80}")
    return content


def _syntax(error: Exception) -> str:
    """What is wrong with a text that is not YAML, in one line."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return f"not valid YAML: {str(error).splitlines()[0]}"
    begun = ""
    if error.context and error.context_mark is not None:
        begun = f" ({error.context} that starts on line {error.context_mark.line + 1})"
    return f"line {error.problem_mark.line + 1}: not valid YAML: {error.problem}{begun}"


def parse(model: type[Model], content: dict[str, Any], path: Path) -> Model:
    """Check a mapping against a model.

    Raises:
        ConfigurationError: lists every key that does not fit, each on its own line.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        tree = _tree(path)
        refusals = refusals_of(model, error, content)
        lines = [f"{_place(path, tree, keys)}{words}" for keys, words in refusals]
        raise ConfigurationError("\n".join(lines)) from error


def located(path: Path, lines: Iterable[str]) -> str:
    """Refusals with the file, and with the line of the key that each begins with.

    Args:
        path: of the YAML file; without a line number where there is none, or no such key in it.
        lines: such as ``rankers.0.objective: unknown key``: the key as it is reached from the
            top, positions in lists from 0, and what is wrong with it.
    """
    tree = _tree(path)
    found = []
    for line in lines:
        keys = _keys_of(line)
        is_there = tree is not None and _inner(tree, keys[0]) is not None
        found.append(f"{_place(path, tree if is_there else None, keys)}{line}")
    return "\n".join(found)


def _keys_of(line: str) -> tuple[Any, ...]:
    parts = line.partition(": ")[0].split(".")
    return tuple(int(part) if part.isdigit() else part for part in parts)


def _tree(path: Path) -> yaml.Node | None:
    """The file with its lines; None where there is none."""
    return yaml.compose(path.read_text(), Loader=_UniqueKeys) if path.is_file() else None


def _place(path: Path, tree: yaml.Node | None, keys: tuple[Any, ...]) -> str:
    """The file, and the line on which the last of the keys stands that is there."""
    if tree is None:
        return f"{path}: "
    mark = tree.start_mark
    for key in keys:
        inner = _inner(tree, key)
        if inner is None:  # absent
            break
        mark, tree = inner
    return f"{path}: line {mark.line + 1}: "


def _inner(tree: yaml.Node, key: object) -> tuple[yaml.Mark, yaml.Node] | None:
    if isinstance(tree, yaml.MappingNode):
        found = [(name.start_mark, node) for name, node in tree.value if name.value == str(key)]
        return found[0] if found else None
    if isinstance(tree, yaml.SequenceNode) and isinstance(key, int) and key < len(tree.value):
        return tree.value[key].start_mark, tree.value[key]
    return None
