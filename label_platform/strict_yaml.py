"""YAML files that users write: loaded safely, checked strictly, refused in words they can use."""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

Model = TypeVar("Model", bound=BaseModel)


class ConfigurationError(ValueError):
    """A file that a user wrote cannot be used: names file, key, what was found and expected."""


class StrictModel(BaseModel):
    """Base of everything read from a user's YAML: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _UniqueKeys(yaml.SafeLoader):
    """Safe YAML in which a key that stands twice is an error, not a silent replacement."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the signature of PyYAML
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                problem = f"the key {key!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return super().construct_mapping(node, deep)


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest valid name, and all valid names."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}valid: {', '.join(names)}"


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
        raise ConfigurationError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path}: expected a mapping of keys, found {content!r:.80}")
    return content


def parse(model: type[Model], content: dict[str, Any], path: Path) -> Model:
    """Check a mapping against a model.

    Raises:
        ConfigurationError: lists every key that does not fit, each on its own line.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        tree = yaml.compose(path.read_text(), Loader=_UniqueKeys) if path.is_file() else None
        lines = [
            f"{_place(path, tree, each['loc'])}{_describe(model, each)}" for each in error.errors()
        ]
        raise ConfigurationError("\n".join(lines)) from error


def _place(path: Path, tree: yaml.Node | None, keys: tuple[Any, ...]) -> str:
    """The file, and the line on which the last of the keys stands that is there."""
    if tree is None:
        return f"{path}: "
    mark = tree.start_mark
    for key in keys:
        inner = _inner(tree, key)
        if inner is None:  # absent, or a name that stands for one of several types
            continue
        mark, tree = inner
    return f"{path}: line {mark.line + 1}: "


def _inner(tree: yaml.Node, key: object) -> tuple[yaml.Mark, yaml.Node] | None:
    if isinstance(tree, yaml.MappingNode):
        found = [(name.start_mark, node) for name, node in tree.value if name.value == str(key)]
        return found[0] if found else None
    if isinstance(tree, yaml.SequenceNode) and isinstance(key, int) and key < len(tree.value):
        return tree.value[key].start_mark, tree.value[key]
    return None


def _describe(model: type[BaseModel], entry: Any) -> str:  # noqa: ANN401 - pydantic's own dicts
    key = ".".join(str(part) for part in entry["loc"]) or "(whole file)"
    if entry["type"] == "extra_forbidden":
        parent = _model_at(model, entry["loc"][:-1])
        hint = nearest(str(entry["loc"][-1]), parent.model_fields) if parent else ""
        return f"{key}: unknown key; {hint}".rstrip("; ")
    if entry["type"] == "missing":
        return f"{key}: this key is required and absent"
    if entry["type"] in {"literal_error", "enum"} and isinstance(entry["input"], str):
        valid = re.findall(r"'([^']*)'", entry["ctx"]["expected"])
        return f"{key}: found {entry['input']!r:.120}; {nearest(entry['input'], valid)}"
    message = entry["msg"].removeprefix("Value error, ")
    # a check of several keys has all of them as its input, and says itself what it found
    says_itself = entry["type"] == "value_error" and isinstance(entry["input"], dict)
    found = "" if says_itself else f", found {entry['input']!r:.120}"
    return f"{key}: {message}{found}"


def _model_at(model: type[BaseModel], path: tuple[Any, ...]) -> type[BaseModel] | None:
    """The model that stands at a path of keys, as far as it can be told from annotations."""
    current: type[BaseModel] | None = model
    for part in path:
        if current is None:
            return None
        if part in current.model_fields:
            current = _model_in(current.model_fields[part].annotation)
    return current


def _model_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - any annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found is not None:
            return found
    return None
