"""What people see and click: sessions, lists, examination.

Position-based model with trust bias (Agarwal et al. 2019; Vardasbi et al. 2020, their epsilon+
being 1): P(click at k on d | device x) = theta_k(x) (gamma(q, d) + (1 - gamma(q, d)) trust / k).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from label_platform.logs.simulators.catalogue import Catalogue
from label_platform.logs.simulators.retrieval import Floats, Integers, draw_queries
from label_platform.logs.simulators.settings import ProductSearchSettings
from label_platform.logs.simulators.shown_lists import DAY_MS, ShownLists, rank

_BOT_CLICK_SHARE = 0.95
_BOT_MIN_LISTS, _BOT_MAX_LISTS = 10, 20


@dataclass(frozen=True)
class Browsing(ShownLists):
    """One day of lists, and what was clicked.

    Attributes:
        bot: whether a program asked for the list.
        clicked: shape (lists, positions).
        bot_sessions: sessions of programs.
    """

    bot: NDArray[np.bool_]
    clicked: NDArray[np.bool_]
    bot_sessions: int


def browse_day(
    settings: ProductSearchSettings,
    catalogue: Catalogue,
    scores: Floats,
    day_number: int,
    day_start_ms: int,
) -> Browsing:
    """Simulates one day, whatever the other days were."""
    rng = np.random.default_rng([settings.seed, 2, day_number])
    n_lists = settings.lists_per_day
    session, bot_session = _draw_sessions(settings, rng)
    bot = bot_session[session]
    offset_ms = _draw_times(session, bot_session, rng)
    order = np.argsort(offset_ms, kind="stable")
    session, bot = session[order], bot[order]
    n_sessions, n_users = len(bot_session), max(20, n_lists)
    # the square makes some people come often
    user = (n_users * rng.random(n_sessions) ** 2).astype(np.int64)
    device = rng.integers(0, len(settings.devices), n_sessions)[session]
    query = draw_queries(settings.n_queries, n_lists, rng)
    randomized = rng.random(n_lists) < settings.randomized_share
    by_chance = randomized | (settings.logger == "random")
    shown = rank(scores[query], by_chance, settings.list_length, rng)
    relevance = np.take_along_axis(catalogue.relevance[query], shown, axis=1)
    chance = click_probability(settings, relevance, device)
    chance[bot] = _BOT_CLICK_SHARE
    return Browsing(
        request_id=day_number * n_lists + np.arange(1, n_lists + 1),
        query=query,
        session_id=day_number * n_lists + session + 1,
        user=user[session],
        device=device,
        shown_at_ms=day_start_ms + offset_ms[order],
        bot=bot,
        randomized=randomized,
        shown=shown,
        clicked=rng.random(chance.shape) < chance,
        bot_sessions=int(bot_session.sum()),
    )


def click_probability(
    settings: ProductSearchSettings, relevance: Floats, device: Integers
) -> Floats:
    """P(click) of people.

    Args:
        settings: the examination curves and the trust bias.
        relevance: gamma of what is shown, shape (lists, positions).
        device: device index of each list.
    """
    trust = settings.trust_bias / np.arange(1, settings.list_length + 1)
    return settings.examination_table()[device] * (relevance + (1 - relevance) * trust)


def _draw_sessions(
    settings: ProductSearchSettings, rng: np.random.Generator
) -> tuple[Integers, NDArray[np.bool_]]:
    """The session of each list, and whether a session is a bot's."""
    n_lists = settings.lists_per_day
    bot = rng.random(n_lists) < settings.bot_share
    lists = np.where(
        bot,
        rng.integers(_BOT_MIN_LISTS, _BOT_MAX_LISTS + 1, n_lists),
        np.minimum(rng.geometric(0.5, n_lists), 12),
    )
    session = np.repeat(np.arange(n_lists), lists)[:n_lists]
    bot = bot[: session[-1] + 1]
    # the day's last session is cut to fit, and a bot of two lists would be none
    bot[-1] = False
    return session, bot


def _draw_times(
    session: Integers, bot_session: NDArray[np.bool_], rng: np.random.Generator
) -> Integers:
    """Milliseconds since midnight of each list; no session reaches into the next day."""
    n_lists = len(session)
    people_ms = 15_000 + np.minimum(rng.lognormal(11, 0.8, n_lists), 600_000)
    bots_ms = rng.uniform(4_000, 8_000, n_lists)
    gap = np.where(bot_session[session], bots_ms, people_ms)
    elapsed = np.cumsum(gap)
    first = np.flatnonzero(np.diff(session, prepend=-1))
    since_first = elapsed - elapsed[first][session]
    last = np.append(first[1:], n_lists) - 1
    # few at night, most in the evening
    start = rng.beta(2.5, 1.6, len(first)) * (DAY_MS - 1 - since_first[last])
    midnight_to_list: Integers = (start[session] + since_first).astype(np.int64)
    return midnight_to_list
