"""What people leave behind: plays, seconds, likes, follows, comments, forwards, and when.

Only who really watched reacts, and the more interested the more often; how long a video is makes
no difference.
"""

import numpy as np
from numpy.typing import NDArray

from label_platform.logs.simulators.feedback import Events, Seen, as_ms, join_events
from label_platform.logs.simulators.retrieval import Floats
from label_platform.logs.simulators.short_video.videos import Offer
from label_platform.logs.simulators.short_video.watching import Feeds

SIGNALS = ("click", "watch_s", "like", "follow", "comment", "forward")
CLICK, WATCH, LIKE, FOLLOW, COMMENT, FORWARD = range(len(SIGNALS))

MAX_FOLLOW_DELAY_S = 6 * 3600
"""From the end of the video to the follow, on the creator's page."""
MAX_REACTION_DELAY_S = 1200
"""From the end of the video to the comment or to forwarding it."""

_PLAY_S = 2.0


def react(feeds: Feeds, offer: Offer, rng: np.random.Generator) -> Events:
    """All events that a day's feeds lead to, on whatever day they happen.

    A click is a play: the video was not skipped at once. Seconds are logged at the end of watching,
    also of what was skipped.
    """
    lists, positions = np.nonzero(feeds.looked_at)
    watch_s = feeds.watch_s[lists, positions]
    starts = feeds.starts_s[lists, positions]
    watched = feeds.watched[lists, positions]
    interest = feeds.interest[lists, positions]
    n, seen = len(lists), Seen(feeds, offer)

    def events(
        signal: int, rows: NDArray[np.bool_], after_s: Floats, value: Floats | None = None
    ) -> Events:
        of, at = lists[rows], positions[rows]
        return seen.events(signal, of, at, feeds.shown_at_ms[of] + as_ms(after_s[rows]), value)

    def reacts(least: float, most: float) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = watched & (rng.random(n) < least + most * interest**2)
        return found

    ends = starts + watch_s
    everything = np.ones(n, dtype=np.bool_)
    follow_s = np.minimum(rng.exponential(600, n), MAX_FOLLOW_DELAY_S)
    comment_s = np.minimum(rng.lognormal(3.5, 0.8, n), MAX_REACTION_DELAY_S)
    forward_s = np.minimum(rng.lognormal(2.5, 0.8, n), MAX_REACTION_DELAY_S)
    parts = [
        events(CLICK, watched, starts + np.minimum(watch_s, _PLAY_S)),
        events(WATCH, everything, ends, watch_s),
        events(LIKE, reacts(0.005, 0.25), starts + rng.random(n) * watch_s),
        events(FOLLOW, reacts(0.001, 0.05), ends + follow_s),
        events(COMMENT, reacts(0.001, 0.04), ends + comment_s),
        events(FORWARD, reacts(0.001, 0.04), ends + forward_s),
    ]
    return join_events(parts)
