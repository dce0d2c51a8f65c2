"""Which format a file is of, told by its columns."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Signature:
    """Columns by which files of a format are known.

    Attributes:
        format: the format's name; empty for items, which any format may have beside it.
        role: what the files hold, as the key of a log source; ``beside`` for what a reader finds
            by itself.
        required: columns that are all there.
        one_of: columns of which one is there.
        without: columns that are not there.
    """

    format: str
    role: str
    required: tuple[str, ...]
    one_of: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def fits(self, columns: set[str]) -> bool:
        """Whether a file with these columns is one of these files."""
        has_one = not self.one_of or bool(columns & set(self.one_of))
        return has_one and columns >= set(self.required) and not columns & set(self.without)


SIGNATURES = (
    Signature("ubi", "path", ("action_name", "timestamp")),
    Signature(
        "ubi",
        "path",
        ("user_query",),
        ("query_id", "query_attributes", "query_response_id", "query_response_hit_ids"),
    ),
    Signature("algolia", "path", ("eventType",), ("userToken", "objectIDs")),
    Signature("ga4", "path", ("event_name", "event_timestamp")),
    Signature("coveo", "path", (), ("searchQueryUid", "lastSearchQueryUid")),
    Signature("metarank", "path", ("event", "timestamp"), ("items", "ranking", "item")),
    Signature("kuairand", "path", ("user_id", "video_id", "time_ms")),
    Signature(
        "open_bandit", "path", ("timestamp", "item_id", "position", "click", "propensity_score")
    ),
    Signature("open_bandit", "beside", ("item_id", "item_feature_0")),
    Signature(
        "native",
        "impressions",
        ("request_id", "item_id", "position", "shown_at"),
        ("query_id", "query_text"),
    ),
    Signature(
        "native",
        "interactions",
        ("item_id", "signal", "occurred_at"),
        ("request_id", "user_id", "session_id"),
    ),
    Signature(
        "",
        "items",
        ("item_id",),
        without=("request_id", "query_id", "query_text", "user_id", "position", "signal"),
    ),
)
FORMATS = tuple(dict.fromkeys(each.format for each in SIGNATURES if each.format))


def recognise(columns: Iterable[str]) -> Signature | None:
    """The signature that fits a file's columns: the first, as the broader ones come last."""
    found = set(columns)
    return next((each for each in SIGNATURES if each.fits(found)), None)


def nearest_format(columns: Iterable[str]) -> str:
    """Which format comes nearest to columns that fit none, and what it would need."""
    names = sorted(columns)
    scores = [(_share(each, names), each) for each in SIGNATURES if each.format]
    share, best = max(scores, key=lambda each: each[0])
    formats = ", ".join(FORMATS)
    if share == 0:
        return f"no format has any of these keys; formats: {formats}"
    absent = [_with_hint(name, names) for name in best.required if name not in names]
    if best.one_of and not set(best.one_of) & set(names):
        absent.append(" or ".join(best.one_of))
    what = best.format if best.role == "path" else f"{best.format} {best.role}"
    return f"nearest: {what}, which would need {', '.join(absent)}; formats: {formats}"


def _share(signature: Signature, names: list[str]) -> float:
    """How much of a signature is there; a name that is nearly there counts for half."""
    wanted = list(signature.required)
    if signature.one_of:
        chosen = [name for name in signature.one_of if name in names]
        wanted.append(chosen[0] if chosen else signature.one_of[0])
    scores = [1 if name in names else 0.5 if _similar(name, names) else 0 for name in wanted]
    return sum(scores) / len(wanted)


def _with_hint(name: str, names: list[str]) -> str:
    similar = _similar(name, names)
    return f"{name} (found {similar})" if similar else name


def _similar(name: str, names: list[str]) -> str:
    lower = {each.lower().replace("_", ""): each for each in names}
    close = difflib.get_close_matches(name.replace("_", ""), lower, n=1, cutoff=0.75)
    return lower[close[0]] if close else ""
