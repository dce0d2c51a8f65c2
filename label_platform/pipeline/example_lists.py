"""Logged lists as two rankers order them, for people who want to see what a number means."""

from hashlib import md5

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from label_platform.evaluation import ShownLists, rank_discounts
from label_platform.lake import Partition, quote_identifier
from label_platform.pipeline.context import Context
from label_platform.pipeline.evaluations import evaluation_rows
from label_platform.pipeline.rankers import ranker_features, stored_rankers
from label_platform.policy import click_signal
from label_platform.ranking import Ranker
from label_platform.report import ExampleList, RankedItem

_DEPTH = 10
_MOST_DIFFERENT = 2
_AT_RANDOM = 2
_FEWEST_ITEMS = 3
Floats = NDArray[np.float64]


def example_lists(
    context: Context, partition: Partition, policy: str, title: str
) -> tuple[ExampleList, ...]:
    """Some lists of the evaluation days under the baseline's ranker and under another.

    Two with a click that the rankers order most differently, and two that md5 draws among all
    with a click, since the most different ones are not what lists are like.

    Args:
        context: the project.
        partition: the comparison's day.
        policy: of the other ranker.
        title: of the other ranker.
    """
    baseline = context.problem.policies.baseline
    own = _ranker(context, Partition("rankers", partition.day, baseline), "")
    other = _ranker(context, Partition("rankers", partition.day, policy), title)
    if own is None or other is None:
        return ()
    features = ranker_features(context, Partition("rankers", partition.day, policy))
    rows = evaluation_rows(context, partition)
    # the same lists twice: text features have other codes in the other ranker
    shown, again = (
        ShownLists.from_impressions(
            rows, features, click_signal(context.problem), codes=ranker.codes
        )
        for ranker in (own, other)
    )
    kept = (shown.lists.totals(shown.clicks) > 0) & (shown.lists.sizes >= _FEWEST_ITEMS)
    if not kept.any():
        return ()
    shown = shown.chosen(kept)
    scores = own.score(shown.features), other.score(again.chosen(kept).features)
    chosen = _chosen(shown, *scores)
    names = _names(context, partition, [shown.request[number] for number in chosen])
    return tuple(
        _example(shown, number, scores, names[shown.request[number]], why)
        for number, why in chosen.items()
    )


def _ranker(context: Context, partition: Partition, title: str) -> Ranker | None:
    if context.lake.manifest(partition) is None:
        return None
    rankers = {spec.title: ranker for spec, ranker in stored_rankers(context, partition)}
    return rankers.get(title) or next(iter(rankers.values()), None)


def _chosen(shown: ShownLists, own: Floats, other: Floats) -> dict[int, str]:
    """Which lists, and why each."""
    apart = np.abs(
        rank_discounts(own, shown.lists, _DEPTH) - rank_discounts(other, shown.lists, _DEPTH)
    )
    # lists differ in length: what counts is how much of what the first ranks earn moves
    moved = shown.lists.totals(apart)
    different = [int(number) for number in np.lexsort((shown.request, -moved))[:_MOST_DIFFERENT]]
    requests: list[str] = shown.request.tolist()
    drawn = sorted(
        range(len(requests)),
        key=lambda number: md5(requests[number].encode(), usedforsecurity=False).digest(),
    )
    at_random = [number for number in drawn if number not in different][:_AT_RANDOM]
    return {
        **dict.fromkeys(different, "among those that the two order most differently"),
        **dict.fromkeys(at_random, "drawn at random"),
    }


def _names(
    context: Context, partition: Partition, requests: list[str]
) -> dict[str, tuple[str, dict[int, str]]]:
    """The query of each list, and its items by position: titles and texts where logs have them."""
    days = list(context.split(partition.day).evaluate)
    shown = context.lake.scan("impression_signals", days)
    context.engine.register("example_requests", pd.DataFrame({"request": requests}))
    titles = "null"
    join = ""
    if context.item_days:
        items = context.lake.scan("items", context.item_days)
        join = (
            f" asof left join {items} as items on shown.item_id = items.item_id"
            " and shown.shown_at >= items.valid_from"
        )
        titles = "items.title"
    found = context.engine.rows(
        "select cast(shown.request_id as varchar), position,"
        " coalesce(shown.query_text, 'query ' || shown.query_id),"
        f" coalesce({titles}, 'item ' || shown.item_id)"
        f" from {shown} as shown{join} where cast(shown.request_id as varchar) in"
        f" (select {quote_identifier('request')} from example_requests) order by 1, 2"
    )
    names: dict[str, tuple[str, dict[int, str]]] = {}
    for request, position, query, item in found:
        names.setdefault(str(request), (str(query), {}))[1][int(position)] = str(item)
    return names


def _example(
    shown: ShownLists,
    number: int,
    scores: tuple[Floats, Floats],
    named: tuple[str, dict[int, str]],
    why: str,
) -> ExampleList:
    start = shown.lists.starts[number]
    rows = np.arange(start, start + shown.lists.sizes[number])
    query, items = named
    # ties by logged position, the same for both
    orders = [np.lexsort((shown.position[rows], -each[rows])) for each in scores]
    ranks = [np.argsort(order) for order in orders]

    def side(order: NDArray[np.intp], moved: NDArray[np.intp]) -> tuple[RankedItem, ...]:
        return tuple(
            RankedItem(
                items[int(shown.position[rows[place]])],
                int(shown.position[rows[place]]),
                bool(shown.clicks[rows[place]]),
                int(moved[place]),
            )
            for place in order[:_DEPTH]
        )

    return ExampleList(
        query,
        why,
        side(orders[0], np.zeros(len(rows), dtype=np.intp)),
        side(orders[1], ranks[0] - ranks[1]),
    )
