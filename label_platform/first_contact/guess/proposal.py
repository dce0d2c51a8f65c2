"""A problem file as far as logs tell it: every value with what was seen that says so."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from label_platform.first_contact.guess.signals import SignalGuess
from label_platform.first_contact.guess.statements import Option

FEWEST_DAYS = 3
"""One to train on, one to validate, one to evaluate."""


@dataclass(frozen=True)
class Proposal:
    """What a problem file will say.

    Attributes:
        name: the problem's name.
        opening: what was looked at, a line each.
        sources: the keys of each log source but its options and its time zone.
        options: the options that all log sources have.
        time_zone: the zone of times without one, where there are any.
        start_date: the first day.
        end_date: the last day of a log that looks closed; None where it goes on.
        last_day: the last day that was seen.
        days: how many days there are from the first impression to the last.
        ids: integer or string.
        logs_folder: relative to the problem file.
        signals: what was seen of feedback.
        context: columns that examination may depend on.
        features: globs of columns logged with the impression.
        item_features: globs of columns of the items.
        outcomes: numbers that were left out of the features, because they look like an outcome.
        training: the split of the days.
        policies_folder: relative to the problem file.
        policies: names, with the reason for them.
        user_ids: keyed or public.
        notes: what else a person should know.
    """

    name: str
    opening: tuple[str, ...]
    sources: tuple[Mapping[str, Any], ...]
    options: tuple[Option, ...]
    time_zone: Option | None
    start_date: Option
    end_date: Option | None
    last_day: date
    days: int
    ids: Option
    logs_folder: str
    signals: tuple[SignalGuess, ...]
    context: Option
    features: Option
    item_features: Option
    outcomes: tuple[str, ...]
    training: Option
    policies_folder: Option
    policies: Option
    user_ids: Option
    notes: tuple[str, ...] = field(default=())

    @property
    def doubtful(self) -> list[Option]:
        """What only a person can know."""
        several = [*self.options, self.time_zone, self.start_date, self.end_date, self.features]
        several += [self.item_features, self.policies_folder, self.user_ids]
        found = [each for each in several if each is not None and each.is_doubtful]
        if any(each.is_taken and not each.events for each in self.signals):
            found.append(Option("signals", "click", NO_CLICK, is_doubtful=True))
        return found

    @property
    def needs_secret(self) -> bool:
        """Whether the environment must hold a secret to make keys of user ids."""
        return self.user_ids.value == "keyed"

    @property
    def next_command(self) -> str:
        """The command that goes as far as these logs allow."""
        return "labels" if self.why_not_run else "run"

    @property
    def why_not_run(self) -> str:
        """Why the chain ends with labels; empty where it does not."""
        if self.days < FEWEST_DAYS:
            return f"{self.days} days of impressions cannot be split; training needs {FEWEST_DAYS}"
        if not self.features.value and not self.item_features.value:
            return "without features there is nothing that a ranker could learn from"
        return ""


NO_CLICK = "no click was seen, and policies such as raw_click need that signal"
