"""Going back to an earlier champion: what the history of titles says."""

import pytest

from label_platform.tracking import TitleChange, earlier_champion, held_by_hand
from label_platform.tracking.champions import How


def history(*steps: tuple[How, str]) -> list[TitleChange]:
    changes, before = [], ""
    for number, (how, version) in enumerate(steps):
        changes.append(TitleChange(f"2026-10-0{number + 1}", version, before, how, "because"))
        before = version
    return changes


@pytest.mark.parametrize(
    ("steps", "earlier"),
    [
        ([], ""),
        ([("verdict", "1")], ""),
        ([("verdict", "1"), ("verdict", "2")], "1"),
        ([("verdict", "1"), ("by hand", "2"), ("verdict", "3")], "2"),
        # what was given up is not gone back to
        ([("verdict", "1"), ("verdict", "2"), ("verdict", "3"), ("rollback", "2")], "1"),
        ([("verdict", "1"), ("verdict", "2"), ("rollback", "1")], ""),
        ([("verdict", "1"), ("verdict", "2"), ("rollback", "1"), ("verdict", "3")], "1"),
        ([("verdict", "1"), ("verdict", "2"), ("retirement", "1"), ("verdict", "4")], "1"),
        # nobody was left
        ([("verdict", "1"), ("retirement", ""), ("verdict", "2")], ""),
        # again champion by hand
        ([("verdict", "1"), ("verdict", "2"), ("by hand", "1")], "2"),
    ],
)
def test_going_back(steps: list[tuple[How, str]], earlier: str) -> None:
    assert earlier_champion(history(*steps)) == earlier


def test_who_is_barred_is_passed_over() -> None:
    changes = history(("verdict", "1"), ("verdict", "2"), ("verdict", "3"))
    assert earlier_champion(changes, {"2"}) == "1"
    assert earlier_champion(changes, {"1", "2"}) == ""
    assert earlier_champion(changes, {"3"}) == "2"


def test_a_change_survives_its_tag() -> None:
    (change,) = history(("by hand", "7"))
    assert TitleChange.from_json(change.to_json()) == change


@pytest.mark.parametrize(
    ("hows", "held"),
    [
        ([], False),
        (["verdict"], False),
        (["verdict", "by hand"], True),
        (["by hand", "verdict", "verdict"], True),
        (["by hand", "release"], False),
        (["by hand", "release", "verdict"], False),
        (["by hand", "rollback"], False),
        (["by hand", "retirement", "verdict"], False),
        (["release", "by hand"], True),
    ],
)
def test_what_people_chose_stands_until_they_say_otherwise(hows: list[How], held: bool) -> None:  # noqa: FBT001
    changes = history(*((how, "1") for how in hows))
    assert held_by_hand(changes) == ("because" if held else "")
