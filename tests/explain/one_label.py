"""One impression, a curve by hand, and the label that a policy gives it."""

from datetime import UTC, datetime
from typing import Any

from label_platform.explain import Curve, Fitted, Shown, computed_label
from label_platform.policy import Policy

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
CONTEXT = ("device",)


def curve(rows: dict[tuple[str | None, int], tuple[float, float | None]]) -> Curve:
    return Curve(
        [
            {
                "device": device,
                "position": position,
                "propensity": theta,
                "trust_offset": beta,
                "estimator": "pbm",
                "ci_low": theta - 0.01,
                "ci_high": theta + 0.01,
            }
            for (device, position), (theta, beta) in rows.items()
        ],
        CONTEXT,
    )


CURVE = curve(
    {
        ("mobile", 1): (1.0, 0.06),
        ("mobile", 2): (0.4, None),
        (None, 1): (1.0, 0.05),
        (None, 2): (0.6, 0.02),
        (None, 4): (0.02, None),
    }
)


def at(position: int, device: str | None = "mobile", **columns: Any) -> Shown:  # noqa: ANN401
    return Shown("i", "r", "q", None, None, "a", position, NOON, {"device": device, **columns})


MakePolicy = Any


def numbers(policy: Policy, shown: Shown, fitted: Fitted | None = None, **values: float) -> Any:  # noqa: ANN401
    return dict(computed_label(policy, shown, values, fitted or Fitted()).numbers)
