from collections.abc import Callable
from math import erf, exp, expm1, sqrt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import norm

from label_platform.crafting import compile_watch_time, fit_watch_time
from label_platform.crafting.duration_bins import numbered_sql
from label_platform.crafting.watch_gain import normal_cdf_sql
from label_platform.crafting.watched import watched_sql
from label_platform.lake import Engine
from label_platform.policy import LabelInputs, load_policy
from tests.crafting.conftest import labels, policy

Register = Callable[..., str]
ROOT = Path(__file__).parents[2]
SHIPPED = ("wt", "pc", "pcr", "d2q", "dvr", "d2co", "ef", "wt_ef", "d2q_ef", "dvr_ef")

SIX = [(10, 0), (10, 5), (10, 5), (10, 10), (100, 20), (100, 30)]
"""Four of ten seconds and two of a hundred."""


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("wt", [0 / 60, 5 / 60, 12 / 60, 99 / 60]),
        ("pc", [0, 0, 1, 0]),
        ("pcr", [0 / 10, 5 / 10, 1, 99 / 100]),
    ],
)
def test_labels_of_one_impression_by_hand(
    engine: Engine, impressions: Register, label: str, expected: list[float]
) -> None:
    shown = impressions([(10, 0), (10, 5), (10, 12), (100, 99)])
    found = labels(engine, policy(label), shown)
    assert [found[key] for key in range(4)] == pytest.approx(expected, abs=1e-6)


def test_d2q_by_hand(engine: Engine, impressions: Register) -> None:
    found = labels(engine, policy("d2q", bins=2), impressions(SIX))
    expected = {
        0: (0 + 1 / 2) / 4,
        1: (1 + 2 / 2) / 4,
        2: (1 + 2 / 2) / 4,
        3: (3 + 1 / 2) / 4,
        4: (0 + 1 / 2) / 2,
        5: (1 + 1 / 2) / 2,
    }
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("points", [3, 2500])
def test_d2q_is_the_same_whether_looked_up_or_joined_as_of(
    engine: Engine, impressions: Register, points: int
) -> None:
    # bins with few points are looked up by w, others are not
    fitted = impressions([(10, each / 8) for each in range(points)])
    asked = [0, 1 / 16, 1 / 8, 3 / 16, 2 / 8, points]
    other = impressions([(10, each) for each in asked], "asked")
    found = labels(engine, policy("d2q", bins=1), other, fitted)
    expected = [0.5, 1, 1.5, 2, 2.5, points - 0.5]
    assert [found[key] * points for key in range(6)] == pytest.approx(expected, abs=2e-3)


def test_d2q_of_what_was_not_fitted_is_that_of_the_nearest(
    engine: Engine, impressions: Register
) -> None:
    fitted = impressions(SIX)
    other = impressions([(3, 5), (10, 7), (10, 60), (50, 19), (900, 26)], "other")
    found = labels(engine, policy("d2q", bins=2), other, fitted)
    at_5, at_10, at_20, at_30 = (1 + 2 / 2) / 4, (3 + 1 / 2) / 4, (0 + 1 / 2) / 2, (1 + 1 / 2) / 2
    assert found == pytest.approx(
        {
            0: at_5,  # shorter than any: the first bin
            1: at_5 + (at_10 - at_5) * (7 - 5) / (10 - 5),
            2: at_10,  # watched for longer than anyone
            3: at_20,  # between two bins: the first that reaches up to it
            4: at_20 + (at_30 - at_20) * (26 - 20) / (30 - 20),
        },
        abs=1e-6,
    )


def test_dvr_by_hand(engine: Engine, impressions: Register) -> None:
    rows = [*SIX, (5, 2), (5, 2)]
    found = labels(engine, policy("dvr", bins=4), impressions(rows))
    sd = sqrt((5**2 + 0 + 0 + 5**2) / 4)  # the mean is (0 + 5 + 5 + 10) / 4 = 5
    far = (1 + erf((10 - 5) / sd / sqrt(2))) / 2
    above = (1 + erf((30 - 25) / 5 / sqrt(2))) / 2
    expected = {0: 1 - far, 1: 0.5, 2: 0.5, 3: far, 4: 1 - above, 5: above, 6: 0.5, 7: 0.5}
    assert found == pytest.approx(expected, abs=1e-6)


def test_d2co_by_hand(engine: Engine, impressions: Register) -> None:
    # two bins, each of two watch times, so that means are those: q, p = 2, 8 and 4, 48
    rows = [(10, 2), (10, 8)] * 5 + [(50, 4), (50, 48)] * 5
    fitted = impressions(rows)
    asked = [(10, 2), (10, 1), (10, 5), (10, 8), (10, 9), (30, 20), (60, 47), (60, 300), (5, 4.9)]
    other = impressions([*asked, (5, 5), (10, 0)], "other")
    found = labels(engine, policy("d2co", bins=2), other, fitted)
    # the mean of both lines at 30 seconds: q = (2 + 4) / 2, p = (8 + 48) / 2
    expected = [
        0,
        0,
        expm1(0.3 * (5 - 2)) / expm1(0.3 * (8 - 2)),
        1,
        1,
        expm1(0.3 * (20 - 3)) / expm1(0.3 * (28 - 3)),
        expm1(0.3 * (47 - 4)) / expm1(0.3 * (48 - 4)),
        1,
        # shorter than any bin: q of the nearest, p no more than the duration
        expm1(0.3 * (4.9 - 2)) / expm1(0.3 * (5 - 2)),
        1,
        0,
    ]
    assert [found[key] for key in range(11)] == pytest.approx(expected, abs=1e-6)


def test_d2co_of_hours_does_not_overflow(engine: Engine, impressions: Register) -> None:
    rows = [(9000, 100), (9000, 8900)] * 5
    other = impressions([(9000, 8890), (9000, 4000)], "other")
    found = labels(engine, policy("d2co", bins=1), other, impressions(rows))
    # (e^x - 1) / (e^y - 1) is e^(x - y) where both are huge
    assert found == pytest.approx({0: exp(-0.3 * 10), 1: 0}, abs=1e-6)


@pytest.mark.parametrize(("w", "expected"), [(0.0, 0), (4.0, 1)])
def test_d2co_where_all_watched_alike(
    engine: Engine, impressions: Register, w: float, expected: int
) -> None:
    found = labels(engine, policy("d2co"), impressions([(10, w)] * 8))
    assert set(found.values()) == {expected}


def test_who_has_no_duration_or_is_excluded_has_no_label(
    engine: Engine, impressions: Register
) -> None:
    shown = impressions(
        [(None, 5), (0, 5), (-3, 5), (float("nan"), 5), (10, 5), (10, 500)],
        excluded_reason=[None, None, None, None, None, "bot"],
    )
    for label in ("wt", "pc", "pcr", "d2q", "dvr", "d2co"):
        assert set(labels(engine, policy(label), shown)) == {4}


def test_nothing_to_fit_on_is_told(engine: Engine, impressions: Register) -> None:
    for rows in ([], [(0, 5), (None, 7)]):
        shown = impressions(rows)
        for label in ("d2q", "dvr", "d2co"):
            with pytest.raises(ValueError, match=r"no impression .* above 0 in 'duration_ms'"):
                fit_watch_time(policy(label), engine, shown)


def test_without_statistics_nothing_compiles_that_needs_them(impressions: Register) -> None:
    inputs = LabelInputs(impressions(SIX))
    with pytest.raises(ValueError, match="without label_statistics"):
        compile_watch_time(policy("dvr"), inputs)
    assert "label" in compile_watch_time(policy("pcr"), inputs)


def test_the_normal_distribution_function(engine: Engine) -> None:
    rows = engine.rows(
        f"select z, {normal_cdf_sql('z')} from"
        " (select (i - 4000) / 400.0::double as z from range(8001) as numbers(i))"
    )
    z, found = np.array(rows).T
    assert z.min() == -10
    assert z.max() == 10
    np.testing.assert_allclose(found, norm.cdf(z), atol=1e-11)


def test_the_normal_distribution_function_of_any_size(engine: Engine) -> None:
    sizes = "select unnest([40.0, 1e3, 1e17, -40, -1e3, -1e17, 0, -0.0])::double as z"
    found = [value for (value,) in engine.rows(f"select {normal_cdf_sql('z')} from ({sizes})")]
    assert found == pytest.approx([1, 1, 1, 0, 0, 0, 0.5, 0.5], abs=1e-11)


@pytest.mark.parametrize("most", [1, 2, 3, 30, 1000])
@pytest.mark.parametrize("missing", [0, 1])
def test_numbers_are_the_bounds_below(engine: Engine, most: int, missing: int) -> None:
    rng = np.random.default_rng(most)
    bounds = np.unique(rng.exponential(50, max(most - 1 - missing, 0)))
    asked = np.concatenate([bounds, rng.exponential(60, 500), [0, 1e7]])
    engine.register("asked", pa.table({"id": range(len(asked)), "d": asked}))
    engine.register("bounds", pa.table({"at": pa.array(bounds, pa.float64())}))
    listed = 'select coalesce(list("at" order by "at"), []) from bounds'
    rows = engine.rows(f"select bucket from {numbered_sql('asked', listed, most)} order by id")
    assert [number for (number,) in rows] == np.searchsorted(bounds, asked).tolist()


def test_watch_times_are_kept_within_what_can_be(engine: Engine) -> None:
    given = [-5.0, None, 0.0, 7.5, 1e7, 3e8, float("inf"), float("nan")]
    columns = {"impression_id": range(8), "watch_s": given, "duration_ms": [9000.0] * 8}
    engine.register("shown", pa.table(columns | {"excluded_reason": pa.nulls(8, pa.string())}))
    block = policy("wt").watch_time
    assert block is not None
    rows = engine.rows(f"select w from {watched_sql(block, 'shown')} order by impression_id")
    assert [w for (w,) in rows] == [0, 0, 0, 7.5, 1e7, 1e7, 1e7, 1e7]


def test_d2co_where_watching_means_less_than_skipping(
    engine: Engine, impressions: Register
) -> None:
    # q of the nearest bin is 20 s, of videos of 15 s and 20 s p is their length
    fitted = impressions([(100, 20), (100, 80)] * 5)
    asked = impressions([(15, 14), (15, 15), (20, 19.9), (20, 20), (15, 0), (21, 20.5)], "asked")
    found = labels(engine, policy("d2co", bins=1), asked, fitted)
    half = expm1(0.3 * (20.5 - 20)) / expm1(0.3 * (21 - 20))
    assert [found[key] for key in range(6)] == pytest.approx([0, 1, 0, 1, 0, half], abs=1e-6)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_policies_label_every_impression(
    engine: Engine, impressions: Register, name: str
) -> None:
    shown = impressions(SIX, like=[0.0, 1, 0, 0, 0, 0], follow=[0.0] * 6, comment=[0.0] * 6,
                        forward=[0.0, 1, 0, 0, 0, 1])  # fmt: skip
    spec = load_policy(ROOT / "policies" / f"{name}.yaml")
    assert set(labels(engine, spec, shown)) == set(range(6))
