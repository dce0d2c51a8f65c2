"""Looks at logs and says what a problem file for them would say."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from label_platform.first_contact.guess import choices
from label_platform.first_contact.guess.algolia import AlgoliaGuess
from label_platform.first_contact.guess.coveo import CoveoGuess
from label_platform.first_contact.guess.days import Days, find_days
from label_platform.first_contact.guess.facts import Facts, load_statements, read_facts
from label_platform.first_contact.guess.feature_choices import choose_features
from label_platform.first_contact.guess.ga4 import Ga4Guess
from label_platform.first_contact.guess.log_folder import find_logs
from label_platform.first_contact.guess.metarank import MetarankGuess
from label_platform.first_contact.guess.proposal import Proposal
from label_platform.first_contact.guess.recognition import Recognition, recognise_logs
from label_platform.first_contact.guess.samples import Sample
from label_platform.first_contact.guess.signals import SignalGuess, guess_signals
from label_platform.first_contact.guess.statements import FormatGuess
from label_platform.first_contact.guess.tables import (
    KuaiRandGuess,
    NativeGuess,
    OpenBanditGuess,
)
from label_platform.first_contact.guess.ubi import UbiGuess
from label_platform.lake import Engine
from label_platform.strict_yaml import ConfigurationError

_MEMORY = "1GB"
_GUESSES: Mapping[str, FormatGuess] = {
    guess.name: guess
    for guess in (
        AlgoliaGuess(),
        CoveoGuess(),
        Ga4Guess(),
        KuaiRandGuess(),
        MetarankGuess(),
        NativeGuess(),
        OpenBanditGuess(),
        UbiGuess(),
    )
}
_TELLS_NOTHING = {"logs", "log", "data", "raw", "export", "exports", "events", "files", "tmp"}


def look_at(where: str, problem_file: Path, name: str, today: date) -> Proposal:
    """Propose a problem file for logs.

    Args:
        where: a folder, a file or a glob.
        problem_file: where it will stand: its paths are relative to it.
        name: the problem's name.
        today: tells whether the log goes on.

    Raises:
        ConfigurationError: there are no logs, or none of a known format.
    """
    folder = find_logs(where)
    with Engine(memory_limit=_MEMORY) as engine:
        recognition = recognise_logs(engine, folder)
        return _propose(engine, recognition, problem_file, name, today)


def name_of(where: str) -> str:
    """A name for the problem: what the folder is called, or the one above it if that says nothing.

    Args:
        where: a folder, a file or a glob.
    """
    path = Path(where).expanduser().absolute()
    parts = [*reversed(path.parts)] if path.is_dir() else [*reversed(path.parent.parts)]
    for part in parts:
        name = re.sub(r"[^a-z0-9]+", "_", part.lower()).strip("_")[:60]
        name = name if not name[:1].isdigit() else f"logs_{name}"
        if name and name not in _TELLS_NOTHING:
            return name
    return "my_logs"


def _propose(
    engine: Engine, recognition: Recognition, problem_file: Path, name: str, today: date
) -> Proposal:
    guess = _GUESSES[recognition.format]
    roles = ("impressions", "interactions") if recognition.format == "native" else ("path",)
    sources = _sources(recognition, roles)
    samples = [sample for role in roles for sample in recognition.samples(role)]
    options = guess.options(engine, samples)
    values = {option.name: option.value for option in options}
    load_statements(engine, guess, samples, values)
    facts = read_facts(engine)
    signals = guess_signals(facts.signals, names_feedback=guess.names_feedback)
    days = _days(engine, guess, samples, recognition, roles, values, signals, today)
    features, item_features, outcomes = choose_features(engine, recognition, samples)
    end_date = choices.choose_end(days, today)
    return Proposal(
        name=name,
        opening=_opening(recognition, samples, facts, days),
        sources=tuple(sources),
        options=tuple(options),
        time_zone=choices.choose_zone(facts),
        start_date=choices.choose_start(days),
        end_date=end_date,
        last_day=days.last,
        days=days.shown,
        ids=choices.choose_ids(facts, guess.name),
        logs_folder=choices.relative(recognition.folder.folder, problem_file),
        signals=tuple(signals),
        context=choices.choose_context(facts),
        features=features,
        item_features=item_features,
        outcomes=outcomes,
        training=choices.choose_training(days, is_closed=end_date is not None),
        policies_folder=choices.choose_policies_folder(problem_file),
        policies=choices.choose_policies(facts),
        user_ids=choices.choose_user_ids(facts, guess.name),
        notes=(*choices.notes_on_lists(facts), *_notes(recognition)),
    )


def _sources(recognition: Recognition, roles: Sequence[str]) -> list[dict[str, Any]]:
    """The log sources: one, unless no single glob matches all files of a role."""
    globs = {role: recognition.globs(role) for role in roles}
    for role, found in globs.items():
        if not found:
            others = ", ".join(sorted({each for known in globs.values() for each in known}))
            raise ConfigurationError(
                f"{recognition.folder.folder}: found {others} but no {role}, expected both: name "
                f"a folder or a glob that has the {role} too"
            )
    items = recognition.globs("items")
    count = max(len(found) for found in (*globs.values(), items))
    return [
        {
            "format": recognition.format,
            # a source needs all of its keys; a file that two sources name is read once
            **{role: found[min(place, len(found) - 1)] for role, found in globs.items()},
            **({"items": items[min(place, len(items) - 1)]} if items else {}),
        }
        for place in range(count)
    ]


def _days(
    engine: Engine,
    guess: FormatGuess,
    samples: Sequence[Sample],
    recognition: Recognition,
    roles: Sequence[str],
    options: Mapping[str, Any],
    signals: Sequence[SignalGuess],
    today: date,
) -> Days:
    taken = [signal.name for signal in signals if signal.is_taken]
    taken += [
        str(each.settings["reversed_by"]) for each in signals if "reversed_by" in each.settings
    ]
    files = [file for role in roles for each in recognition.of(role) for file in each.files.files]
    days = find_days(engine, guess, samples, files, options, taken, today)
    if days is None:
        raise ConfigurationError(
            f"{recognition.folder.folder}: found {recognition.format} records but no impression "
            "with a time that can be read; labels need to know what was shown, and when"
        )
    return days


def _opening(
    recognition: Recognition, samples: Sequence[Sample], facts: Facts, days: Days
) -> tuple[str, ...]:
    files = sum(len(each.files.files) for each in recognition.logs)
    records = sum(sample.rows for sample in samples)
    events = ", ".join(f"{name} {count:,}" for name, count in list(facts.signals.items())[:8])
    looked_at = f"{records:,} records of {len(samples):,} of {files:,} files were looked at"
    span = f"{days.first_shown} to {days.last_shown}"
    lists = f"{facts.impressions:,} impressions in {facts.lists:,} lists, {span}"
    return (
        f"Logs of format {recognition.format}: {looked_at}.",
        f"Seen: {lists}; events: {events or 'none'}.",
    )


def _notes(recognition: Recognition) -> tuple[str, ...]:
    notes = []
    if recognition.unused:
        names = ", ".join(recognition.unused[:8])
        more = ", ..." if len(recognition.unused) > 8 else ""
        notes.append(f"not used, as no log of this format: {names}{more}")
    notes += [f"could not be read: {each}" for each in recognition.unreadable[:5]]
    return tuple(notes)
