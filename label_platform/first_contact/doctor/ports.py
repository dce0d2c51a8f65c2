"""Whether the ports of the pages in the browser are free."""

import socket
from collections.abc import Iterator

from label_platform.first_contact.doctor.finding import Finding

LOOPBACK = "127.0.0.1"


def port_is_free(port: int) -> bool:
    """Whether a server could listen there, on this machine only."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(page: str, port: int) -> Iterator[Finding]:
    """Whether a page's port is free.

    Args:
        page: dagster or mlflow.
        port: its port.
    """
    if port_is_free(port):
        yield Finding(f"port, {page}", "ok", f"{port} is free")
        return
    advice = (
        f"label-platform ui --{page}-port takes another one; if the pages are open already, "
        "all is well"
    )
    yield Finding(f"port, {page}", "warning", f"{port} is taken", "a free port", advice)
