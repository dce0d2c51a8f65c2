"""What another policy would change in the finished training rows, where labels stay the same."""

from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from label_platform.examples import Split, SplitError
from label_platform.lake import Partition
from label_platform.pipeline.context import Context
from label_platform.pipeline.feature_leaks import FeatureLeakError
from label_platform.pipeline.policy_diff.movers import Mover
from label_platform.pipeline.policy_diff.training_movers import training_movers
from label_platform.pipeline.policy_diff.training_rows import (
    TrainingRows,
    built_rows,
    published_rows,
)
from label_platform.policy import (
    LabelDiff,
    Policy,
    PolicyRefusedError,
    label_diff,
    paired_rows_sql,
    rows_layout,
)
from label_platform.strict_yaml import ConfigurationError

REFUSALS = (FeatureLeakError, PolicyRefusedError)
"""Why a policy's training rows are not built: the reason stands in the error's words."""

Both = tuple[TrainingRows, TrainingRows]
_PAIRED = "compared_training_rows"
_MOST_IMPRESSIONS = 2_000_000
"""The most impressions that training rows are built from for a comparison, unless days are named:
features are joined and predictions fitted, which takes long where there are many."""


@dataclass(frozen=True)
class TrainingDiff:
    """How the finished training rows of two policies differ.

    Attributes:
        train: the training days that were compared.
        validate: the validation days that were compared.
        left_out: training and validation days that were not compared.
        published: of old and of new, whether the rows are those of the lake, not built for this.
        rows: how labels, weights and origins differ; None where there are none to compare.
        movers: the rows that move most, with their reasons.
        words: why there is nothing to compare, where that is so.
        seconds: that building all of the new rows took; None where they were not built.
        refused: whether the new rows are refused, on the days that would have been compared.
    """

    train: tuple[date, ...] = ()
    validate: tuple[date, ...] = ()
    left_out: int = 0
    published: tuple[bool, bool] = (False, False)
    rows: LabelDiff | None = None
    movers: tuple[Mover, ...] = ()
    words: str = ""
    seconds: float | None = None
    refused: bool = False

    def as_json(self) -> dict[str, Any]:
        """The difference for programs."""
        return asdict(self)


def training_diff(
    contexts: tuple[Context, Context], policies: tuple[Policy, Policy], days: tuple[date, date]
) -> TrainingDiff:
    """Compare the finished training rows of two policies whose labels are the same.

    Rows that the lake has and that are up to date are read. Others are built in a folder that goes
    away; where that is dear and no days were named, from the latest training days only.

    Args:
        contexts: the live lake, with the old policy in its project and with the new one.
        policies: old and new.
        days: the first and the last log day to look at.

    Raises:
        ConfigurationError: none of the days trains.
    """
    try:
        old, new = (context.split(context.log_days[-1]) for context in contexts)
    except SplitError as error:
        return TrainingDiff(words=str(error))
    every = {day for split in (old, new) for day in (*split.train, *split.validate)}
    chosen = {day for day in every if days[0] <= day <= days[1]}
    known: list[TrainingRows | None] = [None, None]
    if chosen == every:
        sides = zip(contexts, policies, (old, new), strict=True)
        known = [published_rows(*side) for side in sides]
        if None in known and days == (date.min, date.max):
            chosen = _affordable(contexts[0], (old, new))
            known = known if chosen == every else [None, None]
    splits = [
        _within(split, chosen, policy) for split, policy in zip((old, new), policies, strict=True)
    ]
    refusals = ["", ""]
    with ExitStack() as stack:
        for number, split in enumerate(splits):
            try:
                known[number] = known[number] or built_rows(
                    contexts[number], policies, number, split, stack
                )
            except REFUSALS as error:
                refusals[number] = str(error)
        before, after = known
        if before is None or after is None:
            words = "; ".join(dict.fromkeys(filter(None, refusals)))
            found = TrainingDiff(words=words, refused=after is None)
        else:
            found = _compared(contexts, (before, after), chosen)
    return replace(found, left_out=len(every - chosen))


def _affordable(context: Context, splits: tuple[Split, Split]) -> set[date]:
    """All validation days, and of the training days as many as the limit allows, at least one."""
    old, new = splits
    kept = {*old.validate, *new.validate}
    impressions = sum(_impressions(context, day) for day in kept)
    training = {*old.train, *new.train} - kept
    # a day that trains both comes first, so that each side has one
    shared = sorted({*old.train} & {*new.train}, reverse=True)
    for day in dict.fromkeys([*shared[:1], *sorted(training, reverse=True)]):
        impressions += _impressions(context, day)
        if impressions > _MOST_IMPRESSIONS and day not in shared[:1]:
            break
        kept.add(day)
    return kept


def _impressions(context: Context, day: date) -> int:
    return context.require(Partition("impression_signals", day)).rows


def _within(split: Split, chosen: set[date], policy: Policy) -> Split:
    """A split's days among those chosen."""
    train = tuple(day for day in split.train if day in chosen)
    if not train:
        raise ConfigurationError(
            f"--days: none of them trains {policy.name}; its training days are {split.train[0]} "
            f"to {split.train[-1]}"
        )
    # rows of a day of validation have to be built, though they are not compared then
    validate = tuple(day for day in split.validate if day in chosen) or split.validate[:1]
    return replace(split, train=train, validate=validate)


def _compared(contexts: tuple[Context, Context], sides: Both, chosen: set[date]) -> TrainingDiff:
    """The difference, of the parts that have days among those chosen."""
    old, new = sides
    train = sorted({*old.split.train, *new.split.train})
    validate = sorted({*old.split.validate, *new.split.validate} & chosen)
    live = contexts[0]
    shown = {"train": live.lake.scan("impression_signals", train)}
    if validate:
        shown["validate"] = live.lake.scan("impression_signals", validate)
    layout = rows_layout(
        live.problem, (old.policy, new.policy), (tuple(old.columns), tuple(new.columns))
    )
    parts = ", ".join(f"'{part}'" for part in shown)
    rows = [f"(from {side.relation} where part in ({parts}))" for side in sides]
    live.engine.execute(
        f"create or replace temp table {_PAIRED} as {paired_rows_sql(layout, shown, *rows)}"
    )
    found = label_diff(live.engine, layout, _PAIRED, moved_by=("label", "weight"))
    movers = training_movers(sides, layout, found)
    live.engine.execute(f"drop table {_PAIRED}")
    return TrainingDiff(
        tuple(train),
        tuple(validate),
        published=(old.published, new.published),
        rows=found,
        movers=movers,
        seconds=None if new.published or not new.is_whole else new.seconds,
    )
