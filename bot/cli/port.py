"""Whether an address is free to listen on."""

import socket
import time

from bot.cli.faults import Unavailable

PATIENCE = 3.0
"""Seconds: a web server that was killed a moment ago may still hold its port."""


def require_free(host: str, port: int) -> None:
    """Raises :class:`Unavailable` if nothing could listen there now."""
    end = time.monotonic() + PATIENCE
    while (refusal := _refusal(host, port)) is not None:
        if time.monotonic() > end:
            raise Unavailable(
                f"cannot listen on {host} port {port}: {refusal}. Stop what uses it (`ss -ltnp` shows it), or set "
                f"server.port (or FRONTDESK__SERVER__PORT)"
            )
        time.sleep(0.1)


def any_free(wish: int) -> int:
    """A local port that is free at this moment: *wish* if it is, else any."""
    number = wish if _refusal("127.0.0.1", wish) is None else 0
    with socket.create_server(("127.0.0.1", number)) as server:
        return int(server.getsockname()[1])


def _refusal(host: str, port: int) -> str | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        return error.strerror or str(error)
    return None
