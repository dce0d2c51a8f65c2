"""Whether lists came together as they should have: sample ratios of an offline comparison.

Nobody is assigned to a policy here: all policies re-rank the same lists, so their numbers of lists
agree by construction. What can be wrong is which lists there are.

``randomized_share``: chance decides which lists are in random order, so their share must be the
same on all days and in all parts of the traffic. Where it is not, lists were lost, or are called
random that are not, and every yardstick of the randomised slice rests on that.

``mix``: the parts of the traffic should be as large on evaluation days as they were on training
days. Real logs drift, and a test of many lists finds any drift, so this one fires only where also
more than a tenth of the lists would have to change their part.

Both are tests of homogeneity (Pearson's chi-square) at .001: sample-ratio checks are looked at
every day, and at .05 one in twenty days would call for attention. Source: Fabijan et al.,
"Diagnosing sample ratio mismatch in online controlled experiments", KDD 2019.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import chdtrc

from label_platform.evaluation.metrics import Floats

CHECKS = "checks"
"""The attribute of a table's manifest that holds them."""
LEVEL = 0.001
MOST_MOVED = 0.1
_LEAST_EXPECTED = 5.0


@dataclass(frozen=True)
class LogCheck:
    """What one check found.

    Attributes:
        name: of the check.
        passed: whether nothing is wrong; also where nothing could be tested.
        sentence: what was found, in words and numbers.
    """

    name: str
    passed: bool
    sentence: str

    @classmethod
    def not_run(cls, name: str, reason: str) -> Self:
        """A check that the data gives nothing to."""
        return cls(name, passed=True, sentence=f"not tested: {reason}")


def randomized_share_check(name: str, counts: Mapping[str, tuple[int, int]]) -> LogCheck:
    """Whether the share of lists in random order is the same everywhere.

    Args:
        name: of the check.
        counts: of each day or part, the lists in random order and all lists.
    """
    random, lists = np.array([*counts.values()], dtype=np.float64).reshape(-1, 2).T
    if random.sum() in {0.0, lists.sum()}:
        which = "no" if random.sum() == 0 else "every"
        return LogCheck.not_run(name, f"{which} list is in random order")
    p_value = _homogeneity(np.stack([random, lists - random]))
    if p_value is None:
        return LogCheck.not_run(name, "too few lists")
    shares = dict(zip(counts, random / np.maximum(lists, 1), strict=True))
    lowest, highest = (pick(shares, key=shares.__getitem__) for pick in (min, max))
    said = (
        f"{random.sum() / lists.sum():.2%} of {lists.sum():,.0f} lists are in random order, from "
        f"{shares[lowest]:.2%} ({lowest}) to {shares[highest]:.2%} ({highest}); p = {p_value:.2g}"
    )
    return LogCheck(name, p_value >= LEVEL, said)


def mix_check(name: str, before: Mapping[str, int], after: Mapping[str, int]) -> LogCheck:
    """Whether parts of the traffic are as large on evaluation days as on training days.

    Args:
        name: of the check.
        before: lists of each part on training days.
        after: on evaluation days.
    """
    parts = sorted({*before, *after})
    counts = np.array([[of.get(part, 0) for part in parts] for of in (before, after)], dtype=float)
    p_value = _homogeneity(counts)
    if p_value is None:
        return LogCheck.not_run(name, "too few lists")
    shares = counts / counts.sum(axis=1, keepdims=True)
    moved = shares[1] - shares[0]
    distance = float(np.abs(moved).sum() / 2)
    most = int(np.argmax(np.abs(moved)))
    said = (
        f"{distance:.1%} of lists changed their part, most of all {parts[most]} from "
        f"{shares[0][most]:.1%} to {shares[1][most]:.1%}; p = {p_value:.2g}"
    )
    return LogCheck(name, p_value >= LEVEL or distance <= MOST_MOVED, said)


def _homogeneity(counts: Floats) -> float | None:
    """Pearson's test that all columns have the same mix of rows; None if they are too few.

    Columns in which fewer than 5 are expected in some row are put together.
    """
    total = counts.sum()
    if total == 0 or (counts.sum(axis=1) == 0).any():
        return None
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / total
    small = (expected < _LEAST_EXPECTED).any(axis=0)
    counts = np.column_stack([counts[:, ~small], counts[:, small].sum(axis=1)])
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / total
    kept = (expected >= _LEAST_EXPECTED).all(axis=0)
    if kept.sum() < 2:
        return None
    statistic = ((counts - expected)[:, kept] ** 2 / expected[:, kept]).sum()
    return float(chdtrc((kept.sum() - 1) * (len(counts) - 1), statistic))
