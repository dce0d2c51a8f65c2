"""Labels of watch time, against sums done by hand."""

from math import erf, expm1, sqrt

import pytest

from label_platform.explain import Fitted
from tests.explain.one_label import MakePolicy, at, numbers


@pytest.mark.parametrize(
    ("label", "watch_s", "duration", "expected"),
    [
        ("wt", 90, 60, 90 / 60),
        ("pc", 60, 60, 1),
        ("pc", 59, 60, 0),
        ("pcr", 45, 60, 45 / 60),
        ("pcr", 90, 60, 1),
    ],
)
def test_watch_time(
    make: MakePolicy, label: str, watch_s: float, duration: float, expected: float
) -> None:
    policy = make(signals={}, watch_time={"label": label})
    found = numbers(policy, at(1, duration_s=duration), watch_s=watch_s)
    assert found == {"label": expected, "weight": 1}


FITTED_WATCHING = [
    {"statistic": statistic, "name": "watch_s", "bucket": bucket, "at": at, "value": value}
    for statistic, bucket, at, value in [
        ("duration_bin", 0, 10.0, 50.0),
        ("duration_bin", 1, 60.0, 50.0),
        ("watch_percentile", 0, 2.0, 0.25),
        ("watch_percentile", 0, 6.0, 0.75),
        ("watch_percentile", 1, 30.0, 0.5),
        ("watch_mean", 0, 10.0, 4.0),
        ("watch_sd", 0, 10.0, 2.0),
        ("watch_mean", 1, 60.0, 30.0),
        ("watch_sd", 1, 60.0, 0.0),
        ("skipped_mean", 0, 8.0, 1.0),
        ("watched_mean", 0, 8.0, 6.0),
        ("skipped_mean", 1, 48.0, 3.0),
        ("watched_mean", 1, 48.0, 46.0),
    ]
]


@pytest.mark.parametrize(
    ("label", "watch_s", "duration", "expected"),
    [
        ("d2q", 3.0, 10.0, 0.25 + (0.75 - 0.25) * (3 - 2) / (6 - 2)),
        ("d2q", 1.0, 10.0, 0.25),
        ("d2q", 9.0, 4.0, 0.75),
        ("d2q", 3.0, 10.1, 0.5),
        ("d2q", 3.0, 900.0, 0.5),
        ("dvr", 4.0, 10.0, 0.5),
        ("dvr", 6.0, 10.0, (1 + erf(1 / sqrt(2))) / 2),
        ("dvr", 0.0, 10.0, (1 + erf(-2 / sqrt(2))) / 2),
        ("dvr", 59.0, 60.0, 0.5),
        ("d2co", 0.0, 8.0, 0.0),
        ("d2co", 1.0, 8.0, 0.0),
        ("d2co", 3.0, 8.0, expm1(0.3 * (3 - 1)) / expm1(0.3 * (6 - 1))),
        ("d2co", 6.0, 8.0, 1.0),
        # halfway between the two durations: q = 2, p = 26
        ("d2co", 20.0, 28.0, expm1(0.3 * (20 - 2)) / expm1(0.3 * (26 - 2))),
        # p is at most D
        ("d2co", 4.0, 5.0, expm1(0.3 * (4 - 1)) / expm1(0.3 * (5 - 1))),
    ],
)
def test_watch_time_among_videos_of_like_duration(
    make: MakePolicy, label: str, watch_s: float, duration: float, expected: float
) -> None:
    policy = make(signals={}, watch_time={"label": label})
    fitted = Fitted(statistics=FITTED_WATCHING)
    found = numbers(policy, at(1, duration_s=duration), fitted, watch_s=watch_s)
    assert found == {"label": round(expected, 6), "weight": 1}


def test_without_a_duration_there_is_no_label(make: MakePolicy) -> None:
    policy = make(signals={}, watch_time={"label": "pcr"})
    assert numbers(policy, at(1), watch_s=5) == {}
    assert numbers(policy, at(1, duration_s=0.0), watch_s=5) == {}
