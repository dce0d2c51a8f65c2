"""Single choices of a problem file, each with the evidence for it."""

import os
from datetime import date
from pathlib import Path

from label_platform.first_contact.guess.days import Days
from label_platform.first_contact.guess.facts import Facts
from label_platform.first_contact.guess.proposal import FEWEST_DAYS
from label_platform.first_contact.guess.statements import Option

CLOSED_AFTER_DAYS = 7
"""A log whose last record is older than this looks closed: logs that go on are younger."""

_LONGEST_TRAINING_DAYS = 28
_DEVICES = range(2, 21)


def choose_start(days: Days) -> Option:
    """The first day of the log; a record before it would be refused."""
    evidence = f"the first UTC day in {days.looked_at}"
    if days.strayed_since is not None:
        evidence += (
            f"; events since {days.strayed_since} are too old to belong to any impression, and are "
            "refused as outside_problem_days"
        )
    return Option("start_date", days.first, evidence, is_doubtful=not days.is_sure)


def choose_end(days: Days, today: date) -> Option | None:
    """The last day of a log that looks closed; a record after it would be refused."""
    age = (today - days.last).days
    if age <= CLOSED_AFTER_DAYS:
        return None
    evidence = (
        f"the log looks closed, its last record being {age} days old (more than "
        f"{CLOSED_AFTER_DAYS}); leave this out where the log goes on"
    )
    return Option("end_date", days.last, evidence, is_doubtful=not days.is_sure)


def choose_ids(facts: Facts, format_name: str) -> Option:
    """Whole numbers are several times faster, and cannot hold anything else."""
    if format_name != "native":
        return Option("ids", "string", f"lists of format {format_name} have ids that are text")
    if facts.integer_ids:
        return Option("ids", "integer", "all sampled ids of lists, queries and items are integers")
    return Option("ids", "string", "not all sampled ids of lists, queries and items are integers")


def choose_zone(facts: Facts) -> Option | None:
    """The zone of times that name none; only needed where there are such times."""
    if not facts.naive:
        return None
    evidence = f"{facts.naive:,} of {facts.timed:,} times name no zone"
    return Option("time_zone", "UTC", evidence, is_doubtful=True)


def choose_context(facts: Facts) -> Option:
    """What examination may depend on: the device, where there are several."""
    count = len(facts.devices)
    if count in _DEVICES:
        names = ", ".join(facts.devices[:5])
        return Option("context", ["device"], f"{count} devices: {names}")
    return Option("context", [], f"{count or 'no'} values of device were seen")


def choose_user_ids(facts: Facts, format_name: str) -> Option:
    """Keys wherever there are users; raw ids are for a person to allow."""
    if not facts.has_users:
        return Option("user_ids", "public", "no record names a user")
    if format_name == "kuairand":
        words = "records name users; of the published data set, whose ids are anonymous, say public"
        return Option("user_ids", "keyed", words)
    return Option("user_ids", "keyed", "records name users; a secret makes keys of their ids")


def choose_training(days: Days, *, is_closed: bool) -> Option:
    """The split of the days that there are."""
    found = days.shown
    evaluate = 2 if found >= 7 else 1
    window = max(1, min(found - 1 - evaluate, _LONGEST_TRAINING_DAYS))
    words = f"{found} days from the first impression to the last"
    if found < FEWEST_DAYS:
        words += f"; fewer than {FEWEST_DAYS} cannot be split, so the chain goes as far as labels"
    elif not is_closed:
        window, words = max(window, 14), f"{words} so far, and the log goes on"
    value = {"window": f"{window}d", "validate": "1d", "evaluate": f"{evaluate}d"}
    return Option("training", value, words)


def choose_policies(facts: Facts) -> Option:
    """Raw clicks always; what corrects for position only where lists were shuffled."""
    if facts.shuffled:
        evidence = (
            f"{facts.shuffled:,} of {facts.lists:,} lists were in random order, "
            "which is what debiasing needs"
        )
        return Option("use", ["raw_click", "ips_click", "coec_click"], evidence)
    evidence = "no list in random order was seen, and without any no bias can be measured"
    return Option("use", ["raw_click"], evidence)


def notes_on_lists(facts: Facts) -> list[str]:
    """Where lists of one item each leave one of the rankers without anything to learn."""
    if facts.impressions == 0 or facts.lists < facts.impressions:
        return []
    words = (
        f"all {facts.lists:,} lists that were looked at have one item: lambdarank will have "
        "nothing to compare and metrics over whole lists nothing to re-rank, so neither gives an "
        "answer; pointwise rankers are not concerned"
    )
    return [words]


def choose_policies_folder(problem_file: Path) -> Option:
    """The folder of label policies: the current project's, or the one of this installation."""
    candidates = [Path("policies").absolute(), Path(__file__).parents[3] / "policies"]
    for folder in candidates:
        if (folder / "raw_click.yaml").is_file():
            return Option("from", relative(folder, problem_file), "raw_click.yaml is there")
    evidence = "no folder with raw_click.yaml was found"
    return Option("from", relative(candidates[0], problem_file), evidence, is_doubtful=True)


def relative(folder: Path, problem_file: Path) -> str:
    """A folder as a problem file names it."""
    return Path(os.path.relpath(folder.resolve(), problem_file.parent.resolve())).as_posix()
