"""A policy's examples -> parameters under which one of its rankers does better on validation."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from label_platform.lake import Partition
from label_platform.pipeline.context import Context
from label_platform.pipeline.rankers import SEED, ranker_features, stored_examples
from label_platform.policy import Policy, RankerSpec
from label_platform.ranking import TrainingData, TrainingError
from label_platform.ranking.search import (
    ExtraMissingError,
    require_optuna,
    search_parameters,
)
from label_platform.ranking.search_space import as_yaml
from label_platform.ranking.search_trials import SearchOptions, SearchResult, Trial
from label_platform.strict_yaml import ConfigurationError, nearest


@dataclass(frozen=True)
class SearchReport:
    """What a search of one ranker found.

    Attributes:
        policy: the policy's name.
        spec: the ranker as the policy has it.
        day: whose examples.
        validate_days: the days that judged.
        seed: of the search.
        result: what came out.
    """

    policy: str
    spec: RankerSpec
    day: date
    validate_days: tuple[date, ...]
    seed: int
    result: SearchResult

    @property
    def lines(self) -> str:
        """The best ranker for the policy file; empty if nothing was better than it is."""
        best = self.result.best
        return "" if best is self.result.before else as_yaml(self.spec, best.parameters)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        result = self.result
        return {
            "policy": self.policy,
            "ranker": self.spec.title,
            "day": self.day.isoformat(),
            "validate_days": [day.isoformat() for day in self.validate_days],
            "seed": self.seed,
            "measure": result.measure,
            "higher_is_better": result.higher_is_better,
            "lists": result.lists,
            "before": _trial_as_json(result.before),
            "best": _trial_as_json(result.best),
            "gain": {
                "value": result.gain.value,
                "low": result.gain.low,
                "high": result.gain.high,
                "is_within_noise": result.is_within_noise,
                "elsewhere": result.gain_elsewhere,
            },
            "trials": [_trial_as_json(each) for each in result.trials],
            "yaml": self.lines,
        }


def search_ranker(
    context: Context,
    policy: str,
    *,
    ranker: str | None = None,
    day: date | None = None,
    trials: int = 30,
    seed: int = 0,
    timeout_s: float | None = None,
    on_trial: Callable[[Trial, Trial], None] = lambda _, __: None,
) -> SearchReport:
    """Search LightGBM's parameters for one ranker of a policy; changes no file.

    Args:
        context: the project.
        policy: whose ranker.
        ranker: its title, or how the title begins if no other's does; by default the first.
        day: whose training window; by default the last one that was built.
        trials: how many choices are tried, besides the ranker as it is.
        seed: of the search; LightGBM's is that of all rankers.
        timeout_s: no trial goes on after it.
        on_trial: is told each trial and the best so far.

    Raises:
        ConfigurationError: Optuna is not installed, there is no such policy, ranker or day, or the
            examples say nothing that could be learned or judged.
    """
    try:
        require_optuna()
    except ExtraMissingError as error:
        raise ConfigurationError(str(error)) from error
    chosen = _policy(context, policy)
    spec = _spec(chosen, ranker)
    partition = Partition("examples", _day(context, chosen, day), chosen.name)
    examples = stored_examples(context, partition)
    features = ranker_features(context, partition)
    options = SearchOptions(
        trials=trials,
        seed=seed,
        timeout_s=timeout_s,
        rounds=context.problem.training.rounds,
        training_seed=SEED,
        tune="label" if chosen.auxiliary is None else chosen.auxiliary.tune,
    )
    try:
        train = TrainingData.from_examples(examples, spec, features)
        validate = TrainingData.from_examples(
            examples, spec, features, "validate", train.features.codes
        )
        result = search_parameters(train, validate, spec, options, on_trial)
    except TrainingError as error:
        raise ConfigurationError(f"{chosen.name}, {spec.title}: {error}") from error
    validated = context.split(partition.day).validate
    return SearchReport(chosen.name, spec, partition.day, validated, seed, result)


def _policy(context: Context, name: str) -> Policy:
    names = [policy.name for policy in context.project.policies]
    if name not in names:
        raise ConfigurationError(
            f"found no policy {name!r} in problem {context.problem.name}; {nearest(name, names)}"
        )
    return context.project.policy(name)


def _spec(policy: Policy, title: str | None) -> RankerSpec:
    if title is None:
        return policy.rankers[0]
    exact = [spec for spec in policy.rankers if spec.title == title]
    found = exact or [spec for spec in policy.rankers if spec.title.startswith(title)]
    if len(found) == 1:
        return found[0]
    titles = [spec.title for spec in policy.rankers]
    said = f"{len(found)} rankers begin with" if found else "no ranker has the title"
    raise ConfigurationError(
        f"--ranker: of policy {policy.name} {said} {title!r}; {nearest(title, titles)}"
    )


def _day(context: Context, policy: Policy, day: date | None) -> date:
    days = context.lake.days("examples", policy.name)
    if not days:
        raise ConfigurationError(
            f"{policy.name}: no examples were built yet; `label-platform examples` builds them"
        )
    if day is not None and day not in days:
        raise ConfigurationError(
            f"--day: no examples of {policy.name} on {day}, built are {days[0]} to {days[-1]}"
        )
    return day or days[-1]


def _trial_as_json(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": trial.state,
        "value": trial.value,
        "rounds": trial.rounds,
        "parameters": trial.parameters.said(),
        **({"reason": trial.reason} if trial.reason else {}),
    }
