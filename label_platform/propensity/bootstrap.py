"""Standard errors by a bootstrap over whole queries.

Clicks of one query depend on each other (the same people, the same items), so whole queries are
drawn with replacement, not impressions. The spread of log theta over replicates is its standard
error; intervals are symmetric on the log scale, where ratios of counts are nearly normal.
"""

from collections.abc import Callable, Iterator

import numpy as np

from label_platform.propensity.cells import Floats

REPLICATES = 200
_MAX_MISSING_SHARE = 0.05


def bootstrap_log_error(
    fit: Callable[[Floats], Floats],
    n_queries: int,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Floats:
    """The standard error of log propensity, shape (K,).

    Args:
        fit: propensities, shape (K,), from how often each query was drawn, shape (n_queries,);
            usually a fit of ``cells.reweighted(weights)`` that starts from the full estimate.
        n_queries: how many queries there are to draw from.
        replicates: how many times they are drawn.
        seed: of the draws; the same seed draws the same queries.

    Returns:
        nan at positions that more than 5% of the replicates could not estimate: an interval from
        the others would leave out just those that show how thin the evidence is.
    """
    return log_error_of([fit(weights) for weights in drawn_queries(n_queries, replicates, seed)])


def drawn_queries(n_queries: int, replicates: int, seed: int) -> Iterator[Floats]:
    """How often each replicate draws each query, shape (n_queries,)."""
    rng = np.random.default_rng(seed)
    chances = np.full(n_queries, 1 / n_queries)
    for _ in range(replicates):
        yield rng.multinomial(n_queries, chances).astype(np.float64)


def log_error_of(drawn: list[Floats]) -> Floats:
    """The spread of the logs of the replicates' propensities, as ``bootstrap_log_error`` says."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.stack(drawn))
    known = np.isfinite(logs)
    enough = known.mean(axis=0) >= 1 - _MAX_MISSING_SHARE
    logs = np.where(known & enough, logs, np.nan)
    error = np.full(logs.shape[1], np.nan)
    error[enough] = np.nanstd(logs[:, enough], axis=0, ddof=1)
    return error
