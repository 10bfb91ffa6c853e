"""A small HTTP/1.1 server on threads: keep-alive, one write per answer, streams, cut connections.

The standard library's server, because a fake platform must be able to hang up in the middle (a lost reply), which
web frameworks prevent.
"""

import http.client
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

LARGEST_BODY = 32 * 1024 * 1024
JSON = "application/json; charset=utf-8"
LIVES_AFTER_REQUEST = 60
"""Seconds that an idle connection is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One received request. *query* is undecoded; header names are lower-case."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    peer: str = ""

    def argument(self, name: str) -> str:
        """The first value of a query parameter, or ""."""
        return parse_qs(self.query, keep_blank_values=True).get(name, [""])[0]

    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes back. *stream* replaces *body* and is sent in chunks; *cut* hangs up without a word."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: Iterable[bytes] | None = None
    cut: bool = False


def answer_json(value: object, status: int = 200) -> Answer:
    return Answer(status=status, body=json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


class Server:
    """Serves *handle* on a thread until `stop`, which also ends kept-alive connections."""

    def __init__(self, handle: Callable[[Incoming], Answer], *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._listener = _Listener((host, port), _handler_of(handle))
        self._thread = threading.Thread(
            target=self._listener.serve_forever, kwargs={"poll_interval": 0.05}, name="sandbox", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        host, port = self._listener.server_address[:2]
        return f"http://{host!s}:{port}"

    def stop(self) -> None:
        self._listener.shutdown()
        self._thread.join()
        self._listener.server_close()
        self._listener.hang_up()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news; anything else is a bug of the fake and must be seen."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        with self._guard:
            left = list(self._open)
        for connection in left:
            _close(connection)


def _close(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other side was faster


def _handler_of(handle: Callable[[Incoming], Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = LIVES_AFTER_REQUEST

        def _serve(self) -> None:
            length = self.headers.get("Content-Length", "0")
            if not length.isdecimal() or int(length) > LARGEST_BODY:
                self.close_connection = True
                self._write(Answer(status=413))
                return
            path, _, query = self.path.partition("?")
            answer = handle(
                Incoming(
                    method=self.command,
                    path=path,
                    query=query,
                    headers={name.lower(): value for name, value in self.headers.items()},
                    body=self.rfile.read(int(length)) if length != "0" else b"",
                    peer=str(self.client_address[0]),
                )
            )
            if answer.cut:
                self.close_connection = True
            else:
                self._write(answer)

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

        def _write(self, answer: Answer) -> None:
            reason = http.client.responses.get(answer.status, "")
            head = [f"HTTP/1.1 {answer.status} {reason}", f"Content-Type: {answer.content_type}"]
            head += [f"{name}: {value}" for name, value in answer.headers.items()]
            if answer.stream is None:
                head += [f"Content-Length: {len(answer.body)}", "", ""]
                self.wfile.write("\r\n".join(head).encode("latin-1") + answer.body)
                return
            self.close_connection = True
            head += ["Transfer-Encoding: chunked", "Connection: close", "", ""]
            self.wfile.write("\r\n".join(head).encode("latin-1"))
            for piece in answer.stream:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Silent: the journal holds what happened."""

    return Handler
