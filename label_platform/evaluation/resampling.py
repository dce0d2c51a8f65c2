"""Resampled training logs: whole queries drawn with replacement (Poisson bootstrap).

Each query counts Poisson(1) times, drawn from the md5 of seed, replicate and query: whatever rows
a policy keeps of a query, both sides of a comparison see it as often.
"""

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.special import pdtr

from label_platform.ranking import TrainingData

_CUMULATIVE = pdtr(np.arange(12), 1)
"""P(count <= n); more than 11 has a probability of 1e-9."""


def poisson_counts(keys: Iterable[object], replicate: int, seed: int) -> NDArray[np.int64]:
    """How often each key counts in a replicate.

    Args:
        keys: distinct keys, as text or numbers.
        replicate: which resample, from 1.
        seed: of the whole comparison.
    """
    salt = f"{seed}|{replicate}|".encode()
    digests = b"".join(
        hashlib.md5(salt + str(key).encode(), usedforsecurity=False).digest()[:8] for key in keys
    )
    uniform = np.frombuffer(digests, dtype=">u8").astype(np.float64) / 2.0**64
    return np.searchsorted(_CUMULATIVE, uniform, side="right").astype(np.int64)


def row_counts(train: TrainingData, replicate: int, seed: int) -> NDArray[np.int64]:
    """How often each training row counts in a replicate, the same for all rows of a query."""
    return poisson_counts(train.units.names.tolist(), replicate, seed)[train.units.codes]


def halves(keys: Iterable[object], seed: int) -> NDArray[np.bool_]:
    """Which keys are of the first of two random halves, by the md5 of seed and key."""
    salt = f"{seed}|half|".encode()
    first = [
        hashlib.md5(salt + str(key).encode(), usedforsecurity=False).digest()[0] < 128
        for key in keys
    ]
    return np.array(first, dtype=np.bool_)
