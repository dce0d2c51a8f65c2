"""Values of segments that no impression has."""

from collections.abc import Collection

import pytest

from label_platform.policy import unseen_values
from tests.policy.conftest import MakePolicy

CLICK = {"click": {"gain": 2.0}}
NOWHERE = "occurs in none of the labelled impressions"


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        ({"device": ["tablet", "mobile"]}, []),
        ({"device": ["tablet"], "surface": ["home"]}, ["segments.1.when.device: 'mobile'"]),
        (
            {"device": ["mobile", "tv"], "surface": ["feed"]},
            ["segments.0.when.device: 'tablet'", "segments.1.when.surface: 'home'"],
        ),
        ({}, []),
    ],
)
def test_each_value_is_looked_for_in_its_own_column(
    make_policy: MakePolicy, seen: dict[str, Collection[str]], told: list[str]
) -> None:
    policy = make_policy(
        segments=[
            {"when": {"device": "tablet"}, "signals": CLICK},
            {"when": {"surface": "home", "device": ["mobile", "mobile"]}, "signals": CLICK},
        ]
    )
    assert [line.partition(f" {NOWHERE}")[0] for line in unseen_values(policy, seen)] == told


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (["tablet", "mobile"], "did you mean 'tablet'? they have: mobile, tablet"),
        (["tv"], "they have: tv"),
        ([], "they have: no value"),
        ([f"d{n}" for n in range(10)], "they have: d0, d1, d2, d3, d4, d5, d6, d7 and 2 more"),
    ],
)
def test_the_nearest_value_and_some_others_are_named(
    make_policy: MakePolicy, seen: list[str], told: str
) -> None:
    policy = make_policy(segments=[{"when": {"device": "tablett"}, "signals": CLICK}])
    assert list(unseen_values(policy, {"device": seen})) == [
        f"segments.0.when.device: 'tablett' {NOWHERE}; {told}"
    ]


def test_a_policy_without_segments_has_none(make_policy: MakePolicy) -> None:
    assert list(unseen_values(make_policy(), {"device": ["tv"]})) == []
