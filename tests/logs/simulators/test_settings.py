"""Settings: what is refused, and the examination curves they stand for."""

from typing import Any

import pytest

from label_platform.logs.simulators import ProductSearchSettings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"days": 0}, "days: found 0, expected 1 or more"),
        ({"seed": -1}, "seed: found -1, expected 0 or more"),
        ({"randomized_share": 1.5}, "randomized_share: found 1.5, expected 0 to 1"),
        ({"logger": "good"}, "logger: found 'good', expected weak | strong | random"),
        ({"list_length": 30}, "list_length: found 30, expected at most 25"),
        ({"n_items": 20}, "n_items: found 20, expected at least 25"),
        ({"examination": {}}, "examination: found 'no device', expected at least one"),
        ({"examination": {"tv": -1.0}}, r"examination\[tv\]: found -1.0"),
        ({"examination": {"tv": (1.0, 0.5)}}, r"examination\[tv\]: found \(1.0, 0.5\)"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("|", r"\|")):
        ProductSearchSettings(**changes)


def test_a_curve_is_an_exponent_or_its_values() -> None:
    settings = ProductSearchSettings(
        list_length=2, examination={"desktop": 1.0, "mobile": 2.0, "watch": (1, 0.1, 0.01)}
    )
    table = settings.examination_table()
    assert settings.devices == ("desktop", "mobile", "watch")
    assert table.tolist() == [[1, 1 / 2], [1, 1 / 2**2], [1, 0.1]]
