import numpy as np
import pandas as pd
import pytest
from numpy.typing import ArrayLike
from scipy.stats import t as student

from label_platform.evaluation import compare
from label_platform.evaluation.comparison import COLUMNS
from label_platform.evaluation.estimates import Estimate, FitValues, estimate, holm
from label_platform.evaluation.metrics import Floats

ARM = {"ranker": "pointwise", "objective": "pointwise", "grain": "impression"}


def side(numerator: ArrayLike, denominator: ArrayLike | None = None) -> FitValues:
    numerator = np.asarray(numerator, dtype=float)
    ones = np.ones_like(numerator)
    queries = np.array([f"q{n}" for n in range(len(numerator))])
    return FitValues(queries, numerator, ones if denominator is None else np.asarray(denominator))


def rows(policy: str, name: str, values: Floats, yardstick: str = "y") -> pd.DataFrame:
    """Evaluation rows of one side; values of shape (queries, fits)."""
    queries, fits = np.indices(values.shape)
    return pd.DataFrame(
        {
            "policy": policy,
            **ARM,
            "side": name,
            "fit": fits.ravel(),
            "yardstick": yardstick,
            "slice": "all",
            "query_id": [f"q{n}" for n in queries.ravel()],
            "numerator": values.ravel(),
            "denominator": 1.0,
            "refused": None,
            "lists": 50,
            "positives": 7,
            "days": 2,
            "randomized_share": 0.25,
        }
    )


def noisy(level: float, seed: int = 0) -> Floats:
    return level + np.random.default_rng(seed).normal(0, 0.01, (50, 6))


def test_value_is_the_main_fits_and_the_error_adds_fits_and_queries() -> None:
    found = estimate(side([[0.5, 0.4, 0.6], [0.9, 0.8, 1.0]]))

    fits = np.var([0.6, 0.8], ddof=1)
    queries = np.var([-0.2, 0.2], ddof=1) / 2
    assert found.value == pytest.approx(0.7)
    assert found.standard_error == pytest.approx(np.sqrt(fits + queries))
    assert found.fit_error == pytest.approx(np.sqrt(fits))
    assert found.query_error == pytest.approx(np.sqrt(queries))
    assert (found.fits, found.queries) == (2, 2)


def test_more_fits_of_one_log_do_not_shrink_the_interval() -> None:
    few = np.tile([0.0, 1.0, -1.0], (4, 1))
    many = np.tile([0.0, *([1.0, -1.0] * 50)], (4, 1))

    assert estimate(side(many)).standard_error == pytest.approx(1.0, abs=0.01)
    assert estimate(side(few)).standard_error == pytest.approx(np.sqrt(2))


def test_queries_weigh_as_much_as_their_lists() -> None:
    found = estimate(side([[3.0] * 3, [1.0] * 3], [[4.0] * 3, [1.0] * 3]))

    deviations = np.array([3 - 0.8 * 4, 1 - 0.8 * 1]) / 2.5
    assert found.value == pytest.approx((3 + 1) / (4 + 1))
    assert found.standard_error == pytest.approx(np.sqrt(np.var(deviations, ddof=1) / 2))


def test_a_difference_is_paired_by_query_and_fit() -> None:
    baseline = np.random.default_rng(0).normal(size=(30, 6))

    found = estimate(side(baseline + 0.25), side(baseline))

    assert found.value == pytest.approx(0.25)
    assert found.standard_error == pytest.approx(0, abs=1e-12)


def test_sides_of_other_queries_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="same queries"):
        estimate(side(np.ones((2, 3))), side(np.ones((3, 3))))


@pytest.mark.parametrize("shape", [(5, 2), (1, 6)])
def test_one_resample_or_one_query_gives_no_interval(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="an interval needs 2 of each"):
        estimate(side(np.ones(shape)))


def test_without_an_error_over_queries_the_interval_is_students_over_fits() -> None:
    found = estimate(side([[0.5, 0.4, 0.6, 0.5], [0.7, 0.6, 0.8, 0.7]]))

    spread = np.std([0.5, 0.7, 0.6], ddof=1)
    half = student.ppf(0.95, 2) * spread
    found = Estimate(found.value, found.fit_error, 0.0, found.fits, found.queries)
    assert found.interval(0.9) == pytest.approx((0.6 - half, 0.6 + half))
    assert found.p_value == pytest.approx(2 * student.sf(0.6 / spread, 2))


def test_without_an_error_over_fits_the_interval_is_students_over_queries() -> None:
    found = estimate(side([[0.5] * 3, [0.9] * 3, [0.6] * 3]))

    error = np.std([0.5, 0.9, 0.6], ddof=1) / np.sqrt(3)
    half = student.ppf(0.95, 2) * error
    assert found.interval(0.9) == pytest.approx((2 / 3 - half, 2 / 3 + half))
    assert found.p_value == pytest.approx(2 * student.sf(2 / 3 / error, 2))


def test_without_any_error_the_interval_is_a_point() -> None:
    found = estimate(side([[0.5] * 3] * 3))

    assert found.interval(0.95) == (0.5, 0.5)
    assert found.p_value == 0


def test_holm_multiplies_by_the_number_of_hypotheses_left() -> None:
    found = holm(np.array([0.03, 0.01, 0.04]))

    assert found.tolist() == pytest.approx([2 * 0.03, 3 * 0.01, 2 * 0.03])
    assert holm(np.array([0.6, 0.7])).tolist() == [1.0, 1.0]


def test_verdicts_are_words_and_the_layout_is_fixed() -> None:
    evaluations = pd.concat(
        [
            rows("raw_click", "contender", noisy(0.5)),
            rows("good", "contender", noisy(0.6, 1)),
            rows("good", "baseline", noisy(0.5, 2)),
            rows("bad", "contender", noisy(0.4, 3)),
            rows("bad", "baseline", noisy(0.5, 2)),
            rows("same", "contender", noisy(0.5, 2)),
            rows("same", "baseline", noisy(0.5, 2)),
        ]
    )

    table = compare(evaluations).set_index("policy")

    assert list(table.reset_index().columns) == list(COLUMNS)
    assert table["verdict"].to_dict() == {
        "bad": "worse than raw_click",
        "good": "better than raw_click",
        "raw_click": "baseline",
        "same": "no difference shown",
    }
    assert table.loc["good", "difference"] == pytest.approx(0.1, abs=0.01)
    assert table.loc["good", "difference_low"] > 0
    assert np.isnan(table.loc["raw_click", "difference"])
    assert table.loc["same", "p_value"] == 1
    assert set(table["fits"]) == {5}
    assert set(table["queries"]) == {50}


def test_a_difference_that_holm_does_not_allow_is_not_called_one() -> None:
    baseline = np.zeros((50, 6))
    effect = np.random.default_rng(0).normal(size=(50, 1))
    effect = (effect - effect.mean()) / effect.std(ddof=1) + 2.3 / np.sqrt(50)  # z = 2.3
    parts = [rows("p", "contender", baseline + effect, f"y{n}") for n in range(4)]
    parts += [rows("p", "baseline", baseline, f"y{n}") for n in range(4)]

    alone = compare(pd.concat([parts[0], parts[4]]))
    among_four = compare(pd.concat(parts))

    assert alone["verdict"].tolist() == ["better than raw_click"]
    assert among_four["verdict"].tolist() == ["no difference shown"] * 4
    assert "alone" in among_four["reason"][0]


def test_a_refused_fit_refuses_the_row_and_shows_no_number() -> None:
    refused = rows("p", "contender", noisy(0.6)[:1, :1]).assign(
        query_id=None, numerator=np.nan, denominator=np.nan, refused="no_overlap: 3 clicks"
    )
    evaluations = pd.concat(
        [refused, rows("p", "contender", noisy(0.6))[6:], rows("p", "baseline", noisy(0.5))]
    )

    row = compare(evaluations).iloc[0]

    assert row["verdict"] == "refused: no_overlap: 3 clicks"
    assert row[["value", "ci_low", "difference", "p_value", "baseline_value"]].isna().all()


def test_a_refused_baseline_leaves_the_value_but_no_difference() -> None:
    refused = rows("p", "baseline", noisy(0.5)[:1, :1]).assign(
        query_id=None, refused="no positives"
    )

    row = compare(pd.concat([rows("p", "contender", noisy(0.6)), refused])).iloc[0]

    assert row["value"] == pytest.approx(0.6, abs=0.01)
    assert np.isnan(row["difference"])
    assert row["verdict"] == "refused: no difference: no positives"


def test_rows_may_come_in_any_order() -> None:
    evaluations = pd.concat(
        [rows("p", "contender", noisy(0.6, 1)), rows("p", "baseline", noisy(0.5, 2))]
    )

    pd.testing.assert_frame_equal(
        compare(evaluations), compare(evaluations.sample(frac=1, random_state=0))
    )


@pytest.mark.parametrize("fits", [3, 5, 10])
def test_what_only_the_main_fit_finds_is_not_sure(fits: int) -> None:
    # resampled fits are those of the baseline to the last bit; the main fit ranks some lists anew
    rng = np.random.default_rng(fits)
    base = np.repeat(rng.random((200, 1)), fits + 1, axis=1)
    ranked = base.copy()
    ranked[:, 0] += np.where(rng.random(200) < 0.1, rng.normal(0.065, 0.3, 200), 0.0)
    found = estimate(side(ranked), side(base))

    gains = (ranked - base)[:, 0]
    own = gains.std(ddof=1) / np.sqrt(200)
    assert found.value == pytest.approx(gains.mean())
    assert found.standard_error >= own * (1 - 1e-12)
    # the spread of x, 0, 0, ... is x / sqrt(fits + 1): one of them is the odd one
    assert found.fit_error == pytest.approx(abs(gains.mean()) / np.sqrt(fits + 1))
    assert found.p_value > 0.02


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_value_is_surer_than_its_own_queries_make_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for spread in (0.0, 0.01, 1.0):
        fitted = rng.random((40, 6)) * spread + rng.random((40, 1))
        fitted[:, 0] += rng.normal(0, 1, 40)
        found = estimate(side(fitted))
        assert found.standard_error >= fitted[:, 0].std(ddof=1) / np.sqrt(40) * (1 - 1e-12)
