"""What goes wrong on the way to a log: records sent twice, records that arrive broken."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from label_platform.logs.simulators.feedback import HOVER, SIGNALS, Events
from label_platform.logs.simulators.retrieval import Integers

_LATEST_REPEAT = 50


def draw_rows(n: int, share: float, rng: np.random.Generator) -> Integers:
    """Which of n records something happens to, about this share of them."""
    return np.sort(rng.choice(n, rng.binomial(n, share), replace=False))


def break_impressions(impressions: pa.Table, rng: np.random.Generator) -> pa.Table:
    """Sets the position to 0 or the item to null, by turns decided by chance."""
    no_item = pa.array(rng.random(len(impressions)) < 0.5)
    broken = {
        "item_id": pc.if_else(no_item, pa.scalar(None, pa.int64()), impressions["item_id"]),
        "position": pc.if_else(no_item, impressions["position"], pa.scalar(0, pa.int32())),
    }
    for name, values in broken.items():
        place = impressions.schema.get_field_index(name)
        impressions = impressions.set_column(place, impressions.schema.field(name), values)
    return impressions


def arrival_order(
    n: int, repeated: Integers, broken: Integers, rng: np.random.Generator
) -> Integers:
    """Order of n records, then the repeated ones, then the broken ones.

    A repetition comes somewhat after its original, a broken copy just before the sound one.
    """
    later = rng.integers(1, _LATEST_REPEAT, len(repeated)) + 0.5
    place = np.concatenate([np.arange(n), repeated + later, broken - 0.5])
    return np.argsort(place, kind="stable")


def asked_for(events: Events) -> NDArray[np.bool_]:
    """Events whose loss would matter; only these are repeated or broken, so counts are exact."""
    real: NDArray[np.bool_] = events.signal != HOVER
    return real


def break_lines(events: Events, lines: list[str], rng: np.random.Generator) -> list[str]:
    """Copies of JSON lines that no reader may accept, one fault each."""
    kinds = rng.integers(0, len(_FAULTS), len(lines)).tolist()
    signals = [SIGNALS[signal] for signal in events.signal.tolist()]
    return [
        _FAULTS[kind](line, signal)
        for kind, line, signal in zip(kinds, lines, signals, strict=True)
    ]


def _cut(line: str, _signal: str) -> str:
    return line[: len(line) * 2 // 3]


def _without_item(line: str, _signal: str) -> str:
    return _drop_between(line, '"item_id":', '"signal"')


def _ordinal_position(line: str, _signal: str) -> str:
    return _replace_value(line, "position", '"first"')


def _text_value(line: str, _signal: str) -> str:
    return _replace_value(line, "value", '"abc"')


def _negative_time(line: str, _signal: str) -> str:
    return _replace_value(line, "occurred_at", "-1782864000")


def _time_without_zone(line: str, _signal: str) -> str:
    return line.replace('Z"', '"')


def _drop_between(line: str, first: str, last: str) -> str:
    return line[: line.index(first)] + line[line.index(last) :]


def _replace_value(line: str, key: str, value: str) -> str:
    start = line.index(f'"{key}":') + len(key) + 3
    end = min(place for place in (line.find(",", start), line.find("}", start)) if place > 0)
    return line[:start] + value + line[end:]


_FAULTS = (
    _cut,
    _without_item,
    _ordinal_position,
    _text_value,
    _negative_time,
    _time_without_zone,
)
