"""What follows a click: dwell time, carts, purchases, returns, and when.

The more relevant an item, the longer its page is read, the more often it is put into the cart,
bought and kept, so that every signal grows with relevance.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from label_platform.logs.simulators.browsing import Browsing
from label_platform.logs.simulators.catalogue import Catalogue
from label_platform.logs.simulators.retrieval import Floats, Integers, Retrieval
from label_platform.logs.simulators.shown_lists import ShownLists

SIGNALS = ("click", "dwell_s", "add_to_cart", "purchase", "return", "hover")
CLICK, DWELL, CART, PURCHASE, RETURN, HOVER = range(len(SIGNALS))

MAX_CLICK_DELAY_S = 1200
"""From being shown to the click; dwell is reported with the click it belongs to."""
MAX_CART_DELAY_S = 3600
"""From the click to the cart."""
MAX_PURCHASE_DELAY_S = 6 * 86_400
"""From the cart to the purchase; 98 of 100 take less than 3 days."""
MIN_RETURN_DELAY_S, MAX_RETURN_DELAY_S = 86_400, 10 * 86_400
"""From the purchase to the return."""

_PURCHASE_MEAN_S = 18 * 3600
_STRAY_SHARE = 0.001


@dataclass(frozen=True)
class Events:
    """Feedback events, one array element each.

    Attributes:
        request_id: the list that was shown.
        item_id: what the event is about.
        position: where it stood.
        user_id: who did it.
        signal: index into `SIGNALS`, or into another simulator's signals.
        value: seconds of dwell or watching, 1 for other signals.
        occurred_at_ms: epoch milliseconds.
    """

    request_id: Integers
    item_id: Integers
    position: Integers
    user_id: Integers
    signal: Integers
    value: Floats
    occurred_at_ms: Integers

    def __len__(self) -> int:
        return len(self.request_id)

    def __getitem__(self, rows: Integers | NDArray[np.bool_]) -> "Events":
        return Events(*(getattr(self, column.name)[rows] for column in fields(self)))


def join_events(parts: list[Events]) -> Events:
    """All events, in the order in which they happened."""
    joined = Events(
        *(np.concatenate([getattr(part, c.name) for part in parts]) for c in fields(Events))
    )
    columns = (joined.signal, joined.position, joined.request_id, joined.occurred_at_ms)
    return joined[np.lexsort(columns)]


def react(browsing: Browsing, catalogue: Catalogue, rng: np.random.Generator) -> Events:
    """All events that a day's lists lead to, on whatever day they happen."""
    seen = Seen(browsing, catalogue)
    lists, positions = np.nonzero(browsing.clicked)
    bot, gamma = browsing.bot[lists], seen.relevance(lists, positions)
    n = len(lists)
    delay = np.minimum(rng.lognormal(2.6, 0.8, n) + 2 * positions, MAX_CLICK_DELAY_S)
    delay[bot] = rng.uniform(0.1, 3, bot.sum())
    clicked_at = browsing.shown_at_ms[lists] + as_ms(delay)
    dwell = np.clip(rng.lognormal(np.log(40) + 3.5 * gamma, 0.5), 1, 3600).round(1)
    dwell[bot] = 0.5
    parts = [
        seen.events(CLICK, lists, positions, clicked_at),
        seen.events(DWELL, lists, positions, clicked_at, dwell),
    ]
    cart = (rng.random(n) < 0.01 + 0.55 * gamma) & ~bot
    lists, positions, gamma = lists[cart], positions[cart], gamma[cart]
    delay = np.minimum(rng.lognormal(5, 0.9, len(lists)), MAX_CART_DELAY_S)
    carted_at = clicked_at[cart] + as_ms(delay)
    parts.append(seen.events(CART, lists, positions, carted_at))
    bought = rng.random(len(lists)) < 0.1 + 0.45 * gamma
    lists, positions, gamma = lists[bought], positions[bought], gamma[bought]
    delay = 600 + rng.exponential(_PURCHASE_MEAN_S, len(lists))
    bought_at = carted_at[bought] + as_ms(np.minimum(delay, MAX_PURCHASE_DELAY_S))
    parts.append(seen.events(PURCHASE, lists, positions, bought_at))
    back = rng.random(len(lists)) < 0.18 - 0.16 * gamma
    delay = rng.uniform(MIN_RETURN_DELAY_S, MAX_RETURN_DELAY_S, back.sum())
    returned_at = bought_at[back] + as_ms(delay)
    parts.append(seen.events(RETURN, lists[back], positions[back], returned_at))
    parts.append(_hover(browsing, seen, rng))
    return join_events(parts)


def stray_clicks(
    browsing: Browsing, catalogue: Catalogue, rng: np.random.Generator
) -> tuple[Events, Events]:
    """Clicks on items that were not shown, and clicks that precede their impression."""
    seen = Seen(browsing, catalogue)
    n = int(np.ceil(_STRAY_SHARE * browsing.clicked.sum()))
    lists, positions = rng.integers(0, browsing.shown.shape, (n, 2)).T
    at = browsing.shown_at_ms[lists] + rng.integers(1_000, 60_000, n)
    strangers = seen.events(CLICK, lists, positions, at)
    # an item beyond the catalogue stands in no list
    strangers = replace(strangers, item_id=strangers.item_id + len(catalogue.items.titles))
    free_lists, free_positions = np.nonzero(~browsing.clicked)
    free = rng.choice(len(free_lists), min(n, len(free_lists)), replace=False)
    lists, positions = free_lists[free], free_positions[free]
    at = browsing.shown_at_ms[lists] - rng.integers(1_000, 10_000, len(free))
    return strangers, seen.events(CLICK, lists, positions, at)


def _hover(browsing: Browsing, seen: "Seen", rng: np.random.Generator) -> Events:
    """A signal that nobody asked for."""
    clicked = browsing.clicked
    hovered = rng.random(clicked.shape, dtype=np.float32) < np.where(clicked, 0.2, 0.01)
    lists, positions = np.nonzero(hovered)
    at = browsing.shown_at_ms[lists] + rng.integers(300, 20_000, len(lists))
    return seen.events(HOVER, lists, positions, at)


@dataclass(frozen=True)
class Seen:
    """Looks up what stood in a list, and writes it down as events.

    Attributes:
        shown: the lists.
        retrieval: what their candidates are indices of.
    """

    shown: ShownLists
    retrieval: Retrieval

    def relevance(self, lists: Integers, positions: Integers) -> Floats:
        """Gamma of what stands in these lists at these positions, counted from 0."""
        candidate = self.shown.shown[lists, positions]
        return self.retrieval.relevance[self.shown.query[lists], candidate]

    def events(
        self,
        signal: int,
        lists: Integers,
        positions: Integers,
        at: Integers,
        value: Floats | None = None,
    ) -> Events:
        """One event of a signal per list and position.

        Args:
            signal: index of the signal.
            lists: index of each event's list.
            positions: counted from 0.
            at: epoch milliseconds.
            value: 1 where none is given.
        """
        candidate = self.shown.shown[lists, positions]
        return Events(
            request_id=self.shown.request_id[lists],
            item_id=self.retrieval.candidates[self.shown.query[lists], candidate] + 1,
            position=positions + 1,
            user_id=self.shown.user[lists] + 1,
            signal=np.full(len(lists), signal),
            value=np.ones(len(lists)) if value is None else value,
            occurred_at_ms=at,
        )


def as_ms(seconds: Floats) -> Integers:
    """Seconds as whole milliseconds."""
    return (seconds * 1000).astype(np.int64)
