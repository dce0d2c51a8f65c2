"""What does not fit a model of a YAML file, in the words of that file."""

import difflib
import re
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

_SAID = {
    "dict_type": "expected a mapping of keys",
    "tuple_type": "expected a list",
    "list_type": "expected a list",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
}
"""What pydantic says of Python's types, by the type of its error."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest valid name, and all valid names."""
    names = sorted(known)
    return f"{_meant(name, names)}valid: {listed(names)}"


def listed(names: Sequence[str]) -> str:
    """Names separated by commas; in quotes where some hold commas, as titles of rankers do."""
    return ", ".join(map(repr, names) if any("," in each for each in names) else names)


def _meant(name: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}? " if close else ""


class KeyedRefusalError(ValueError):
    """What a check of several keys finds wrong with one of them.

    Raised by a model's validator, it is shown with the key and on the line of the key.

    Attributes:
        keys: that lead from what is checked to the one that is wrong.
    """

    def __init__(self, keys: Sequence[str], words: str) -> None:
        super().__init__(words)
        self.keys = tuple(keys)


def unknown_name(keys: Sequence[str], found: str, known: Iterable[str]) -> KeyedRefusalError:
    """The refusal of a name that is none of those defined elsewhere in the file.

    Args:
        keys: as of ``KeyedRefusalError``.
        found: the name.
        known: the valid names.
    """
    return KeyedRefusalError(keys, f"found {found!r}; {nearest(found, known)}")


@dataclass(frozen=True)
class _Choice:
    """A key whose value may have one of several forms, and the form that an error is about."""

    keys: tuple[Any, ...]
    forms: tuple[Any, ...]
    label: str


@dataclass(frozen=True)
class _Misfit:
    """One of pydantic's errors: the keys that lead to it as the user wrote them."""

    keys: tuple[Any, ...]
    choices: tuple[_Choice, ...]
    form: Any
    parent: Any
    entry: Any


def refusals_of(
    model: type[BaseModel], error: ValidationError, content: dict[str, Any]
) -> list[tuple[tuple[Any, ...], str]]:
    """What does not fit a model: the keys that lead there, and a line that names them.

    Args:
        model: that refused.
        error: how it refused.
        content: what it refused.
    """
    return _refusals([_misfit(model, each) for each in error.errors()], content)


def _misfit(model: type[BaseModel], entry: Any) -> _Misfit:  # noqa: ANN401 - pydantic's own dicts
    """Follow an error's place through the annotations, and leave names of forms out of it."""
    keys: list[Any] = []
    choices: list[_Choice] = []
    form: Any = model
    parent: Any = None
    for part in entry["loc"]:
        forms = _forms(form)
        if len(forms) > 1:
            choices.append(_Choice(tuple(keys), forms, str(part)))
            form = next((each for each in forms if _has_label(each, str(part))), None)
        elif part != "[key]":
            keys.append(part)
            parent, form = forms[0], _inside(forms[0], part)
    forms = _forms(form)
    refusal = _keyed(entry)
    keys.extend(refusal.keys if refusal else ())
    return _Misfit(tuple(keys), tuple(choices), forms[0], parent, entry)


def _keyed(entry: Any) -> KeyedRefusalError | None:  # noqa: ANN401 - pydantic's own dicts
    error = entry.get("ctx", {}).get("error")
    return error if isinstance(error, KeyedRefusalError) else None


def _forms(annotation: Any) -> tuple[Any, ...]:  # noqa: ANN401 - any annotation
    """The forms that a value may have, without None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _forms(get_args(annotation)[0])
    if origin in {Union, types.UnionType}:
        return tuple(each for each in get_args(annotation) if each is not type(None))
    return (annotation,)


def _has_label(form: Any, label: str) -> bool:  # noqa: ANN401 - any annotation
    """Whether pydantic calls a form of a union so: FirstOf, literal['a'], tuple[str, ...]."""
    name = "literal" if get_origin(form) is Literal else getattr(form, "__name__", "")
    return label.split("[", maxsplit=1)[0] == name


def _inside(form: Any, key: object) -> Any:  # noqa: ANN401 - any annotation
    """The annotation of what stands at a key of a form."""
    if _is_model(form):
        fields = form.model_fields.items()
        return next((each.annotation for name, each in fields if key in {name, each.alias}), None)
    inner = get_args(form)
    if get_origin(form) is dict:
        return inner[1]
    return inner[0] if inner else None


def _is_model(form: Any) -> bool:  # noqa: ANN401 - any annotation
    return isinstance(form, type) and issubclass(form, BaseModel)


def _refusals(
    misfits: list[_Misfit], content: dict[str, Any], depth: int = 0
) -> list[tuple[tuple[Any, ...], str]]:
    """Keys and words: of a value that fits none of several forms, only the form that was meant."""
    found: dict[tuple[Any, ...], list[_Misfit]] = {}
    refusals = []
    for each in misfits:
        if len(each.choices) > depth:
            found.setdefault(each.choices[depth].keys, []).append(each)
    for each in misfits:
        if len(each.choices) <= depth:
            if not _follows(each, misfits):
                refusals.append((each.keys, _describe(each)))
            continue
        group = found.pop(each.choices[depth].keys, None)
        if group is None:
            continue
        choice = group[0].choices[depth]
        value = _value_at(content, choice.keys)
        meant = [one for one in group if _is_meant(one, one.choices[depth], value)]
        if meant:
            refusals += _refusals(meant, content, depth + 1)
        else:
            refusals.append((choice.keys, _describe_choice(choice, value)))
    return refusals


def _follows(misfit: _Misfit, misfits: list[_Misfit]) -> bool:
    """Whether a list only counts as too short because what stands in it is wrong."""
    length = len(misfit.keys)
    return misfit.entry["type"] == "too_short" and any(
        len(each.keys) > length and each.keys[:length] == misfit.keys for each in misfits
    )


def _value_at(content: Any, keys: tuple[Any, ...]) -> Any:  # noqa: ANN401 - as the user wrote it
    for key in keys:
        content = content[key]
    return content


def _is_meant(misfit: _Misfit, choice: _Choice, value: object) -> bool:
    """Whether an error is about the form that the user meant: one whose keys are there."""
    if isinstance(value, Mapping):
        shared = {
            each.__name__: len(value.keys() & each.model_fields.keys())
            for each in choice.forms
            if _is_model(each)
        }
        most = max(shared.values(), default=0)
        return most > 0 and [name for name, keys in shared.items() if keys == most] == [
            choice.label
        ]
    if isinstance(value, list):
        return choice.label.startswith(("tuple", "list")) and len(misfit.keys) > len(choice.keys)
    # a value of the right type that breaks a limit
    return not misfit.entry["type"].endswith(("_type", "_parsing", "literal_error", "enum"))


def _describe_choice(choice: _Choice, value: object) -> str:
    """One line for a value that has none of the forms it may have."""
    words = [word for form in choice.forms for word in _expected(form)]
    listed = " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
    names = [str(one) for form in choice.forms for one in _words(form)]
    known = [key for form in choice.forms if _is_model(form) for key in form.model_fields]
    hints = [_meant(value, names)] if isinstance(value, str) else []
    if isinstance(value, Mapping):
        hints = [_meant(str(key), known) for key in value if key not in known]
    hint = "".join(f"; {each.strip()}" for each in hints if each)
    key = ".".join(map(str, choice.keys))
    return f"{key}: expected {listed}, found {value!r:.120}{hint}"


def _words(form: Any) -> tuple[Any, ...]:  # noqa: ANN401 - any annotation
    return get_args(form) if get_origin(form) is Literal else ()


def _expected(form: Any) -> list[str]:  # noqa: ANN401 - any annotation
    """A form in words of YAML."""
    if _is_model(form):
        required = [
            field.alias or name for name, field in form.model_fields.items() if field.is_required()
        ]
        shown = required or [next(iter(form.model_fields), "")]
        return ["{" + ", ".join(f"{name}: ..." for name in shown) + "}"]
    if _words(form):
        return [str(word) for word in _words(form)]
    named = {str: "a text", float: "a number", int: "a whole number", bool: "true or false"}
    origin = get_origin(form) or form
    if origin in {tuple, list}:
        inner = named.get(_inside(form, 0), "").removeprefix("a ")
        return [f"a list of {inner}s" if inner and inner != "true or false" else "a list"]
    if origin is dict:
        return ["a mapping of keys"]
    return [named.get(form, "another value")]


def _describe(misfit: _Misfit) -> str:
    entry, kind = misfit.entry, misfit.entry["type"]
    key = ".".join(str(part) for part in misfit.keys) or "(whole file)"
    if kind == "extra_forbidden":
        hint = ""
        if _is_model(misfit.parent):
            fields = misfit.parent.model_fields.items()
            # what is excluded is no key of the file
            hint = nearest(
                str(misfit.keys[-1]), (name for name, each in fields if not each.exclude)
            )
        return f"{key}: unknown key; {hint}".rstrip("; ")
    if kind == "missing":
        return f"{key}: this key is required and absent"
    if kind in {"literal_error", "enum"} and isinstance(entry["input"], str):
        valid = re.findall(r"'([^']*)'", entry["ctx"]["expected"])
        return f"{key}: found {entry['input']!r:.120}; {nearest(entry['input'], valid)}"
    # a check of several keys has all of them as its input, and says itself what it found
    says_itself = kind == "value_error" and (isinstance(entry["input"], dict) or _keyed(entry))
    found = "" if says_itself else f", found {entry['input']!r:.120}"
    return f"{key}: {_message(misfit)}{found}"


def _message(misfit: _Misfit) -> str:
    """What was expected, without names of classes or of Python's types."""
    entry, kind = misfit.entry, misfit.entry["type"]
    if entry["loc"] and entry["loc"][-1] == "[key]":
        return "expected a text as a key"
    if kind in {"model_type", "model_attributes_type"}:
        such = f" such as {_expected(misfit.form)[0]}" if _is_model(misfit.form) else ""
        return f"expected a mapping of keys{such}"
    if kind == "too_short":
        least = entry["ctx"]["min_length"]
        return f"expected at least {least} item{'s' if least > 1 else ''}"
    message: str = entry["msg"]
    return _SAID.get(kind) or message.removeprefix("Value error, ")
