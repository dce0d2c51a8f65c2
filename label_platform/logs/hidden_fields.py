"""Names under which records tell people apart, or hold what they typed, in any spelling.

Logs call the same thing user_id, userId, User-ID or context_user_id: a name is its words, in
whatever case, apart or together.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

REDACTED_FIELDS = (
    "user",
    "user_id",
    "user_uid",
    "user_token",
    "user_pseudo_id",
    "user_name",
    "user_display_name",
    "uid",
    "uids",
    "session",
    "session_id",
    "session_token",
    "client_id",
    "customer_id",
    "member_id",
    "account_id",
    "login_id",
    "visitor_id",
    "visit_id",
    "anonymous_id",
    "cookie_id",
    "device_id",
    "ip",
    "ip_address",
    "client_ip",
    "remote_ip",
    "user_ip",
    "e_mail",
    "email_address",
    "phone",
    "phone_number",
)
"""Keys that tell people apart, in any format; their values are never kept in quarantine, and no
wildcard makes them features. Names of several words also count in the plural, and after other
words: context_user_ids."""

QUERY_TEXT_FIELDS = ("query_text", "user_query", "search_term", "query", "message")
"""Keys of what people typed; their values are kept in quarantine only where all of it is kept."""

_GAP = "[-_. ]?"


def name_pattern(hidden: Iterable[str]) -> str:
    """A regular expression, to be matched without case, of the names that are meant.

    Args:
        hidden: names as they stand above.
    """
    return "|".join(_pattern_of(name) for name in hidden)


def is_one_of(hidden: Iterable[str]) -> Callable[[str], bool]:
    """Tells whether a name is one of those that are meant.

    Args:
        hidden: names as they stand above.
    """
    return _matcher(tuple(hidden))


@lru_cache
def _matcher(hidden: tuple[str, ...]) -> Callable[[str], bool]:
    pattern = re.compile(name_pattern(hidden), re.IGNORECASE)
    return lambda name: pattern.fullmatch(name) is not None


def _pattern_of(name: str) -> str:
    words = name.split("_")
    return words[0] if len(words) == 1 else rf"[\w.-]*{_GAP.join(words)}s?"
