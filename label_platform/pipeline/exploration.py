"""position_statistics -> the traffic that a plan of exploration starts from; the plan in words."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from label_platform.lake import MissingPartitionError
from label_platform.pipeline.context import Context
from label_platform.pipeline.propensity_report import latest_propensities
from label_platform.propensity import Floats, Verdict
from label_platform.propensity.exploration import ClickModel, Measure, Plan, precision_of
from label_platform.strict_yaml import ConfigurationError

_COUNTS = ["impressions", "clicks"]


@dataclass(frozen=True, eq=False)  # equal only if the same: frames have no truth value
class LoggedTraffic:
    """What a log says of lists that are at least K positions long, in its last days.

    Attributes:
        days: how many days it is of.
        lists_per_day: such lists a day, in any order.
        ranked: impressions and clicks of the ranker's own lists, indexed by position, K rows.
        randomised: likewise of lists in random order.
        min_clicks: clicks on randomised lists below which they are taken to say nothing.
        curve: the propensities that training uses, over all contexts; None where they were not
            built, are refused, or lack a position.
    """

    days: int
    lists_per_day: float
    ranked: pd.DataFrame
    randomised: pd.DataFrame
    min_clicks: int
    curve: Floats | None = None

    @property
    def positions(self) -> int:
        """K."""
        return len(self.ranked)

    @property
    def click_rates(self) -> Floats:
        """Of the ranker's lists by position, shape (K,)."""
        return (self.ranked["clicks"] / self.ranked["impressions"]).to_numpy("float64")

    @property
    def randomised_lists(self) -> int:
        """Lists that were shown in random order already."""
        return int(self.randomised["impressions"].iloc[0])

    def random_click_rate(self, curve: Floats) -> float | None:
        """The click rate at position 1 of random lists; None with too few clicks to tell.

        It is the mean relevance, and under the curve every position tells it:
        sum c_k / sum n_k theta_k.
        """
        clicks = self.randomised["clicks"].sum()
        if clicks < self.min_clicks:
            return None
        return float(clicks / (self.randomised["impressions"].to_numpy() @ curve))


def logged_traffic(context: Context, positions: int | None = None) -> LoggedTraffic:
    """The traffic of the last days of a built lake, as many as training looks back.

    Args:
        context: the problem and its lake.
        positions: K; by default the length that half of the lists have or exceed.

    Raises:
        ConfigurationError: nothing was attributed yet, or no list is so long.
    """
    problem = context.problem
    days = context.lake.days("position_statistics")[-problem.training.window.days :]
    try:
        relation = context.lake.scan("position_statistics", days) if days else ""
    except MissingPartitionError as error:
        raise ConfigurationError(f"problem {problem.name}: {error}") from error
    if not relation:
        raise ConfigurationError(
            f"problem {problem.name}: no position_statistics were built yet; `label-platform "
            "labels` counts clicks by position"
        )
    counts = context.engine.frame(
        "select randomized, list_length, position, cast(sum(impressions) as bigint) as "
        "impressions, cast(sum(clicks) as bigint) as clicks "
        f"from {relation} group by all order by all"
    )
    if (counts["position"] == counts["list_length"]).all():
        # the log keeps no lists (Open Bandit has one record per request): all are of one length
        counts = counts.assign(list_length=counts["position"].max())
    wanted = positions or _usual_length(counts)
    counts = counts[(counts["list_length"] >= wanted) & (counts["position"] <= wanted)]
    ranked, randomised = (
        counts[counts["randomized"] == by_chance]
        .groupby("position")[_COUNTS]
        .sum()
        .reindex(range(1, wanted + 1), fill_value=0)
        for by_chance in (False, True)
    )
    if (ranked["impressions"] == 0).any():
        place = ranked.index[ranked["impressions"] == 0][0]
        raise ConfigurationError(
            f"problem {problem.name}: in the last {len(days)} days no list of the ranker's own "
            f"with {wanted} or more items shows position {place}; choose fewer --positions"
        )
    lists = ranked["impressions"].iloc[0] + randomised["impressions"].iloc[0]
    return LoggedTraffic(
        len(days),
        float(lists / len(days)),
        ranked,
        randomised,
        problem.propensity.min_clicks,
        _known_curve(context, wanted),
    )


def _known_curve(context: Context, positions: int) -> Floats | None:
    found = latest_propensities(context, date.max)
    if found is None or Verdict(found.attributes["verdict"]).is_refusal:
        return None
    rows = found.pooled_curves()[found.attributes["estimator"]].set_index("position")
    curve = rows["propensity"].reindex(range(1, positions + 1))
    return None if curve.isna().any() else curve.to_numpy("float64")


def _usual_length(counts: pd.DataFrame) -> int:
    """The length that half of the lists have or exceed."""
    lists = counts[counts["position"] == 1].groupby("list_length")["impressions"].sum()
    if lists.empty:
        return int(counts["position"].max())
    at_least = lists[::-1].cumsum()
    return int(at_least[at_least >= lists.sum() / 2].index[0])


@dataclass(frozen=True)
class PlanTerms:
    """What is asked of a plan.

    Attributes:
        within: how precisely to know the curve, in (0, 1].
        measure: what of the curve is to be so precise.
        share: of the lists that explore.
        days: say also what these many give; None for no such question.
    """

    within: float
    measure: Measure
    share: float
    days: int | None


@dataclass(frozen=True)
class PlannedTraffic:
    """What is planned for.

    Attributes:
        lists_per_day: of all lists.
        model: what is known or assumed of clicks.
        logged: what a log says, None without one.
    """

    lists_per_day: float
    model: ClickModel
    logged: LoggedTraffic | None


def plan_figures(plan: Plan, traffic: PlannedTraffic, terms: PlanTerms) -> dict[str, Any]:
    """What a design takes: a row of the result; costs are None where they cannot be told."""
    exploring = traffic.lists_per_day * terms.share
    per_list = plan.design.clicks_lost_per_list
    found = {
        "design": plan.design.name,
        "lists": plan.lists,
        "days": plan.days(traffic.lists_per_day, terms.share),
        "clicks_lost_per_list": per_list,
        "clicks_lost_a_day": None if per_list is None else exploring * per_list,
        "clicks_lost": plan.clicks_lost,
        "pair_shares": plan.design.pair_shares.tolist(),
    }
    if terms.days is not None:
        found["share_for_days"] = plan.lists / (traffic.lists_per_day * terms.days)
        found["within_after_days"] = precision_of(
            plan.design, exploring * terms.days, terms.measure
        )
    return found


def assumptions_in_words(traffic: PlannedTraffic, terms: PlanTerms) -> Iterator[str]:
    """What a plan means and rests on, and what lists are clicked now."""
    model = traffic.model
    depth = len(model.curve)
    shown = ", ".join(f"{value:.3g}" for value in model.curve[: 4 if depth > 5 else 5])
    rest = f", ... {model.curve[-1]:.3g}" if depth > 5 else ""
    sense = (
        "the 95% interval at each of the positions reaches at most that far from the estimate"
        if terms.measure == "every"
        else "the expected relative error, averaged over the positions below the first"
    )
    yield f"Known to within {_percent(terms.within)}: {sense}."
    yield (
        f"Assumed: {traffic.lists_per_day:,.0f} lists a day of {depth} positions, examined with "
        f"{shown}{rest}; random lists clicked at {model.random_relevance:.3g} at position 1."
    )
    now = model.clicks_now
    if now is None:
        yield (
            "What is lost, in expected clicks, needs the click rates of the ranker's lists at "
            "every position; without them all ranks are taken to be equally relevant. A good "
            "ranker's lists are clicked more than random ones, and then more lists are needed."
        )
        return
    yield (
        f"Lost are expected clicks: a list gets {now:.3g} now, in random order "
        f"{model.clicks_random:.3g}; of swapped lists half stay as they are, by a coin."
    )
    if model.clicks_random > now:
        yield (
            "Clicks would be gained: under this curve the ranker is worse than chance. More likely "
            "the curve falls less steeply: plan with a smaller --curve."
        )


def logged_in_words(traffic: PlannedTraffic, plan: Plan, terms: PlanTerms) -> Iterator[str]:
    """How far the lists in random order that were logged already go."""
    logged = traffic.logged
    if logged is None:
        return
    lists = logged.randomised_lists
    said = f"The last {logged.days} days of the log have {lists:,} lists in random order"
    if lists:
        reached = precision_of(plan.design, lists, terms.measure)
        said += f", which tell the curve to within {_percent(reached)}"
    yield f"{said}."


def worst_case_in_words(worst: Plan, candidates: int) -> str:
    """Random lists that hold items from beyond the ranker's list."""
    lost = worst.clicks_lost
    cost = "" if lost is None else f" and lose {lost:,.0f} clicks"
    return (
        f"Random lists drawn from {candidates} items need up to {worst.lists:,} lists{cost}: where "
        "nothing below the ranker's list is relevant."
    )


def plan_as_json(
    traffic: PlannedTraffic, terms: PlanTerms, figures: list[dict[str, Any]], notes: list[str]
) -> dict[str, Any]:
    """All of it for programs."""
    model = traffic.model
    return {
        "lists_per_day": traffic.lists_per_day,
        "within": terms.within,
        "measure": terms.measure,
        "share": terms.share,
        "curve": model.curve.tolist(),
        "relevance": None if model.relevance is None else model.relevance.tolist(),
        "random_relevance": model.random_relevance,
        "clicks_per_list": model.clicks_now,
        "clicks_per_random_list": model.clicks_random,
        "designs": figures,
        "notes": notes,
    }


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"
