"""Gunicorn's settings, from the configuration: `gunicorn -c python:bot.edge.gunicorn_settings`.

Put nginx in front (`deploy/`): gunicorn alone does not stand up to slow clients (its own documentation says so).
"""

import os
import socket
import struct
import sys

from gunicorn.arbiter import Arbiter
from gunicorn.config import Config as Settings
from gunicorn.glogging import Logger
from gunicorn.http.wsgi import Response

from bot import logs
from bot.wiring import read_config

SILENCE = 5
"""Seconds that a client may be silent in the middle of a request. Gunicorn itself waits for ever (gthread.py of
27.0: `handle` makes the socket blocking), so that as many half-sent requests as there are threads would end all
service."""

_config = read_config(None)
logs.setup(_config.log.level)


class JsonLogger(Logger):  # type: ignore[misc]
    """Gunicorn's own lines go the way of all others."""

    def setup(self, cfg: Settings) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True

    def exception(self, msg: str, *args: object, **kwargs: object) -> None:
        if isinstance(sys.exc_info()[1], BlockingIOError):  # SILENCE is over: the client's doing, no fault of ours
            logs.log("client_silent", level="debug")
        else:
            super().exception(msg, *args, **kwargs)


def _without_server(self: Response) -> list[str]:
    return [line for line in _default_headers(self) if not line.startswith("Server:")]


_default_headers = Response.default_headers
Response.default_headers = _without_server


def when_ready(server: Arbiter) -> None:
    """Sets the kernel's receive timeout on the listening sockets; each connection inherits it."""
    for listener in server.LISTENERS:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", SILENCE, 0))


wsgi_app = "bot.wiring:web_app()"
bind = [f"{_config.server.host}:{_config.server.port}"]
workers = _config.server.workers
worker_class = "gthread"
threads = _config.server.threads
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112  the heartbeat, off the disk
preload_app = False  # each worker opens its own connections
logger_class = JsonLogger
accesslog = None  # paths and queries are secrets here
control_socket_disable = True  # it would lie in the home folder, one for all instances

timeout = 30  # seconds without a worker's heartbeat
graceful_timeout = 25
keepalive = 30  # longer than a proxy keeps its side, so that the proxy closes first
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190
forwarded_allow_ips = ""  # nothing here depends on the caller's address
forwarder_headers = ""
