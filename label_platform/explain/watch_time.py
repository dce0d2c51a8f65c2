"""Labels made of how long a video was watched, computed from their definitions.

With w the seconds watched and D the duration in seconds:

    wt    w / unit_s
    pc    1 where w >= D, else 0
    pcr   min(w/D, 1)
"""

from label_platform.explain.evidence import Shown
from label_platform.explain.steps import Number, Steps
from label_platform.policy.label_spec import WatchTime


class UnknownLabelError(NotImplementedError):
    """A kind of label that cannot be computed again here."""


def watched(spec: WatchTime, shown: Shown, watch_s: float, steps: Steps) -> float | None:
    """The label of an impression; None where its duration is not known or not above 0.

    Args:
        spec: the policy's block.
        shown: the impression, with its duration's column.
        watch_s: w.
        steps: get the arithmetic.

    Raises:
        UnknownLabelError: the block asks for another kind of label.
    """
    given = shown.columns.get(spec.duration)
    duration_s = float(given) / (1000 if spec.duration_unit == "ms" else 1) if given else 0.0
    numbers: dict[str, Number] = {"w": watch_s, "D": duration_s}
    if duration_s <= 0:
        steps.add("duration", f"{spec.duration} in s", numbers, 0.0, "no duration, no label")
        return None
    if spec.label == "wt":
        numbers["unit_s"] = spec.unit_s
        return steps.add("label", "w / unit_s", numbers, watch_s / spec.unit_s)
    if spec.label == "pc":
        return steps.add("label", "1 if w >= D, else 0", numbers, float(watch_s >= duration_s))
    if spec.label == "pcr":
        return steps.add("label", "min(w/D, 1)", numbers, min(watch_s / duration_s, 1.0))
    raise UnknownLabelError(f"watch_time.label: {spec.label} cannot be computed again yet")
