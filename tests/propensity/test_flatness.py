import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from label_platform.propensity import flatness_p_value


def lists(*cells: tuple[int, int, int, int]) -> pd.DataFrame:
    return pd.DataFrame(list(cells), columns=["length", "position", "impressions", "clicks"])


def test_one_list_length_gives_pearsons_test() -> None:
    # Rates .03 and .01 around .02: chi2 = 2 * 10^2/20 + 2 * 10^2/980, one degree of freedom.
    pearson = 2 * 100 / 20 + 2 * 100 / 980
    statistics = lists((2, 1, 1000, 30), (2, 2, 1000, 10))
    assert flatness_p_value(statistics) == pytest.approx(chi2.sf(pearson * 1999 / 2000, 1))


def test_list_lengths_are_not_mixed_up() -> None:
    # Within a length every position is clicked alike; together position 1 looks far better.
    statistics = lists((1, 1, 9000, 4500), (3, 1, 9000, 90), (3, 2, 9000, 90), (3, 3, 9000, 90))
    assert flatness_p_value(statistics) == pytest.approx(1)


def test_list_lengths_that_agree_add_up() -> None:
    alone = flatness_p_value(lists((2, 1, 1000, 26), (2, 2, 1000, 14)))
    cells = (lists((n, 1, 1000, 26), (n, 2, 1000, 14)) for n in (2, 3, 4))
    assert flatness_p_value(pd.concat(cells)) < alone / 10


@pytest.mark.parametrize(
    "statistics",
    [
        lists(),
        lists((1, 1, 1, 1)),
        lists((1, 1, 900, 90)),
        lists((2, 1, 900, 0), (2, 2, 900, 0)),
        lists((2, 1, 900, 900), (2, 2, 900, 900)),
    ],
)
def test_nothing_to_compare_gives_one(statistics: pd.DataFrame) -> None:
    assert flatness_p_value(statistics) == 1


def test_p_values_of_flat_curves_are_uniform() -> None:
    generator = np.random.default_rng(11)
    p_values = [
        flatness_p_value(
            lists(
                *(
                    (length, k, 2000, int(generator.binomial(2000, 0.3 / length)))
                    for length in (3, 5)
                    for k in range(1, length + 1)
                )
            )
        )
        for _ in range(200)
    ]
    # 10 of 200 expected below .05 (sd 3.1), 100 below .5 (sd 7.1).
    assert 3 <= sum(p < 0.05 for p in p_values) <= 20
    assert 80 <= sum(p < 0.5 for p in p_values) <= 120
