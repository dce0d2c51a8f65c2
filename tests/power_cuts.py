"""Work that dies half way, as under kill -9."""

from collections.abc import Callable

import pytest


class PowerCutError(Exception):
    """Stands for a kill -9."""


def dies(
    monkeypatch: pytest.MonkeyPatch,
    calls: int,
    owner: object,
    name: str,
    work: Callable[[], object],
) -> bool:
    """Whether work dies at a function that works so many times and then fails like a power cut."""
    real, done = getattr(owner, name), []

    def dying(*arguments: object, **options: object) -> object:
        if len(done) == calls:
            raise PowerCutError
        done.append(arguments)
        return real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, dying)
        try:
            work()
        except PowerCutError:
            return True
    return False
