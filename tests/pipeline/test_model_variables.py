"""What the problem file says, as the SQL models read it."""

import hmac

import pytest

from label_platform.pipeline.model_variables import matching_variables, signal_variables
from label_platform.strict_yaml import ConfigurationError
from tests.pipeline.conftest import Installation, day


def test_known_users_are_looked_for_by_their_keys(
    ingested: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The problem file names user ids; the tables hold keys and nothing else."""
    ingested.change_problem({"user_ids": "keyed", "bots": {"users": ["o'hara"]}})
    with ingested.project().open() as context:
        with pytest.raises(ConfigurationError, match="LABEL_PLATFORM_USER_SECRET"):
            signal_variables(context, day(1))
        monkeypatch.setenv("LABEL_PLATFORM_USER_SECRET", "salt")
        key = hmac.digest(b"salt", b"o'hara", "sha256").hex()[:32]
        assert signal_variables(context, day(1))["bot_users"] == f"'{key}'"


def test_public_user_ids_stand_as_they_are(ingested: Installation) -> None:
    ingested.change_problem({"bots": {"users": ["o'hara", "ann"]}})
    with ingested.project().open() as context:
        assert signal_variables(context, day(1))["bot_users"] == "'o''hara', 'ann'"


def test_a_glob_over_everything_takes_features_and_no_columns_of_the_platform(
    ingested: Installation,
) -> None:
    with ingested.project().open() as context:
        features = signal_variables(context, day(1))["features"]
    assert features
    ingested.change_problem({"features": ["*"]})
    with ingested.project().open() as context:
        assert signal_variables(context, day(1))["features"] == features


def test_what_matching_does_not_read_does_not_make_it_stale(ingested: Installation) -> None:
    with ingested.project().open() as context:
        before = matching_variables(context, day(1))
    ingested.change_problem(
        {"bots": {"clicks_per_minute": 5}, "attribution": {"session_gap": "1h"}}
    )
    with ingested.project().open() as context:
        assert matching_variables(context, day(1)) == before
    ingested.change_problem({"attribution": {"touch": "first"}})
    with ingested.project().open() as context:
        assert matching_variables(context, day(1)) == before | {"touch": "first"}
