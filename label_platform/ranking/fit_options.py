"""What one fit of several on the same rows is told."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from label_platform.ranking.comparable_lists import Floats

Watch = Callable[[int, float], None]


@dataclass(frozen=True, eq=False)
class Start:
    """Scores that training goes on from.

    Attributes:
        train: of each training row.
        validate: of each validation row, where there are such rows.
    """

    train: Floats
    validate: Floats | None


@dataclass(frozen=True)
class FitOptions:
    """One fit of several on the same rows.

    Attributes:
        rounds: the most trees, of each booster, where the ranker does not say it itself.
        seed: of LightGBM.
        multiplicity: how often each row counts; rows with 0 are left out.
        threads: that LightGBM may use; the trees do not depend on it.
        watch: is told after each round which one it was, from 1, and what LightGBM's metric says
            of the validation rows, higher is better; what it raises ends the fit.
    """

    rounds: int
    seed: int
    multiplicity: NDArray[np.integer] | None = None
    threads: int = 1
    watch: Watch | None = None
