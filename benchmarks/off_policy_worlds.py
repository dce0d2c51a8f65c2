"""Logs whose truth is known exactly, for studies of off-policy estimates.

A world is a finite population of queries, each with the same number of candidates. A log draws
queries from it with replacement, so the true value of a target is the mean over the population.
The logger shows the first places of one of its rankers, drawn anew for each list, or of a
uniformly random order: what it shows and how likely that was is known exactly.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from label_platform.evaluation.metrics import Floats, Integers, Lists, rank_discounts
from label_platform.evaluation.off_policy import LoggedClicks

CUTOFF = 5


@dataclass(frozen=True)
class WorldSettings:
    """What a world and its logger are like.

    Attributes:
        population: queries that there are.
        candidates: items of each.
        length: places of a list.
        eta: theta_k = 1 / k ** eta.
        trust: an examined item that is not relevant is clicked with trust / k.
        click_rate: at position 1, by the mean item: gamma's mean.
        rankers: how often each of the logger's rankers makes a list.
        chance: how often chance does.
        seed: of the population.
    """

    population: int = 1000
    candidates: int = 12
    length: int = 6
    eta: float = 1.0
    trust: float = 0.0
    click_rate: float = 0.15
    rankers: tuple[float, ...] = (0.4, 0.3)
    chance: float = 0.3
    seed: int = 0


@dataclass(frozen=True, eq=False)
class World:
    """The population and the logger.

    Attributes:
        settings: what it is like.
        gamma: relevance, shape (population, candidates).
        scores: of each of the logger's rankers, shape (rankers, population, candidates).
    """

    settings: WorldSettings
    gamma: Floats = field(init=False)
    scores: Floats = field(init=False)

    def __post_init__(self) -> None:
        """Draw the population."""
        settings, rng = self.settings, np.random.default_rng(self.settings.seed)
        shape = (settings.population, settings.candidates)
        least = settings.trust
        rate = max(settings.click_rate - least, 0.01)
        gamma = least + (1 - least) * rng.beta(1, 1 / rate - 1, shape)
        noise = rng.normal(size=(len(settings.rankers), *shape))
        object.__setattr__(self, "gamma", gamma)
        object.__setattr__(self, "scores", np.log(gamma + 1e-9) + noise)

    @cached_property
    def alpha(self) -> Floats:
        """By position, shape (length,)."""
        trust = self.settings.trust
        return self.theta * (1 - trust / self.place) / (1 - trust)

    @cached_property
    def place(self) -> Floats:
        """Positions, shape (length,)."""
        return np.arange(1.0, self.settings.length + 1)

    @cached_property
    def theta(self) -> Floats:
        """Examination by position, shape (length,)."""
        theta: Floats = self.place**-self.settings.eta
        return theta

    @cached_property
    def beta(self) -> Floats:
        """By position, shape (length,)."""
        trust = self.settings.trust
        return self.theta * trust / self.place - self.alpha * trust

    @cached_property
    def orders(self) -> Integers:
        """What each ranker shows, shape (rankers, population, length)."""
        return np.argsort(-self.scores, axis=2)[:, :, : self.settings.length]

    @cached_property
    def expected(self) -> Floats:
        """Rho of each candidate, shape (population, candidates)."""
        settings = self.settings
        rho = np.full(self.gamma.shape, settings.chance * self.alpha.sum() / settings.candidates)
        rows = np.arange(settings.population)[:, None]
        for share, order in zip(settings.rankers, self.orders, strict=True):
            rho[rows, order] += share * self.alpha
        return rho

    def target(self, name: str) -> Floats:
        """Scores of a target by its name, shape (population, candidates)."""
        noise = np.random.default_rng(self.settings.seed + 1).normal(size=self.gamma.shape)
        relevance = np.log(self.gamma + 1e-9)
        of_relevance = {
            "true relevance": relevance,
            "noisy relevance": relevance + noise,
            "random": noise,
            "uniform": np.zeros(self.gamma.shape),
        }
        if name in of_relevance:
            return of_relevance[name]
        return {
            "logger": self.scores[0],
            "both rankers": self.scores.mean(axis=0),
            "reversed": -self.scores[0],
        }[name]

    def discounts(self, scores: Floats) -> Floats:
        """Of each candidate, shape (population, candidates)."""
        population, candidates = self.gamma.shape
        lists = Lists.of_sorted(np.repeat(np.arange(population), candidates))
        return rank_discounts(scores.ravel(), lists, CUTOFF).reshape(self.gamma.shape)

    def true_value(self, discounts: Floats) -> float:
        """The target's DCG, over the whole population."""
        return float((discounts * self.gamma).sum(axis=1).mean())

    def draw(self, queries: int, lists_per_query: int, rng: np.random.Generator) -> "Drawn":
        """A log of lists, those of a query together."""
        settings = self.settings
        query = np.repeat(rng.integers(settings.population, size=queries), lists_per_query)
        shares = [*settings.rankers, settings.chance]
        ranker = rng.choice(len(shares), p=shares, size=len(query))
        by_chance = np.argsort(rng.random((len(query), settings.candidates)), axis=1)
        drawn = by_chance[:, : settings.length]
        if settings.rankers:
            ranked = self.orders[np.minimum(ranker, len(settings.rankers) - 1), query]
            drawn = np.where((ranker == len(settings.rankers))[:, None], drawn, ranked)
        rate = self.alpha * self.gamma[query[:, None], drawn] + self.beta
        clicks = (rng.random(rate.shape) < rate).astype(np.float64)
        return Drawn(self, query, drawn, clicks, lists_per_query)


@dataclass(frozen=True, eq=False)
class Drawn:
    """A log.

    Attributes:
        world: it was drawn from.
        query: of each list, shape (lists,).
        item: shown, by position, shape (lists, length).
        clicks: on them.
        lists_per_query: lists of one query, one after the other.
    """

    world: World
    query: Integers
    item: Integers
    clicks: Floats
    lists_per_query: int

    @property
    def unit(self) -> Integers:
        """Of each list: its draw of a query."""
        return np.arange(len(self.query)) // self.lists_per_query

    def of_candidates(self, *, is_counted: bool) -> LoggedClicks:
        """All candidates of each list (of each draw of a query, if counted), shown or not.

        Args:
            is_counted: propensities are counted within the query, not known.
        """
        shape = (len(self.query), self.world.settings.candidates)
        place = (np.arange(len(self.query))[:, None], self.item)
        sums = []
        for values in (self.clicks, self.world.alpha, self.world.beta):
            one = np.zeros(shape)
            one[place] = values
            sums.append(one)
        if not is_counted:
            lists = Lists.of_sorted(np.repeat(np.arange(shape[0]), shape[1]))
            rho = self.world.expected[self.query].ravel()
            return LoggedClicks(lists, *(each.ravel() for each in sums), rho)
        draws = shape[0] // self.lists_per_query
        pooled = [each.reshape(draws, -1, shape[1]).sum(axis=1).ravel() for each in sums]
        lists = Lists.of_sorted(np.repeat(np.arange(draws), shape[1]))
        times = np.full(draws, float(self.lists_per_query))
        return LoggedClicks(lists, *pooled, pooled[1] / self.lists_per_query, times)

    def as_shown(self, *, shuffled: bool = False) -> LoggedClicks:
        """The lists as they were shown."""
        lists = Lists.of_sorted(np.repeat(np.arange(len(self.query)), self.item.shape[1]))
        alpha, beta = (
            np.tile(each, len(self.query)) for each in (self.world.alpha, self.world.beta)
        )
        make = LoggedClicks.as_shuffled if shuffled else LoggedClicks.as_shown
        return make(lists, self.clicks.ravel(), alpha, beta)

    def shown(self, values: Floats) -> Floats:
        """Of values by query and candidate, those of the items shown, list by list."""
        return values[self.query[:, None], self.item].ravel()


def predictions(world: World, error: float = 0.5) -> NDArray[np.float64]:
    """What a model fitted on other days says of each candidate: relevance, wrong by a factor."""
    rng = np.random.default_rng(world.settings.seed + 2)
    wrong = np.exp(rng.normal(0, error, world.gamma.shape)) * 0.8
    return np.clip(world.gamma * wrong, 0, 1)


def with_settings(settings: WorldSettings, **changes: object) -> World:
    """A world that differs from another in some settings."""
    return World(replace(settings, **changes))  # type: ignore[arg-type]
