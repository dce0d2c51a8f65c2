"""Search for a ranker's parameters: tree-structured Parzen estimators, judged on validation rows.

Trials are asked for four at a time and told in their order, whatever the machine: the same seed
and rows give the same trials, and up to four run side by side in one thread each. A trial whose
validation metric is below the median of those before it ends early. Trials are compared where the
learning rates of their trees add up to the same, since slow learning needs more of them.

Bergstra et al. 2011, "Algorithms for hyper-parameter optimization"; Golovin et al. 2017, "Google
Vizier" (the median rule).
"""

import importlib.util
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from label_platform.policy import BoosterParameters, RankerSpec
from label_platform.ranking.errors import TrainingError
from label_platform.ranking.search_space import SearchSpace
from label_platform.ranking.search_trials import (
    SearchOptions,
    SearchResult,
    Trial,
    gain_elsewhere,
)
from label_platform.ranking.train import RankerTrainer
from label_platform.ranking.training_data import TrainingData
from label_platform.ranking.validation_measure import ValidationMeasure

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import Trial as Asked

SIDE_BY_SIDE = 4
"""Trials that are asked for at a time. Each holds a copy of the binned rows while it runs."""
_RANDOM_TRIALS = 10
"""Drawn at random before the others are chosen by what they did; none of them ends early."""
_OTHERS_AT_STEP = 5
"""The fewest trials that a median is taken of."""
_LEARNT_PER_STEP = 1.0
"""The sum of learning rates between two looks at the median: 10 trees of the usual .1."""


class ExtraMissingError(RuntimeError):
    """Optuna is not installed."""


def require_optuna() -> None:
    """Refuse to search without Optuna.

    Raises:
        ExtraMissingError: says what to install.
    """
    if importlib.util.find_spec("optuna") is None:
        raise ExtraMissingError(
            "search needs Optuna, which is not installed: pip install 'label-platform[search]'"
        )


def search_parameters(
    train: TrainingData,
    validate: TrainingData,
    spec: RankerSpec,
    options: SearchOptions,
    on_trial: Callable[[Trial, Trial], None] = lambda _, __: None,
) -> SearchResult:
    """Search the parameters under which a ranker does best on the validation rows.

    Args:
        train: rows to learn from.
        validate: rows that stop training and judge.
        spec: the ranker as it is.
        options: how long and where from.
        on_trial: is told each trial and the best so far, in the order of the trials.

    Raises:
        ExtraMissingError: Optuna is not installed.
        TrainingError: nothing can be learned from the rows, or nothing judged.
    """
    require_optuna()
    search = _Search(train, validate, spec, options)
    trials: list[Trial] = []
    best = search.before
    on_trial(search.before, best)
    while len(trials) < options.trials and not search.is_over:
        for trial in search.batch(len(trials) + 1, options.trials - len(trials)):
            trials.append(trial)
            best = search.better(best, trial)
            on_trial(trial, best)
    return search.result(tuple(trials), best)


class _Search:
    """Trials on the same rows, and the study that chooses them."""

    def __init__(
        self, train: TrainingData, validate: TrainingData, spec: RankerSpec, options: SearchOptions
    ) -> None:
        started = time.monotonic()
        self._options = options
        self._deadline = started + (options.timeout_s or float("inf"))
        self._measure = ValidationMeasure(validate, spec)
        self._space = SearchSpace.of(spec, train, options.rounds)
        self._trainer = RankerTrainer(train, validate, spec, options.tune)
        self._study = _new_study(options.seed)
        steps = _Steps(spec.parameters.learning_rate)
        self.before = self._fitted(0, self._trainer, steps.watch)
        self._tell_before(steps, least_leaf=min(50, max(5, len(train) // 50)))

    @property
    def is_over(self) -> bool:
        """Whether no time is left."""
        return time.monotonic() >= self._deadline

    def better(self, one: Trial, other: Trial) -> Trial:
        """The better of two trials, the earlier one of equals."""
        return other if self._goodness(other) > self._goodness(one) else one

    def batch(self, first: int, most: int) -> list[Trial]:
        """The next trials, in their order.

        Args:
            first: the number of the first one.
            most: how many may be left.
        """
        asked = [self._study.ask() for _ in range(min(SIDE_BY_SIDE, most))]
        chosen = [self._space.parameters(each) for each in asked]
        workers = min(SIDE_BY_SIDE, os.cpu_count() or 1)
        with ThreadPoolExecutor(max_workers=workers) as pool:
            try:
                done = list(pool.map(self._run, range(first, first + len(asked)), chosen, asked))
            except BaseException:
                self._deadline = 0  # what is under way ends after its next tree
                raise
        for each, trial in zip(asked, done, strict=True):
            self._tell(each, trial)
        return done

    def result(self, trials: tuple[Trial, ...], best: Trial) -> SearchResult:
        """What was found."""
        judged = [each.judgment for each in (self.before, *trials) if each.judgment is not None]
        of, over = best.judgment, self.before.judgment
        if of is None or over is None:
            raise TypeError("the ranker as it is, and the best, are always judged")
        return SearchResult(
            measure=self._measure.name,
            higher_is_better=self._measure.higher_is_better,
            lists=self._measure.lists,
            before=self.before,
            trials=trials,
            best=best,
            gain=self._measure.gain(of, over, self._options.seed),
            gain_elsewhere=gain_elsewhere(
                judged, higher_is_better=self._measure.higher_is_better, seed=self._options.seed
            ),
        )

    def _run(self, number: int, parameters: BoosterParameters, asked: "Asked") -> Trial:
        from optuna import TrialPruned

        def watch(step: int, value: float) -> None:
            asked.report(value, step)
            if asked.should_prune():
                raise TrialPruned

        def check(number_of_round: int, value: float) -> None:
            if self.is_over:
                raise _OutOfTimeError
            steps.watch(number_of_round, value)

        steps = _Steps(parameters.learning_rate, watch)
        try:
            return self._fitted(number, self._trainer.with_parameters(parameters), check)
        except TrialPruned:
            return Trial(number, parameters, "ended early")
        except _OutOfTimeError:
            return Trial(number, parameters, "out of time")
        except TrainingError as error:
            return Trial(number, parameters, "failed", reason=str(error))

    def _fitted(
        self, number: int, trainer: RankerTrainer, watch: Callable[[int, float], None]
    ) -> Trial:
        options = self._options
        ranker = trainer.fit(rounds=options.rounds, seed=options.training_seed, watch=watch)
        judgment = self._measure.judge(ranker)
        return Trial(
            number, trainer.spec.parameters, "complete", judgment.value, ranker.rounds, judgment
        )

    def _goodness(self, trial: Trial) -> float:
        if trial.judgment is None:
            return float("-inf")
        return self._measure.goodness(trial.judgment)

    def _tell(self, asked: "Asked", trial: Trial) -> None:
        from optuna.trial import TrialState

        if trial.state == "complete":
            self._study.tell(asked, self._goodness(trial))
        else:
            early = trial.state == "ended early"
            self._study.tell(asked, state=TrialState.PRUNED if early else TrialState.FAIL)

    def _tell_before(self, steps: "_Steps", least_leaf: int) -> None:
        """Let the study know how the ranker as it is does."""
        from optuna.distributions import FloatDistribution, IntDistribution
        from optuna.trial import create_trial

        self._study.add_trial(
            create_trial(
                params=self._space.known_as(self.before.parameters, least_leaf),
                distributions={
                    name: IntDistribution(int(span.low), int(span.high), log=span.log)
                    if span.whole
                    else FloatDistribution(span.low, span.high, log=span.log, step=span.step)
                    for name, span in self._space.spans.items()
                },
                value=self._goodness(self.before),
                intermediate_values=steps.seen,
            )
        )


class _OutOfTimeError(Exception):
    """The time for the search has passed."""


class _Steps:
    """The best that a fit's validation metric was whenever it has learned as much again.

    Attributes:
        seen: by step.
    """

    def __init__(
        self,
        learning_rate: float,
        on_step: Callable[[int, float], None] = lambda _, __: None,
    ) -> None:
        self.seen: dict[int, float] = {}
        self._learning_rate = learning_rate
        self._on_step = on_step
        self._best = float("-inf")

    def watch(self, number_of_round: int, value: float) -> None:
        """Be told of a round."""
        self._best = max(self._best, value)
        # rates such as .1 do not add up to 1 exactly
        step = int(number_of_round * self._learning_rate / _LEARNT_PER_STEP + 1e-9)
        if step > 0 and step not in self.seen:
            self.seen[step] = self._best
            self._on_step(step, self._best)


def _new_study(seed: int) -> "Study":
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(n_startup_trials=_RANDOM_TRIALS, seed=seed)
    pruner = optuna.pruners.MedianPruner(
        n_startup_trials=_RANDOM_TRIALS,
        n_warmup_steps=2,
        n_min_trials=_OTHERS_AT_STEP,
    )
    return optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
