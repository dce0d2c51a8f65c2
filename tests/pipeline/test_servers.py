"""A port that is taken is said before anything starts."""

import socket
from collections.abc import Iterator

import pytest

from label_platform.pipeline.servers import LOOPBACK, serving
from label_platform.pipeline.workspace import Workspace
from label_platform.strict_yaml import ConfigurationError


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as server:
        server.bind((LOOPBACK, 0))
        server.listen()
        yield server.getsockname()[1]


def free() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("option", ["--dagster-port", "--mlflow-port"])
def test_a_taken_port_is_refused_by_its_option(
    taken: int, option: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ports = (taken, free()) if option == "--dagster-port" else (free(), taken)
    folder = tmp_path_factory.mktemp("workspace") / "data"
    expected = f"{option}: port {taken} is taken on this machine; choose another one"
    with pytest.raises(ConfigurationError, match=expected), serving(Workspace(folder), *ports):
        pass
    assert not folder.exists()
