"""Propensities from logged visibility: the share of shown items that were on screen, by position.

    share_k = seen_k / n_k,   theta_k = share_k / share_1

n_k counts items served at position k, or those of them that were loaded. Which one is a choice
that changes the curve: lists that are fetched as people scroll load few items below the fold, and
nearly all that are loaded are seen. Labels that count every served impression need "served".

Interval: with u = n - seen, each share's log has the binomial variance u / (n seen) (delta
method); the two variances are added:

    log_error_k = sqrt(u_k / (n_k seen_k) + u_1 / (n_1 seen_1))

That is right for independent counts. Both come from the same lists, and whoever has scrolled to
k has as a rule also seen position 1: the shares rise and fall together, their ratio varies less,
and the interval errs on the wide side. A count of 0 seen or of 0 unseen counts as 1/2, as no
sample shows that a share is exactly 0 or 1.

Traps: it says what was on screen, not what was looked at: eyes skip items on a screen, so the
curve is an upper bound on examination below the first screen and flat within it. Lists of
different length are served to different people: where lengths vary, counts of one length belong
in one table.
"""

from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from label_platform.propensity.cells import Floats
from label_platform.propensity.estimate import Estimate, refused

_LEAST = 0.5


def estimate_viewport(
    served: ArrayLike,
    seen: ArrayLike,
    loaded: ArrayLike | None = None,
    given: Literal["served", "loaded"] = "served",
) -> Estimate:
    """P(on screen | position, served or loaded) relative to position 1.

    Args:
        served: impressions sent to the client by position, shape (K,).
        seen: those of them that were on screen, shape (K,).
        loaded: those of them that the client had loaded, shape (K,).
        given: what the propensity is conditional on. It is repeated in ``details["given"]``.

    Returns:
        The curve; nan at positions where nothing was served (or loaded). ``impressions`` are the
        served (or loaded) ones and ``clicks`` those that were seen. ``details["share"]`` is the
        share seen, shape (K,). Refused if nothing was seen at position 1.

    Raises:
        ValueError: shapes differ, ``given="loaded"`` without ``loaded``, or counts contradict
            each other.
    """
    shown, seen_counts = _checked(served, seen, loaded, given)
    if not len(shown) or seen_counts[0] == 0:
        first = f"{shown[0]:,.0f} {given}" if len(shown) else f"0 {given}"
        reason = f"nothing was seen at position 1, of {first} there; the others are compared with"
        return refused(f"{reason} it", shown, seen_counts)
    known = shown > 0
    share = np.full(len(shown), np.nan)
    counted = np.maximum(seen_counts, _LEAST)
    np.divide(counted, shown, out=share, where=known)
    unseen = np.maximum(shown - seen_counts, _LEAST)
    variance = np.full(len(shown), np.nan)
    np.divide(unseen, shown * counted, out=variance, where=known)
    error = np.sqrt(variance + variance[0])
    error[0] = 0.0
    details = {"given": given, "share": share}
    return Estimate(share / share[0], error, shown, seen_counts, details=details)


def _checked(
    served: ArrayLike, seen: ArrayLike, loaded: ArrayLike | None, given: str
) -> tuple[Floats, Floats]:
    """What the shares are of, and how many of these were seen."""
    if given not in {"served", "loaded"}:
        raise ValueError(f"given: expected served or loaded, found {given!r}")
    if given == "loaded" and loaded is None:
        raise ValueError("given='loaded' needs the counts of loaded items")
    steps = {"served": served, "seen": seen}
    if loaded is not None:
        steps = {"served": served, "loaded": loaded, "seen": seen}
    counts = {name: np.asarray(values, dtype=np.float64) for name, values in steps.items()}
    shapes = {name: values.shape for name, values in counts.items()}
    if len(set(shapes.values())) > 1 or counts["served"].ndim != 1:
        raise ValueError(f"expected one count per position, shape (K,); found shapes {shapes}")
    names = list(counts)
    for name, values in counts.items():
        if not (values >= 0).all():
            raise ValueError(f"{name}: expected counts of 0 or more, found {values.tolist()}")
    for more, fewer in pairwise(names):
        wrong = np.flatnonzero(counts[fewer] > counts[more])
        if len(wrong):
            at = wrong[0]
            raise ValueError(
                f"position {at + 1}: {counts[fewer][at]:,.0f} {fewer}, but only "
                f"{counts[more][at]:,.0f} {more}"
            )
    return counts[given], counts["seen"]
