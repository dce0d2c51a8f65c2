"""How many lists to randomise or to swap until a curve is known, and the clicks that this costs.

Under the position-based model, P(click at k) = theta_k gamma. The log of a ratio of click rates
has, with the expected clicks c of n impressions, the variance

    1/c_k - 1/n_k + 1/c_1 - 1/n_1                       (the formula of the randomised estimator)

so that N lists of a design give log theta_k the variance V_k / N, where per list of the design:

    randomised        V_k = 1/(theta_k g) + 1/(theta_1 g) - 2
                      g: the mean relevance of the items, which every position gets
    swaps with 1      V_k = (1/(theta_k g_k) + 1/(theta_1 g_k) - 2) / w_k
                      g_k: the mean relevance of the items ranked 1st and k-th
                      w_k: the share of the lists that pair (1, k) gets, one pair per list
    neighbour swaps   V_k = sum over j < k of
                      (1/(theta_j h_j) + 1/(theta_{j+1} h_j) - 2) / w_j
                      h_j: the mean relevance of the items ranked j-th and (j+1)-th

In a list of a swap design a fair coin decides whether the pair changes places: half of these lists
stay as they are, cost nothing, and count as evidence all the same. Lists go to the pairs such that
the least known position is known best: w_k proportional to its V of one list with 1, to the root
of it with neighbours, where the last position adds up the variances of all links.

Relevance by rank is the ranker's click rate divided by the assumed curve. A list in random order
holds what the ranker would have shown, so every position gets the mean relevance over ranks. Items
from beyond the list are worse, if the ranker is any good; ``drawn_from`` gives the worst case.

Traps: positions are judged one by one, not all at once; a curve assumed too steep makes deep items
look relevant, and the cost too small; people who click through list after list make clicks depend
on each other, which these counts do not know. Few queries do no harm: their items reach every
position alike (with 3 queries instead of 2,000 the errors were the same).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Literal

import numpy as np

from label_platform.propensity.cells import Floats
from label_platform.propensity.estimate import Z

Measure = Literal["every", "mean"]
"""every: no end of a 95% interval, at any position, is farther from the estimate than this share
of it, exp(1.96 s) - 1; mean: the expected relative error, 0.8 s, averaged over the positions below
the first (0.8 is the mean absolute value of a standard normal variable)."""

_MEAN_ABSOLUTE = 0.8


@dataclass(frozen=True, eq=False)
class ClickModel:
    """What is known or assumed of lists and clicks.

    Attributes:
        curve: propensity by position, shape (K,), 1 at position 1.
        relevance: mean relevance of what the ranker puts at each rank, shape (K,); None where
            only a rate is known, and no cost can be told.
        random_relevance: mean relevance of the items of lists in random order, in (0, 1].
    """

    curve: Floats
    relevance: Floats | None
    random_relevance: float

    def __post_init__(self) -> None:
        if len(self.curve) < 2:
            raise ValueError("there is nothing to learn of 1 position; expected 2 or more")
        if self.curve[0] != 1 or not np.all(np.isfinite(self.curve) & (self.curve > 0)):
            shown = ", ".join(f"{value:g}" for value in self.curve[:5])
            raise ValueError(f"a curve is 1 at position 1 and above 0 everywhere, found {shown}")
        if not 0 < self.random_relevance <= 1:
            raise ValueError(
                f"the relevance in random lists is {self.random_relevance:.3g}; expected above 0 "
                "and at most 1"
            )

    @property
    def clicks_now(self) -> float | None:
        """Expected clicks of a list as the ranker orders it."""
        return None if self.relevance is None else float(self.curve @ self.relevance)

    @property
    def clicks_random(self) -> float:
        """Expected clicks of a list in random order."""
        return float(self.curve.sum() * self.random_relevance)


@dataclass(frozen=True, eq=False)
class Design:
    """A way to break the link between relevance and position.

    Attributes:
        name: randomised, swaps with 1 or neighbour swaps.
        unit_variance: the variance of log theta times the number of lists, shape (K,), 0 first.
        pair_shares: the share of the lists for each pair, shape (K - 1,): (1, k) or (k - 1, k) for
            k = 2 .. K; empty for randomised lists.
        clicks_lost_per_list: expected clicks a list of the design loses, swapped or not; None
            where the relevance by rank is unknown. Below 0 if the ranker is worse than chance.
    """

    name: str
    unit_variance: Floats
    pair_shares: Floats
    clicks_lost_per_list: float | None


@dataclass(frozen=True, eq=False)
class Plan:
    """How many lists a design needs.

    Attributes:
        design: what is done to a list.
        lists: how many lists it takes.
        log_error: the standard error of log theta that this promises, shape (K,).
        clicks_lost: expected clicks that all these lists lose, None if unknown.
    """

    design: Design
    lists: int
    log_error: Floats
    clicks_lost: float | None

    def days(self, lists_per_day: float, share: float) -> int:
        """Whole days until so many lists are reached, if a share of the traffic gives them."""
        return ceil(self.lists / (lists_per_day * share))


def power_curve(exponent: float, positions: int) -> Floats:
    """The curve 1 / k^exponent, shape (positions,)."""
    return np.arange(1, positions + 1, dtype=np.float64) ** -exponent


def model_of_rate(curve: Floats, random_click_rate: float) -> ClickModel:
    """A model without relevance by rank: only the click rate at position 1 of random lists.

    Args:
        curve: the assumed propensities, shape (K,).
        random_click_rate: of lists in random order, at position 1.
    """
    return ClickModel(curve, None, random_click_rate)


def model_of_click_rates(
    curve: Floats, click_rates: Sequence[float] | Floats, random_click_rate: float | None = None
) -> ClickModel:
    """A model from the click rates of the ranker's lists.

    Args:
        curve: the assumed propensities, shape (K,).
        click_rates: of the ranker's lists by position, shape (K,).
        random_click_rate: at position 1 of lists in random order, where there are such; otherwise
            the mean relevance over ranks: the items that the ranker shows, in random order.

    Raises:
        ValueError: lengths that differ, or rates that the curve cannot explain.
    """
    rates = np.asarray(click_rates, dtype=np.float64)
    if len(rates) != len(curve):
        raise ValueError(f"found {len(rates)} click rates for a curve of {len(curve)} positions")
    if not np.all((rates >= 0) & (rates <= 1)):
        wrong = rates[~((rates >= 0) & (rates <= 1))][0]
        raise ValueError(f"a click rate is a share from 0 to 1, found {wrong:g}")
    relevance = rates / curve
    if relevance.max() > 1:
        worst = int(relevance.argmax())
        raise ValueError(
            f"a click rate of {rates[worst]:.3g} at position {worst + 1} is more than the assumed "
            f"propensity {curve[worst]:.3g} allows; expected a curve that falls less steeply"
        )
    mean = float(relevance.mean()) if random_click_rate is None else random_click_rate
    return ClickModel(curve, relevance, mean)


def drawn_from(model: ClickModel, candidates: int) -> ClickModel:
    """The worst case of random lists that are drawn from more items than the ranker shows.

    Nothing below the list is relevant at all; then the mean relevance is that of the shown items,
    spread over all candidates. The truth lies between this and the shown items in random order.

    Raises:
        ValueError: fewer candidates than positions.
    """
    positions = len(model.curve)
    if candidates < positions:
        raise ValueError(f"found {candidates} candidates for lists of {positions} positions")
    shown = model.random_relevance if model.relevance is None else float(model.relevance.mean())
    return replace(model, random_relevance=shown * positions / candidates)


def randomised_design(model: ClickModel) -> Design:
    """Lists whose order is random."""
    variance = _pair_variance(1.0, model.curve, model.random_relevance)
    variance[0] = 0.0
    now = model.clicks_now
    lost = None if now is None else now - model.clicks_random
    return Design("randomised", variance, np.empty(0), lost)


def swap_design(model: ClickModel, *, neighbours: bool = False) -> Design:
    """Lists in which a coin decides whether one pair of positions changes places.

    Args:
        model: what is known of clicks; without relevance by rank, every rank is taken to have the
            relevance of random lists.
        neighbours: the pairs are (k - 1, k) instead of (1, k).
    """
    positions = len(model.curve)
    relevance = model.relevance
    if relevance is None:
        relevance = np.full(positions, model.random_relevance)
    lower = np.arange(1, positions)
    upper = lower - 1 if neighbours else np.zeros_like(lower)
    in_pair = (relevance[upper] + relevance[lower]) / 2
    if in_pair.min() == 0:
        place = int(lower[in_pair.argmin()]) + 1
        other = place - 1 if neighbours else 1
        raise ValueError(
            f"no clicks are expected at positions {other} and {place}, which would change places; "
            "expected some at one of them"
        )
    variance = _pair_variance(model.curve[upper], model.curve[lower], in_pair)
    shares = np.sqrt(variance) if neighbours else variance
    shares = shares / shares.sum()
    of_pair = variance / shares
    per_list = np.concatenate([[0.0], of_pair.cumsum() if neighbours else of_pair])
    drop = relevance[upper] - relevance[lower]
    lost = float(shares @ (drop * (model.curve[upper] - model.curve[lower]))) / 2
    name = "neighbour swaps" if neighbours else "swaps with 1"
    return Design(name, per_list, shares, None if model.relevance is None else lost)


def plan_randomised(model: ClickModel, within: float, measure: Measure = "every") -> Plan:
    """How many lists in random order make the curve known to within a share of itself.

    Args:
        model: what is known of clicks.
        within: the relative precision, in (0, 1].
        measure: what of the curve is to be so precise.
    """
    return plan_design(randomised_design(model), within, measure)


def plan_swaps(
    model: ClickModel, within: float, measure: Measure = "every", *, neighbours: bool = False
) -> Plan:
    """How many lists of a swap design, swapped and not, make the curve known.

    Args:
        model: what is known of clicks.
        within: the relative precision, in (0, 1].
        measure: what of the curve is to be so precise.
        neighbours: the pairs are (k - 1, k) instead of (1, k).
    """
    return plan_design(swap_design(model, neighbours=neighbours), within, measure)


def plan_design(design: Design, within: float, measure: Measure = "every") -> Plan:
    """The lists a design needs: its variances fall with their number.

    Raises:
        ValueError: a precision outside (0, 1].
    """
    if not 0 < within <= 1:
        raise ValueError(f"found a precision of {within:g}; expected above 0 and at most 1 (100%)")
    root = np.sqrt(design.unit_variance[1:])
    if measure == "every":
        lists = (root.max() * Z / np.log1p(within)) ** 2
    else:
        lists = (_MEAN_ABSOLUTE * root.mean() / within) ** 2
    whole = max(ceil(lists), 1)
    lost = design.clicks_lost_per_list
    log_error = np.sqrt(design.unit_variance / whole)
    return Plan(design, whole, log_error, None if lost is None else whole * lost)


def precision_of(design: Design, lists: float, measure: Measure = "every") -> float:
    """How precisely a number of lists tells the curve: what ``within`` is asked for.

    Raises:
        ValueError: no lists.
    """
    if lists <= 0:
        raise ValueError(f"found {lists:g} lists; expected more than 0")
    log_error = np.sqrt(design.unit_variance[1:] / lists)
    if measure == "every":
        return float(np.expm1(Z * log_error.max()))
    return float(_MEAN_ABSOLUTE * log_error.mean())


def _pair_variance(upper: Floats | float, lower: Floats, relevance: Floats | float) -> Floats:
    """1/c_k - 1/n_k + 1/c_1 - 1/n_1 of one list: n is 1, and c is the click rate."""
    return np.asarray(1 / (lower * relevance) + 1 / (upper * relevance) - 2.0, dtype=np.float64)
