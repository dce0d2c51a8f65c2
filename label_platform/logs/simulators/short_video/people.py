"""Who comes, and who comes back: people with tastes, patience, and a memory of yesterday."""

from dataclasses import dataclass

import numpy as np

from label_platform.logs.simulators.retrieval import Floats, Integers, directions, draw_queries
from label_platform.logs.simulators.short_video.settings import ShortVideoSettings

_PATIENCE_EVIDENCE = 12.0
_LAPSED = 0.3
_RETURNS_ANYWAY = 0.2


@dataclass(frozen=True)
class People:
    """Everybody who uses the platform, by user index.

    Attributes:
        segment: index of the segment whose interests they share.
        device: index of the device that they watch on.
        patience: chance of going on to the next video, a beta variate around the device's mean.
        taste: direction in style space in which somebody differs from the segment.
        chance_to_come: probability of coming on the day that is next, changed by each day.
    """

    segment: Integers
    device: Integers
    patience: Floats
    taste: Floats
    chance_to_come: Floats


def draw_people(settings: ShortVideoSettings, rng: np.random.Generator) -> People:
    """Draws everybody, before the first day."""
    n = settings.n_users
    segment = draw_queries(settings.n_segments, n, rng)
    device = rng.integers(0, len(settings.devices), n)
    mean = np.array(list(settings.patience.values()))[device]
    return People(
        segment=segment,
        device=device,
        patience=rng.beta(mean * _PATIENCE_EVIDENCE, (1 - mean) * _PATIENCE_EVIDENCE),
        taste=directions(n, rng),
        chance_to_come=np.full(n, _LAPSED),
    )


def draw_visitors(people: People, n_lists: int, rng: np.random.Generator) -> Integers:
    """The user of each of a day's feeds, sorted; whoever comes asks for at least one."""
    n = len(people.segment)
    comes = np.flatnonzero(rng.random(n) < people.chance_to_come)
    if len(comes) == 0:
        comes = rng.integers(0, n, 1)
    visitors = rng.permutation(comes)[:n_lists]
    again = visitors[rng.integers(0, len(visitors), n_lists - len(visitors))]
    return np.sort(np.concatenate([visitors, again]))


def remember_day(
    people: People, visitors: Integers, satisfaction: Floats, settings: ShortVideoSettings
) -> None:
    """Sets everybody's chance to come on the next day.

    Who came today comes again with probability 0.2 + retention * satisfaction, others with 0.3.

    Args:
        people: whose `chance_to_come` is set.
        visitors: who came today, each once.
        satisfaction: of each visitor, mean interest in what was looked at, 0 to 1.
        settings: hold the retention.
    """
    people.chance_to_come[:] = _LAPSED
    people.chance_to_come[visitors] = _RETURNS_ANYWAY + settings.retention * satisfaction
