"""Python imports this at start: writes down whoever looks a host up or connects beyond loopback."""

import os
import sys
import traceback

LOG = os.environ.get("NETWORK_LOG")
LOCAL = ("127.", "::1", "localhost", "0.0.0.0")  # noqa: S104 - compared, not bound


def watch(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect":
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None
    else:
        return
    if host is None or str(host).startswith(LOCAL) or LOG is None:
        return
    with open(LOG, "a") as log:  # noqa: PTH123 - pathlib may not be imported yet
        log.write(f"{event} {host}\n{''.join(traceback.format_stack()[-6:])}\n")


sys.addaudithook(watch)
