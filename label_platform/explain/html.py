"""An explanation as one page."""

from label_platform.explain.explanation import Explanation


def as_html(explanation: Explanation) -> str:
    """One self-contained page."""
    return explanation.title
