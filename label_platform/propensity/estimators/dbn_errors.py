"""Standard errors of the dynamic Bayesian network's parameters.

Formulas: see ``dbn``. The information of one query's parameters is one small dense matrix; gamma
is the border of them all, so that the whole is inverted query by query (Schur complement).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from label_platform.propensity.cells import Floats, Integers
from label_platform.propensity.estimators.dbn_model import (
    ERROR_TRIALS,
    DbnLists,
    DbnParameters,
    DbnTrials,
    dbn_posterior,
    dbn_trials,
)

MAX_ITEMS = 1_000
"""Items of one query whose errors are worked out; 1,000 take some seconds."""
_MAX_ENTRIES = 4_000_000
_LEAST = 1e-9


@dataclass(frozen=True, eq=False)
class DbnErrors:
    """Standard errors, shapes (n,), (n,) and one; nan where they are not known."""

    attractiveness: Floats
    satisfaction: Floats
    continuation: float


def dbn_errors(lists: DbnLists, found: DbnParameters, *, fixed: bool) -> DbnErrors:
    """From the observed information at the most probable parameters.

    Args:
        lists: what they were fitted to.
        found: the parameters.
        fixed: gamma was given, so its error is 0.

    Returns:
        nan for query_items that no list shows, for those of a query with more than MAX_ITEMS, and
        where the information is not that of a maximum.
    """
    n = lists.n_query_items
    trials = dbn_trials(lists, found)
    complete = np.append(
        _information(trials.examined, found.attractiveness),
        _information(trials.telling_clicks, found.satisfaction),
    )
    lost = _Lost.of(lists, found)
    border = -lost.border
    variance, slope = np.full(2 * n, np.nan), np.zeros(2 * n)
    for queries, members in _blocks(lists):
        inverse = _inverses(lists, lost, complete, queries, members)
        known = members < 2 * n
        diagonal = np.diagonal(inverse, axis1=1, axis2=2)
        variance[members[known]] = diagonal[known]
        here = np.append(border, 0.0)[members]
        slope[members[known]] = (inverse @ here[:, :, None])[:, :, 0][known]
    continuation = 0.0
    if not fixed:
        rest = _continuation_information(trials, found) - lost.continuation - slope @ border
        of_continuation = 1 / rest if rest > 0 else np.nan
        continuation = float(np.sqrt(of_continuation))
        variance = variance + slope**2 * np.nan_to_num(of_continuation)
    with np.errstate(invalid="ignore"):
        error = np.sqrt(variance)
    return DbnErrors(error[:n], error[n:], continuation)


def _information(trials: Floats, probability: Floats) -> Floats:
    """Of a probability at its maximum, from its trials and from the prior, taken as given."""
    p = np.clip(probability, _LEAST, 1 - _LEAST)
    return np.asarray((trials + ERROR_TRIALS) / (p * (1 - p)), dtype=np.float64)


def _continuation_information(trials: DbnTrials, found: DbnParameters) -> float:
    """Of gamma, were it known who read on."""
    gamma = np.clip(found.continuation, _LEAST, 1 - _LEAST)
    stopped = (trials.could_continue - trials.continued).sum()
    return float(trials.continued.sum() / gamma**2 + stopped / (1 - gamma) ** 2)


@dataclass(frozen=True, eq=False)
class _Lost:
    """The information that is lost because nobody sees what is examined below the last click.

    At each place the score depends on one parameter: satisfaction of the last click,
    attractiveness of what is below it. It is ``factor`` times whether the place was read.

    Attributes:
        code: the parameter, query_item or n + query_item, shape (K, lists).
        factor: shape (K, lists), 0 where nothing is lost.
        reading: P(read | clicks), shape (K, lists).
        border: variance lost between each parameter and gamma, shape (2 n,).
        continuation: variance lost about gamma.
    """

    code: Integers
    factor: Floats
    reading: Floats
    border: Floats
    continuation: float

    @classmethod
    def of(cls, lists: DbnLists, found: DbnParameters) -> Self:
        n, gamma = lists.n_query_items, np.clip(found.continuation, _LEAST, 1 - _LEAST)
        reading = dbn_posterior(lists, found).reading
        place = np.arange(1, lists.positions + 1)[:, None]
        at_last = lists.last == place
        below = (lists.last < place) & lists.shown
        a = np.append(np.clip(found.attractiveness, _LEAST, 1 - _LEAST), 0.5)[lists.item]
        s = np.append(np.clip(found.satisfaction, _LEAST, 1 - _LEAST), 0.5)[lists.item]
        factor = np.where(below, -1 / (1 - a), np.where(at_last & lists.tells, -1 / (s - s * s), 0))
        code = np.where(at_last, n + lists.item, lists.item)
        length = lists.shown.sum(axis=0)
        start = np.maximum(lists.last, 1)
        of_gamma = ((start < place) & lists.shown) / gamma
        of_gamma += ((length == place).astype(float) - (start == place)) / (1 - gamma)
        with_gamma = np.zeros_like(reading)
        for j, k, covariance in _covariances(reading):
            with_gamma[k] += covariance * of_gamma[j]
            if j < k:
                with_gamma[j] += covariance * of_gamma[k]
        border = np.bincount(
            np.where(factor != 0, code, 2 * n).ravel(),
            (factor * with_gamma * lists.count).ravel(),
            2 * n + 1,
        )
        continuation = float(((of_gamma * with_gamma).sum(axis=0) * lists.count).sum())
        return cls(code, factor, reading, border[: 2 * n].astype(np.float64), continuation)


def _covariances(reading: Floats) -> Iterator[tuple[int, int, Floats]]:
    """Of having read two places j <= k: the lower one is read only if the upper one is."""
    for k in range(len(reading)):
        for j in range(k + 1):
            yield j, k, reading[k] * (1 - reading[j])


def _blocks(lists: DbnLists) -> Iterator[tuple[Integers, Integers]]:
    """Queries of like size together: their codes, and their parameters in rows, 2 n as filling."""
    n = lists.n_query_items
    query_of = np.full(n + 1, -1)
    query_of[lists.item] = lists.query
    query_of = query_of[:n]
    items = np.flatnonzero(query_of >= 0)
    items = items[np.argsort(query_of[items], kind="stable")]
    queries, first, size = np.unique(query_of[items], return_index=True, return_counts=True)
    by_size = np.argsort(size, kind="stable")
    by_size = by_size[size[by_size] <= MAX_ITEMS]
    while len(by_size):
        # the largest of those taken sets the width of all
        entries = np.arange(1, len(by_size) + 1) * (2 * size[by_size]) ** 2
        taken = by_size[: max(1, np.searchsorted(entries, _MAX_ENTRIES))]
        by_size = by_size[len(taken) :]
        number = np.arange(size[taken].max())
        place = np.minimum(first[taken, None] + number, len(items) - 1)
        member = np.where(number < size[taken, None], items[place], 2 * n)
        yield queries[taken], np.hstack([member, np.minimum(member + n, 2 * n)])


def _inverses(
    lists: DbnLists, lost: _Lost, complete: Floats, queries: Integers, members: Integers
) -> Floats:
    """Inverse information of each query's parameters, shape (queries, width, width)."""
    row_of = np.full(lists.n_queries, -1)
    row_of[queries] = np.arange(len(queries))
    width = members.shape[1]
    place_of = np.zeros(2 * lists.n_query_items + 1, np.int64)
    place_of[members] = np.arange(width)
    row = row_of[lists.query]
    mine = row >= 0
    row, count = row[mine], lists.count[mine]
    place, factor = place_of[lost.code[:, mine]], lost.factor[:, mine]
    place = np.where(factor != 0, place, 0)
    information = np.zeros(len(queries) * width * width)
    for j, k, covariance in _covariances(lost.reading[:, mine]):
        value = -covariance * factor[j] * factor[k] * count
        np.add.at(information, (row * width + place[j]) * width + place[k], value)
        if j < k:
            np.add.at(information, (row * width + place[k]) * width + place[j], value)
    stacked = information.reshape(len(queries), width, width)
    diagonal = np.append(complete, 1.0)[members]  # filling stands apart, at 1
    stacked[:, np.arange(width), np.arange(width)] += diagonal
    try:
        return np.asarray(np.linalg.inv(stacked), dtype=np.float64)
    except np.linalg.LinAlgError:
        return np.full(stacked.shape, np.nan)
