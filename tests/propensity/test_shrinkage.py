import numpy as np
import pytest

from label_platform.propensity.cells import Floats
from label_platform.propensity.shrinkage import shrink

Z = 1.96


def strata(
    seed: int, tau: float, n_strata: int = 8, positions: int = 10
) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    truth = -np.log(np.arange(1, positions + 1)) + rng.normal(0, tau, (n_strata, positions))
    error = rng.uniform(0.05, 0.4, (n_strata, positions))
    seen = truth + rng.normal(size=truth.shape) * error
    for values in (truth, error, seen):
        values[:, 0] = 0
    return truth, seen, error


@pytest.mark.parametrize("tau", [0.05, 0.2, 0.6])
@pytest.mark.parametrize("first_seed", [0, 1000])
def test_covers_the_truth_and_errs_less(tau: float, first_seed: int) -> None:
    covered, before, after = [], [], []
    for seed in range(first_seed, first_seed + 60):
        truth, seen, error = strata(seed, tau)
        shrunk, shrunk_error = shrink(seen, error)
        miss = np.abs(shrunk - truth)[:, 1:]
        covered.append((miss < Z * shrunk_error[:, 1:]).mean())
        after.append((miss**2).mean())
        before.append(((seen - truth)[:, 1:] ** 2).mean())
        assert (shrunk_error[:, 1:] < error[:, 1:]).all()

    assert 0.92 < np.mean(covered) < 0.98
    assert np.mean(after) < np.mean(before)


def test_strata_that_do_not_differ_all_get_the_mean() -> None:
    error = np.array([[0.0, 0.1, 0.2]] * 4 + [[0.0, 0.2, 0.4]])
    seen = np.array([[0.0, -0.7, -1.1]] * 4 + [[0.0, -0.6, -1.2]])

    shrunk, shrunk_error = shrink(seen, error)

    mean = [
        (4 * -0.7 / 0.1**2 - 0.6 / 0.2**2) / (4 / 0.1**2 + 1 / 0.2**2),
        (4 * -1.1 / 0.2**2 - 1.2 / 0.4**2) / (4 / 0.2**2 + 1 / 0.4**2),
    ]
    assert shrunk == pytest.approx(np.array([[0.0, *mean]] * 5))
    mean_error = [(4 / 0.1**2 + 1 / 0.2**2) ** -0.5, (4 / 0.2**2 + 1 / 0.4**2) ** -0.5]
    assert shrunk_error == pytest.approx(np.array([[0.0, *mean_error]] * 5))


def test_equal_errors_by_hand() -> None:
    seen = np.array([[0.0, value] for value in (-2.0, -1.0, 0.0, 1.0, 2.0)])
    error = np.array([[0.0, 0.5]] * 5)

    shrunk, shrunk_error = shrink(seen, error)

    tau_squared = 10 / 4 - 0.5**2  # sample variance less the errors'
    own = tau_squared / (tau_squared + 0.5**2)
    assert shrunk[:, 1] == pytest.approx(own * seen[:, 1])
    variance = own * 0.5**2 + (1 - own) ** 2 * (tau_squared + 0.5**2) / 5
    assert shrunk_error[:, 1] == pytest.approx(np.sqrt(variance))


def test_four_strata_are_left_alone() -> None:
    _, seen, error = strata(3, 0.1, n_strata=4)

    shrunk, shrunk_error = shrink(seen, error)

    assert (shrunk == seen).all()
    assert (shrunk_error == error).all()


def test_a_stratum_of_which_nothing_is_known_does_not_count() -> None:
    _, seen, error = strata(3, 0.1, n_strata=5)
    seen[2, 1:] = np.nan

    shrunk, _ = shrink(seen, error)

    assert np.array_equal(shrunk, seen, equal_nan=True)


def test_unknown_entries_stay_unknown_and_do_not_touch_the_others() -> None:
    _, seen, error = strata(4, 0.2, n_strata=7)
    seen[0, 3] = error[0, 3] = np.nan
    seen[1:, 9] = np.nan  # position 10 is known of one stratum only

    shrunk, shrunk_error = shrink(seen, error)

    assert np.array_equal(np.isnan(shrunk), np.isnan(seen))
    assert shrunk[0, 9] == pytest.approx(seen[0, 9])
    assert shrunk_error[0, 9] == pytest.approx(error[0, 9])
    assert (shrunk[:, 0] == 0).all()
    assert (shrunk_error[:, 0] == 0).all()
