"""One day of feeds: what is shown, how far people look, for how long they watch.

People look from the top and stop after any video with a probability of their own, so that position
k is looked at with probability patience^(k-1), whatever stands there. What they look at they either
skip at once or watch. Who watches a video of D seconds sees the share
(0.45 + 0.9 interest) (D / 15)^-0.3 e^noise of it: at the same interest more seconds of a longer
video, but less of it. Zhan et al. 2022 (KDD) describe such a duration bias on a real platform.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from label_platform.logs.simulators.retrieval import Floats, Integers
from label_platform.logs.simulators.short_video.people import People, draw_visitors
from label_platform.logs.simulators.short_video.settings import ShortVideoSettings
from label_platform.logs.simulators.short_video.videos import Offer
from label_platform.logs.simulators.shown_lists import DAY_MS, ShownLists, rank

MOST_LOOPS = 2
"""Nobody watches a video more often than this in a row."""

_USUAL_DURATION_S = 15
_SHARE_EXPONENT = -0.3
_SHARE_SPREAD = 0.45
_SKIP_MEDIAN_S, _SKIP_SPREAD = 1.2, 0.5
_SWIPE_S = 0.5


@dataclass(frozen=True)
class Feeds(ShownLists):
    """One day of feeds, in which a visitor has one session; the query of a feed is its segment.

    Attributes:
        looked_at: whether the user came that far, shape (feeds, positions), as all below.
        interest: of this user in the video.
        watched: not skipped at once.
        watch_s: seconds of watching, also of what was skipped; 0 of what was not looked at.
        starts_s: seconds from the feed's arrival until the video begins to play.
    """

    looked_at: NDArray[np.bool_]
    interest: Floats
    watched: NDArray[np.bool_]
    watch_s: Floats
    starts_s: Floats

    def satisfaction(self) -> tuple[Integers, Integers, Floats]:
        """Who came, each once, with the number of feeds and the mean interest in what was seen."""
        visitors, row, n_feeds = np.unique(self.user, return_inverse=True, return_counts=True)
        seen = np.bincount(row, self.looked_at.sum(axis=1))
        liked = np.bincount(row, (self.interest * self.looked_at).sum(axis=1))
        return visitors, n_feeds, liked / seen


def watch_day(
    settings: ShortVideoSettings,
    offer: Offer,
    scores: Floats,
    people: People,
    day_number: int,
    day_start_ms: int,
) -> Feeds:
    """Simulates one day, given who is likely to come."""
    rng = np.random.default_rng([settings.seed, 2, day_number])
    n_lists = settings.lists_per_day
    user = draw_visitors(people, n_lists, rng)
    segment = people.segment[user]
    randomized = rng.random(n_lists) < settings.randomized_share
    by_chance = randomized | (settings.logger == "random")
    shown = rank(scores[segment], by_chance, settings.list_length, rng)
    video = np.take_along_axis(offer.candidates[segment], shown, axis=1)
    common = np.take_along_axis(offer.relevance[segment], shown, axis=1)
    interest = own_interest(common, people.taste[user], offer.videos.style[video])
    went_on = np.floor(np.log1p(-rng.random(n_lists)) / np.log(people.patience[user]))
    looked_at = np.arange(settings.list_length) <= went_on[:, None]
    watched = looked_at & (rng.random(shown.shape) < interest)
    watch_s = draw_watch_s(offer.videos.duration_s[video], interest, watched, rng) * looked_at
    ends = np.cumsum(watch_s + _SWIPE_S, axis=1)
    session = np.cumsum(np.diff(user, prepend=user[0]) > 0, dtype=np.int64)
    offset_ms = _draw_times(session, (ends * looked_at).max(axis=1), rng)
    order = np.argsort(offset_ms, kind="stable")
    return Feeds(
        request_id=day_number * n_lists + np.arange(1, n_lists + 1),
        query=segment[order],
        session_id=day_number * n_lists + session[order] + 1,
        user=user[order],
        device=people.device[user[order]],
        shown_at_ms=day_start_ms + offset_ms[order],
        randomized=randomized[order],
        shown=shown[order],
        looked_at=looked_at[order],
        interest=interest[order],
        watched=watched[order],
        watch_s=watch_s[order],
        starts_s=(ends - watch_s)[order],
    )


def own_interest(interest: Floats, taste: Floats, style: Floats) -> Floats:
    """What people feel whose segment's interest is given: its mean over all tastes is that.

    Args:
        interest: gamma of the segment, shape (feeds, positions).
        taste: unit vectors of the users, shape (feeds, dimensions).
        style: unit vectors of the videos, shape (feeds, positions, dimensions).

    Returns:
        gamma + cos(taste, style) gamma (1 - gamma), which lies in [0, 1].
    """
    cosine = np.einsum("fd,fpd->fp", taste, style)
    return np.asarray(interest + cosine * interest * (1 - interest), dtype=np.float64)


def draw_watch_s(
    duration_s: Floats, interest: Floats, watched: NDArray[np.bool_], rng: np.random.Generator
) -> Floats:
    """Seconds of what is looked at: a mixture of quick skips and of real watching.

    A video that would be watched for longer than it lasts stops at its end, unless it loops.

    Args:
        duration_s: of the videos.
        interest: of the users in them, of the same shape.
        watched: not skipped at once, of the same shape.
        rng: where chance comes from.
    """
    shape = duration_s.shape
    share = (0.45 + 0.9 * interest) * (duration_s / _USUAL_DURATION_S) ** _SHARE_EXPONENT
    share *= np.exp(_SHARE_SPREAD * rng.standard_normal(shape, dtype=np.float32))
    stops = rng.random(shape, dtype=np.float32) > 0.1 + 0.4 * interest
    share = np.where(stops, np.minimum(share, 1), np.minimum(share, MOST_LOOPS))
    skip_s = _SKIP_MEDIAN_S * np.exp(
        _SKIP_SPREAD * rng.standard_normal(shape, dtype=np.float32).astype(np.float64)
    )
    seconds = np.where(watched, share * duration_s, np.minimum(skip_s, duration_s))
    return np.maximum(seconds.round(1), 0.1)


def _draw_times(session: Integers, feed_s: Floats, rng: np.random.Generator) -> Integers:
    """Milliseconds since midnight of each feed; the next one is asked for when one is seen."""
    gap_ms = 1000 * (feed_s + rng.uniform(1, 20, len(feed_s)))
    end = np.cumsum(gap_ms)
    first = np.flatnonzero(np.diff(session, prepend=-1))
    last = np.append(first[1:], len(session)) - 1
    before = (end - gap_ms) - (end - gap_ms)[first][session]
    lasts = before[last] + gap_ms[last]
    # few at night, most in the evening; who never stops fills the day
    start = rng.beta(2.5, 1.6, len(first)) * np.maximum(DAY_MS - 1 - lasts, 0)
    midnight_to_feed: Integers = np.minimum(start[session] + before, DAY_MS - 1).astype(np.int64)
    return midnight_to_feed
