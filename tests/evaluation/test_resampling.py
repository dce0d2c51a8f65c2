import hashlib

import numpy as np
import pytest

from label_platform.evaluation import poisson_counts


def test_counts_are_poisson_with_mean_one() -> None:
    counts = poisson_counts(range(40_000), replicate=1, seed=0)

    shares = np.bincount(counts)[:4] / len(counts)
    assert shares == pytest.approx(np.exp(-1) / np.array([1, 1, 2, 6]), abs=4 * 0.5 / 200)


def test_counts_follow_from_the_key_alone() -> None:
    some = poisson_counts(["q1", "q2", "q3"], replicate=2, seed=5)
    others = poisson_counts(["q3", "q9", "q1"], replicate=2, seed=5)

    assert (some[0], some[2]) == (others[2], others[0])


def test_numbers_and_their_texts_are_the_same_key() -> None:
    keys = range(50)

    assert (poisson_counts(keys, 1, 0) == poisson_counts(map(str, keys), 1, 0)).all()


def test_replicates_and_seeds_differ() -> None:
    first = poisson_counts(range(100), replicate=1, seed=0)

    assert (first != poisson_counts(range(100), replicate=2, seed=0)).any()
    assert (first != poisson_counts(range(100), replicate=1, seed=1)).any()


def test_a_count_is_the_poisson_quantile_of_the_keys_md5() -> None:
    digest = hashlib.md5(b"7|3|shoes", usedforsecurity=False).digest()
    uniform = int.from_bytes(digest[:8], "big") / 2**64
    thresholds = np.cumsum(np.exp(-1) / np.array([1, 1, 2, 6, 24, 120]))

    expected = int((uniform >= thresholds).sum())

    assert poisson_counts(["shoes"], replicate=3, seed=7).tolist() == [expected]
