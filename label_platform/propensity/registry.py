"""The estimators by name: what each reads, what it takes for granted, how it is run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from label_platform.propensity.cells import Cells, Floats
from label_platform.propensity.estimate import Estimate, refused
from label_platform.propensity.estimators.affine import estimate_affine
from label_platform.propensity.estimators.cascade import estimate_cascade
from label_platform.propensity.estimators.dbn import estimate_dbn
from label_platform.propensity.estimators.dual_learning import estimate_dual_learning
from label_platform.propensity.estimators.harvest_adjacent import estimate_harvest_adjacent
from label_platform.propensity.estimators.harvest_all_pairs import estimate_harvest_all_pairs
from label_platform.propensity.estimators.pbm import estimate_pbm
from label_platform.propensity.estimators.pbm_em import estimate_pbm_em
from label_platform.propensity.estimators.regression_em import estimate_regression_em
from label_platform.propensity.estimators.swap import estimate_swap
from label_platform.propensity.estimators.ubm import estimate_ubm
from label_platform.propensity.estimators.viewport import estimate_viewport
from label_platform.propensity.list_clicks import ListClicks
from label_platform.propensity.log_statistics import Stratum

Reads = Literal["cells", "swapped", "lists", "views", "lists and features", "cells and features"]

_FEWER_REPLICATES = 50
"""Where a large log takes a minute: a standard error to within about 10%."""
_FEWEST_REPLICATES = 10
"""Where one fit takes a minute: a standard error to within about a quarter."""


@dataclass(frozen=True)
class Estimator:
    """One estimator of P(examined | position).

    Attributes:
        name: as a problem or policy names it.
        reads: what it needs.
        run: the estimate from a context's statistics, given the bootstrap's replicates.
        knows: misfits of the position model that it allows for: trust, cascade.
    """

    name: str
    reads: Reads
    run: Callable[[Stratum, int], Estimate]
    knows: frozenset[str] = frozenset()

    @property
    def needs_interventions(self) -> bool:
        """Whether items must have been seen at several positions."""
        return self.reads in {"cells", "swapped"}

    @property
    def takes_pooled(self) -> bool:
        """Whether items of equal exposure may be summed without changing its likelihood."""
        return self.name in {"pbm", "harvest_all_pairs", "harvest_adjacent"}


def _of_cells(function: Callable[[Cells, int], Estimate]) -> Callable[[Stratum, int], Estimate]:
    return lambda stratum, replicates: function(stratum.cells, replicates)


def _of_lists(
    function: Callable[[ListClicks, int], Estimate],
) -> Callable[[Stratum, int], Estimate]:
    def run(stratum: Stratum, replicates: int) -> Estimate:
        if stratum.lists is None:
            return _nothing(stratum, "no whole list was read")
        return _full_length(function(stratum.lists, replicates), stratum)

    return run


def _viewport(stratum: Stratum, _replicates: int) -> Estimate:
    if stratum.views is None:
        return _nothing(stratum, "no views are logged: the problem names no viewed_signal")
    return estimate_viewport(stratum.views[:, 0], stratum.views[:, 1])


def _affine(stratum: Stratum, replicates: int) -> Estimate:
    return estimate_affine(stratum.cells, replicates)


def _pbm_em(stratum: Stratum, replicates: int) -> Estimate:
    return estimate_pbm_em(stratum.cells, min(replicates, _FEWER_REPLICATES))


def _pbm_em_pyclick(stratum: Stratum, replicates: int) -> Estimate:
    return estimate_pbm_em(stratum.cells, min(replicates, _FEWER_REPLICATES), compatible=True)


def _regression_em(stratum: Stratum, replicates: int) -> Estimate:
    if stratum.cell_features is None or stratum.relevance is None:
        return _nothing(stratum, "no numeric feature to learn relevance from")
    return estimate_regression_em(
        stratum.cells,
        stratum.cell_features,
        stratum.relevance,
        replicates=min(replicates, _FEWEST_REPLICATES),
    )


def _dual_learning(stratum: Stratum, replicates: int) -> Estimate:
    if stratum.lists is None or stratum.list_features is None:
        return _nothing(stratum, "no numeric feature to learn relevance from")
    found = estimate_dual_learning(
        stratum.lists, _filled(stratum.list_features), replicates=replicates
    )
    return _full_length(found, stratum)


def _filled(features: Floats) -> Floats:
    """The features, a value that is missing taken to be the mean of those that are known.

    A linear ranker cannot go without it; after standardisation the mean says nothing either way.
    """
    known = np.isfinite(features)
    total = np.where(known, features, 0.0).sum(axis=0)
    return np.where(known, features, total / np.maximum(known.sum(axis=0), 1))


def _nothing(stratum: Stratum, reason: str) -> Estimate:
    nothing = np.zeros(stratum.positions)
    return refused(reason, nothing, nothing)


def _full_length(found: Estimate, stratum: Stratum) -> Estimate:
    """The estimate up to K: the lists that were read may be shorter than the longest of all."""
    missing = stratum.positions - len(found.propensity)
    if missing <= 0:
        return found
    unknown, none = np.full(missing, np.nan), np.zeros(missing)
    return Estimate(
        np.append(found.propensity, unknown),
        np.append(found.log_error, unknown),
        np.append(found.impressions, none),
        np.append(found.clicks, none),
        found.refusal,
        found.details,
    )


_CASCADE = frozenset({"cascade"})

ESTIMATORS = {
    each.name: each
    for each in (
        Estimator("swap", "swapped", lambda stratum, n: estimate_swap(stratum.swapped, n)),
        Estimator("harvest_all_pairs", "cells", _of_cells(estimate_harvest_all_pairs)),
        Estimator("harvest_adjacent", "cells", _of_cells(estimate_harvest_adjacent)),
        Estimator("pbm", "cells", _of_cells(estimate_pbm)),
        Estimator("pbm_em", "cells", _pbm_em),
        Estimator("pbm_em_pyclick", "cells", _pbm_em_pyclick),
        Estimator("affine", "cells", _affine, knows=frozenset({"trust"})),
        Estimator("regression_em", "cells and features", _regression_em),
        Estimator("cascade", "lists", _of_lists(estimate_cascade), _CASCADE),
        Estimator("dbn", "lists", _of_lists(estimate_dbn), _CASCADE),
        Estimator(
            "sdbn",
            "lists",
            _of_lists(lambda lists, n: estimate_dbn(lists, n, sdbn=True)),
            _CASCADE,
        ),
        Estimator("ubm", "lists", _of_lists(estimate_ubm), _CASCADE),
        Estimator("dual_learning", "lists and features", _dual_learning),
        Estimator("viewport", "views", _viewport, frozenset({"trust", "cascade"})),
    )
}
"""All but ``randomized``, which reads lists of one length together and stands by itself."""
