"""impression_signals of an old log + propensities -> the value of a target that was not shown."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from label_platform.evaluation import ShownLists, TargetAnswer
from label_platform.evaluation.off_policy import DEFAULT_CLIP
from label_platform.evaluation.off_policy_answer import ESTIMATORS, Side
from label_platform.evaluation.off_policy_choices import ChoiceTargets
from label_platform.evaluation.off_policy_targets import ListTargets, Scorer, Wanted
from label_platform.evaluation_settings import OffPolicyEstimator
from label_platform.examples import SplitError, evaluation_rows_sql
from label_platform.lake import Partition
from label_platform.pipeline.context import Context, Project
from label_platform.pipeline.examples import feature_columns
from label_platform.pipeline.feature_tables import shown_with_features
from label_platform.pipeline.rankers import stored_rankers
from label_platform.policy import click_signal
from label_platform.propensity import PropensityCurve
from label_platform.propensity.choice import COMBINED
from label_platform.propensity_settings import ESTIMATORS as ESTIMATORS_OF_EXAMINATION
from label_platform.ranking import FeatureCodes, Ranker
from label_platform.strict_yaml import ConfigurationError, nearest

NamedTarget = Literal["uniform", "logging"]


@dataclass(frozen=True)
class Question:
    """Whose value is asked for, and how.

    Attributes:
        policy: whose ranker is the target; None for a named target.
        ranker: its title; None for the policy's first.
        target: the named target; None for a policy's ranker.
        propensities: where logging propensities come from.
        curve: the estimator of P(examined | position); None for the one that training uses.
        days: first and last log day; a ranker is judged on its evaluation days within them.
        clip: see ``ListTargets``.
    """

    policy: str | None = None
    ranker: str | None = None
    target: NamedTarget | None = None
    propensities: Wanted = "auto"
    curve: str | None = None
    days: tuple[date, date] = (date.min, date.max)
    clip: float = DEFAULT_CLIP


@dataclass(frozen=True)
class OffPolicyReport:
    """The answer with what it rests on.

    Attributes:
        problem: its name.
        target: whose value it is, in words.
        days: of the log.
        curve: what the examination curve is, in words.
        answer: the values.
    """

    problem: str
    target: str
    days: tuple[date, ...]
    curve: str
    answer: TargetAnswer

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "problem": self.problem,
            "target": self.target,
            "days": [day.isoformat() for day in self.days],
            "examination": self.curve,
            **self.answer.as_json(),
        }


def require_known(project: Project, question: Question) -> None:
    """Refuse what a problem and its policies alone show to be wrong, before anything is built.

    Raises:
        ConfigurationError: there is no such policy, ranker or estimator.
    """
    if question.curve is not None:
        estimators = (COMBINED, *ESTIMATORS_OF_EXAMINATION)
        if question.curve not in estimators:
            hint = nearest(question.curve, estimators)
            raise ConfigurationError(f"--curve: {question.curve!r} is no estimator; {hint}")
    if question.policy is None:
        return
    known = [policy.name for policy in project.policies]
    if question.policy not in known:
        raise ConfigurationError(
            f"--policy: {question.policy!r} is no policy of {project.problem.name}; "
            f"{nearest(question.policy, known)}"
        )
    _require_ranker(question, [spec.title for spec in project.policy(question.policy).rankers])


def _require_ranker(question: Question, titles: Iterable[str]) -> None:
    if question.ranker is not None and question.ranker not in titles:
        raise ConfigurationError(
            f"--ranker: {question.policy} has no {question.ranker!r}; "
            f"{nearest(question.ranker, titles)}"
        )


def off_policy_value(context: Context, question: Question) -> OffPolicyReport:
    """Judge a target by a log of another ranker.

    Raises:
        ConfigurationError: the target or curve is unknown, not built, or does not fit the log.
    """
    require_known(context.project, question)
    ranker = None
    if question.policy is not None:
        question, ranker = _with_ranker(context, question)
    days = _days(context, question)
    features = _features(context, days) if ranker is None else ranker.feature_names
    curve, curve_in_words = _curve(context, days[-1], question.curve)
    relation = shown_with_features(context, days)
    items = context.lake.scan("items", context.item_days) if context.item_days else None
    names = feature_columns(context, days).item
    rows = context.engine.arrow(evaluation_rows_sql(relation, items, names))
    codes = FeatureCodes.of(rows, features) if ranker is None else ranker.codes
    shown = ShownLists.from_impressions(
        rows, features, click_signal(context.problem), curve, codes=codes
    )
    settings = context.problem.evaluation
    estimators = tuple(dict.fromkeys((*settings.off_policy, *ESTIMATORS)))
    if shown.are_single_items:
        answer = _of_choices(shown, question, estimators)
        curve_in_words = "not needed: nothing is said of other positions than the log's"
    elif curve is None:
        counts = len(shown.lists), int(shown.clicks.sum())
        side = Side("as_shown", *counts, refused=curve_in_words)
        nothing = Side("shuffled", *counts, refused=curve_in_words)
        answer = TargetAnswer(f"DCG@{settings.cutoff} of relevance", side, nothing)
    else:
        lists = ListTargets(shown, settings.cutoff, question.clip)
        target: Scorer | NamedTarget = question.target or "uniform"
        answer = lists.answer(
            target if ranker is None else ranker.score, question.propensities, estimators
        )
    return OffPolicyReport(context.problem.name, _title(question), days, curve_in_words, answer)


def _of_choices(
    shown: ShownLists, question: Question, estimators: tuple[OffPolicyEstimator, ...]
) -> TargetAnswer:
    if question.target is None:
        raise ConfigurationError(
            f"--policy: all {len(shown.lists):,} lists have one item, so there is nothing that "
            "its ranker could re-order; expected --target uniform or logging"
        )
    if question.propensities not in {"auto", "logged", "estimated"}:
        raise ConfigurationError(
            f"--propensities {question.propensities}: these lists have one item, which is "
            "chosen; expected auto, logged or estimated"
        )
    choices = ChoiceTargets(shown, question.clip)
    return choices.answer(question.target, question.propensities, estimators)


def _title(question: Question) -> str:
    if question.policy is None:
        return f"{question.target} policy"
    return f"ranker of {question.policy}, {question.ranker}"


def _days(context: Context, question: Question) -> tuple[date, ...]:
    first, last = question.days
    known = [day for day in context.log_days if first <= day <= last]
    if question.policy is not None and known:
        # what a ranker has learned from cannot judge it
        evaluated = context.split(context.log_days[-1]).evaluate
        known = [day for day in known if day in evaluated]
    if not known:
        raise ConfigurationError(
            f"--days: none of these days has anything to judge by; the log has "
            f"{context.log_days[0]}..{context.log_days[-1]}"
        )
    return tuple(known)


def _features(context: Context, days: tuple[date, ...]) -> tuple[str, ...]:
    """What the regression of doubly robust estimates sees."""
    found = feature_columns(context, days)
    return found.every


def _with_ranker(context: Context, question: Question) -> tuple[Question, Ranker]:
    """The question with the ranker's title, and the ranker; the policy's first by default."""
    name = str(question.policy)
    partition = Partition("rankers", context.log_days[-1], name)
    if context.lake.manifest(partition) is None:
        raise ConfigurationError(
            f"--policy: the ranker of {name} is not built, `label-platform run` builds it, or "
            "says why not"
        )
    trained = {spec.title: ranker for spec, ranker in stored_rankers(context, partition)}
    _require_ranker(question, trained)
    # of the policy's rankers some may have been refused
    titles = [spec.title for spec in context.project.policy(name).rankers]
    title = question.ranker or next(each for each in [*titles, *trained] if each in trained)
    return replace(question, ranker=title), trained[title]


def _curve(
    context: Context, last_day: date, estimator: str | None
) -> tuple[PropensityCurve | None, str]:
    """The curve of the training days, and what it is; None where it must not be used."""
    try:
        day = context.split(context.log_days[-1]).train[-1]
    except SplitError:
        day = last_day
    partition = Partition("propensities", day)
    if context.lake.manifest(partition) is None:
        return None, f"there are no propensities of {day} to weigh clicks by"
    table = context.engine.frame(f"from {context.lake.scan('propensities', [day])}")
    known = sorted(table["estimator"].unique())
    if estimator is not None and estimator not in known:
        raise ConfigurationError(
            f"--curve: {estimator!r} was not estimated; {nearest(estimator, known)}"
        )
    rows = table[table["chosen"]] if estimator is None else table[table["estimator"] == estimator]
    curve = PropensityCurve.from_table(rows, context.problem.context)
    if curve.verdict.is_refusal:
        return None, f"{curve.estimator}: {curve.verdict}: {curve.reason}"
    return curve, f"{curve.estimator} ({curve.verdict}), taken as known"
