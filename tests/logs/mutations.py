"""Sound records, and what becomes of them on the way: cut, swapped, retyped, damaged."""

import json
import random
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

Json = Any
HUGE = [10**30, -(10**30), 1e308, 2**63, 2**31, -1, 0, 1e-320]
ODD = [None, "", " ", "NaN", "é\u200b", True, False, [], {}, [[]], {"a": {"b": 1}}, "x" * 3000]
TIMES = ["2026-13-45T99:99:99Z", "2026-10-01", "9999-12-31T23:59:59Z", "-5", 253402300800000]


def _places(value: Json, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values within a document, its own excepted."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, each in inner if isinstance(value, dict | list) else ():
        found.append((*path, key))
        if isinstance(each, dict | list):
            found += _places(each, (*path, key))
    return found


def _parent(document: Json, path: tuple[Any, ...]) -> Json:
    for key in path[:-1]:
        document = document[key]
    return document


def _replace(document: Json, draw: random.Random, values: Sequence[Json]) -> None:
    places = _places(document)
    if places:
        path = draw.choice(places)
        _parent(document, path)[path[-1]] = deepcopy(draw.choice(values))


def _swap(document: Json, draw: random.Random) -> None:
    """Two values change places."""
    first, second = (draw.choice(_places(document)) for _ in range(2))
    if first[: len(second)] == second or second[: len(first)] == first:
        return
    one, other = _parent(document, first), _parent(document, second)
    one[first[-1]], other[second[-1]] = other[second[-1]], one[first[-1]]


def _drop(document: Json, draw: random.Random) -> None:
    path = draw.choice(_places(document))
    del _parent(document, path)[path[-1]]


def _rename(document: Json, draw: random.Random) -> None:
    path = draw.choice([path for path in _places(document) if isinstance(path[-1], str)])
    parent = _parent(document, path)
    parent[draw.choice(["", "ID", path[-1].upper(), path[-1] + "s"])] = parent.pop(path[-1])


OF_DOCUMENTS: tuple[Callable[[Json, random.Random], None], ...] = (
    lambda document, draw: _replace(document, draw, HUGE),
    lambda document, draw: _replace(document, draw, ODD),
    lambda document, draw: _replace(document, draw, TIMES),
    _swap,
    _drop,
    _rename,
)


def _cut(text: bytes, draw: random.Random) -> bytes:
    return text[: draw.randrange(len(text))]


def _damage(text: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(text))
    junk = bytes(draw.choice(b'\xff\x00\xc3\x28"{}[],:\\\t') for _ in range(draw.randint(1, 4)))
    return text[:place] + junk + text[place + draw.randint(0, 3) :]


def _nest(text: bytes, draw: random.Random) -> bytes:
    depth = draw.choice([50, 200, 5000])
    return text[:-1] + b', "deep": ' + b"[" * depth + b"]" * depth + b"}"


def _double_keys(text: bytes, _draw: random.Random) -> bytes:
    return text[:-1] + b", " + text[1:]


OF_BYTES = (_cut, _damage, _damage, _nest, _double_keys)


def damaged_bytes(text: bytes, draw: random.Random) -> bytes:
    """A document's text with one thing wrong with its bytes."""
    return draw.choice(OF_BYTES)(text, draw)


def mutated(document: Json, draw: random.Random) -> bytes:
    """A document as one line, with one to three things wrong with it."""
    document = json.loads(json.dumps(document))
    for _ in range(draw.randint(0, 2)):
        if _places(document):
            draw.choice(OF_DOCUMENTS)(document, draw)
    text = json.dumps(document, ensure_ascii=draw.random() < 0.5).encode()
    if draw.random() < 0.5 and len(text) > 2:
        text = damaged_bytes(text, draw)
    return text.replace(b"\n", b" ")


def mutated_row(fields: Sequence[str], separator: str, draw: random.Random) -> bytes:
    """A delimited record with one to three things wrong with it."""
    row = list(fields)
    for _ in range(draw.randint(1, 3)):
        place = draw.randrange(len(row)) if row else 0
        kind = draw.randrange(5)
        if kind == 0:
            row[place : place + 1] = [str(draw.choice([*HUGE, *TIMES, "", "NaN", "x", "1.5"]))]
        elif kind == 1:
            row.insert(place, draw.choice(["", "7", '"', 'a"b']))
        elif kind == 2 and row:
            del row[place]
        elif kind == 3:
            draw.shuffle(row)
    text = separator.join(row).encode()
    return _damage(text, draw).replace(b"\n", b" ") if draw.random() < 0.3 and text else text
