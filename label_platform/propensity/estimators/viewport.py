"""Propensities from logged visibility: the share of shown items that were on screen, by position.

    theta_k = (seen_k / n_k) / (seen_1 / n_1)

All four are sums over the same lists: those of the lengths that have position k. Lists of
different length are served to different people: position 1 of all lists would mix in people who
look at more or at less of what they are shown (.5 for a true 1 was measured).

n_k counts items served at position k, or those of them that were loaded. Which one is a choice
that changes the curve: lists that are fetched as people scroll load few items below the fold, and
nearly all that are loaded are seen. Labels that count every served impression need "served".

Interval: seen_k is a sum of binomial counts, one per length l. Its log has, with u = n - seen,
the variance v_k (delta method), and the two variances are added:

    v_k = sum_l (seen_kl u_kl / n_kl) / seen_k^2        log_error_k = sqrt(v_k + v_1)

With one length, v_k = u_k / (n_k seen_k). How shares differ between lengths is no part of v: it
moves both sides of the ratio alike. Lengths with fewer than 20 impressions at a position are
taken together there, as so few do not tell a share of their own. That is right for independent
counts. Both come from the same lists, and whoever has scrolled to k has as a rule also seen
position 1: the shares rise and fall together, their ratio varies less, and the interval errs on
the wide side. A count of 0 seen or of 0 unseen counts as 1/2, as no sample shows that a share is
exactly 0 or 1.

Traps: it says what was on screen, not what was looked at: eyes skip items on a screen, so the
curve is an upper bound on examination below the first screen and flat within it. Where a list is
logged only as far down as people scrolled, its length is what was seen: the curve is nearly flat.
"""

from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from label_platform.propensity.cells import Floats
from label_platform.propensity.estimate import Estimate, refused

_LEAST = 0.5
_FEW = 20
"""Impressions of a length at a position that do not tell its share: .5 to within .2."""


def estimate_viewport(
    served: ArrayLike,
    seen: ArrayLike,
    loaded: ArrayLike | None = None,
    given: Literal["served", "loaded"] = "served",
) -> Estimate:
    """P(on screen | position, served or loaded) relative to position 1.

    Args:
        served: impressions sent to the client by position, shape (K,); where lists differ in
            length, by position and length, shape (K, lengths).
        seen: those of them that were on screen, in the same shape.
        loaded: those of them that the client had loaded, in the same shape.
        given: what the propensity is conditional on. It is repeated in ``details["given"]``.

    Returns:
        The curve; nan at positions where nothing was served (or loaded) in lists that have
        position 1 too. ``impressions`` are the served (or loaded) ones of such lists and
        ``clicks`` those that were seen. ``details["share"]`` is the share seen, shape (K,).
        Refused if nothing was seen at position 1.

    Raises:
        ValueError: shapes differ, ``given="loaded"`` without ``loaded``, or counts contradict
            each other.
    """
    by_length = _checked(served, seen, loaded, given)
    shown, seen_counts = (each.sum(axis=1) for each in by_length)
    if not len(shown) or seen_counts[0] == 0:
        first = f"{shown[0]:,.0f} {given}" if len(shown) else f"0 {given}"
        reason = f"nothing was seen at position 1, of {first} there; the others are compared with"
        return refused(f"{reason} it", shown, seen_counts)
    compared = (by_length[0] > 0) & (by_length[0][:1] > 0)
    own = [np.where(compared, each, 0.0) for each in by_length]
    reference = [np.where(compared, each[:1], 0.0) for each in by_length]
    share, variance = _share(*own)
    reference_share, reference_variance = _share(*reference)
    error = np.sqrt(variance + reference_variance)
    error[0] = 0.0
    shown, seen_counts = (each.sum(axis=1) for each in own)
    details = {"given": given, "share": share}
    return Estimate(share / reference_share, error, shown, seen_counts, details=details)


def _share(shown: Floats, seen: Floats) -> tuple[Floats, Floats]:
    """The share seen at each position and the variance of its log, both shape (K,).

    Args:
        shown: by position and length, shape (K, lengths).
        seen: likewise.
    """
    few = shown < _FEW
    taken_together = [np.where(few, each, 0.0).sum(axis=1) for each in (shown, seen)]
    spread = np.where(few, 0.0, _binomial_variance(shown, seen)).sum(axis=1)
    spread = np.maximum(spread + _binomial_variance(*taken_together), _LEAST)
    total, counted = shown.sum(axis=1), np.maximum(seen.sum(axis=1), _LEAST)
    total = np.where(total > 0, total, np.nan)
    return counted / total, np.where(np.isnan(total), np.nan, spread / counted**2)


def _binomial_variance(shown: Floats, seen: Floats) -> Floats:
    """N p (1 - p) of each count, 0 where nothing was shown."""
    return seen * (shown - seen) / np.maximum(shown, 1.0)


def _checked(
    served: ArrayLike, seen: ArrayLike, loaded: ArrayLike | None, given: str
) -> tuple[Floats, Floats]:
    """What the shares are of, and how many of these were seen, shape (K, lengths) each."""
    if given not in {"served", "loaded"}:
        raise ValueError(f"given: expected served or loaded, found {given!r}")
    if given == "loaded" and loaded is None:
        raise ValueError("given='loaded' needs the counts of loaded items")
    steps = {"served": served, "seen": seen}
    if loaded is not None:
        steps = {"served": served, "loaded": loaded, "seen": seen}
    counts = {name: np.asarray(values, dtype=np.float64) for name, values in steps.items()}
    shapes = {name: values.shape for name, values in counts.items()}
    if len(set(shapes.values())) > 1 or counts["served"].ndim not in {1, 2}:
        expected = "one count per position, shape (K,), or per length too, shape (K, lengths)"
        raise ValueError(f"expected {expected}; found shapes {shapes}")
    if counts["served"].ndim == 1:
        counts = {name: values[:, None] for name, values in counts.items()}
    names = list(counts)
    for name, values in counts.items():
        if not (values >= 0).all():
            raise ValueError(f"{name}: expected counts of 0 or more, found {values.tolist()}")
    for more, fewer in pairwise(names):
        wrong = np.argwhere(counts[fewer] > counts[more])
        if len(wrong):
            position, length = wrong[0]
            raise ValueError(
                f"position {position + 1}: {counts[fewer][position, length]:,.0f} {fewer}, but "
                f"only {counts[more][position, length]:,.0f} {more}"
            )
    return counts[given], counts["seen"]
