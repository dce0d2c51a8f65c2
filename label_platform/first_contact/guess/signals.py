"""Which events become signals, and how long after the impression each counts for it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from label_platform.problem import NAME_PATTERN

WINDOWS: Mapping[str, dict[str, Any]] = {
    "click": {"window": "30m"},
    "dwell_s": {"of": "click", "window": "30m"},
    "add_to_cart": {"window": "1d"},
    "purchase": {"window": "7d"},
    "conversion": {"window": "7d"},
    **{
        name: {"window": "1d"}
        for name in (
            "like",
            "dislike",
            "follow",
            "comment",
            "share",
            "forward",
            "hate",
            "save",
            "rating",
            "add_to_wishlist",
            "watch",
            "watch_s",
            "long_view",
            "profile_enter",
            "comment_stay_s",
            "profile_stay_s",
        )
    },
}
"""By name: a click comes while the list is open, what is bought may have been slept over."""

_UNKNOWN = {"window": "1d"}
_RETURN = "return"
_MOST_UNKNOWN = 30


@dataclass(frozen=True)
class SignalGuess:
    """A signal of the problem file.

    Attributes:
        name: the signal.
        settings: its keys.
        events: how often it was seen.
        is_taken: whether it stands in the file, or only in a comment for whoever wants it.
        is_possible: whether a signal can bear this name.
    """

    name: str
    settings: Mapping[str, Any]
    events: int
    is_taken: bool = True
    is_possible: bool = True


def guess_signals(found: Mapping[str, int], *, names_feedback: bool) -> list[SignalGuess]:
    """The signals of a problem file.

    Policies need a click; where none was seen it is there all the same, for a person to mend.

    Args:
        found: events by name.
        names_feedback: whether every name is feedback; else those that are not known are left out.
    """
    guesses = []
    for name, count in found.items():
        if name == _RETURN and "purchase" in found:
            continue
        settings = dict(WINDOWS.get(name, _UNKNOWN))
        if name == "purchase" and _RETURN in found:
            settings["reversed_by"] = _RETURN
        if settings.get("of") not in {None, *found}:
            del settings["of"]
        is_possible = re.fullmatch(NAME_PATTERN, name) is not None
        is_taken = is_possible and (names_feedback or name in WINDOWS)
        guesses.append(SignalGuess(name, settings, count, is_taken, is_possible))
    if "click" not in found:
        guesses.append(SignalGuess("click", WINDOWS["click"], 0))
    order = list(WINDOWS)
    guesses.sort(key=lambda each: order.index(each.name) if each.name in order else len(order))
    left_out = [each for each in guesses if not each.is_taken][:_MOST_UNKNOWN]
    return [each for each in guesses if each.is_taken] + left_out
