"""Which log formats there are, and what each must be told."""

from typing import TYPE_CHECKING

import pytest

from label_platform.strict_yaml import ConfigurationError

if TYPE_CHECKING:
    from tests.logs.conftest import Shop


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            {"format": "nativ", "path": "x"},
            (
                "logs.0: format: 'nativ' is not known; did you mean 'native'? valid: algolia, "
                "coveo, ga4, kuairand, metarank, native, open_bandit, ubi"
            ),
        ),
        (
            {"format": "native", "path": "x"},
            "logs.0: format native needs the keys impressions and interactions",
        ),
        ({"format": "ubi", "impressions": "x"}, "logs.0: format ubi needs the key path"),
    ],
)
def test_what_a_format_lacks_is_named(shop: "Shop", source: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        shop.ingest(logs=[source])
    assert words in str(error.value)
