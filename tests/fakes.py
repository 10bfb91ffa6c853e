"""A recording HTTP server on a thread: the other side of every call that we make."""

import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as it arrived; header names are lower-case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What comes back: after *delay* seconds; *cut* closes the connection without a byte."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0
    cut: bool = False


def json_answer(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    body = json.dumps(value, ensure_ascii=False).encode()
    return Answer(status=status, body=body, headers={"Content-Type": "application/json", **(headers or {})})


def html_answer(status: int, *, headers: Mapping[str, str] | None = None) -> Answer:
    """What an edge in front of a platform says, instead of the platform."""
    return Answer(
        status=status, body=b"<html>edge</html>", headers={"Content-Type": "text/html", **(headers or {})}
    )


class RecordingServer:
    """Answers each call with *platform*, except that calls for which *faulty* holds take from `faults` first."""

    def __init__(self, platform: Callable[[Call], Answer], faulty: Callable[[Call], bool] = bool) -> None:
        self.calls: list[Call] = []
        self.faults: deque[Answer] = deque()
        self._platform = platform
        self._faulty = faulty
        self._guard = threading.Lock()
        self.stopping = threading.Event()
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.fake = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def respond(self, call: Call) -> Answer:
        with self._guard:
            self.calls.append(call)
            if self.faults and self._faulty(call):
                return self.faults.popleft()
        return self._platform(call)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    fake: RecordingServer

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has gone away is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10
    disable_nagle_algorithm = True  # headers and body are two writes: 40 ms of delayed ACK between them otherwise
    server: _Http

    def _exchange(self) -> None:
        target = urlsplit(self.path)
        length = int(self.headers.get("content-length") or 0)
        call = Call(
            method=self.command,
            path=target.path,
            query=dict(parse_qsl(target.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
        )
        self._write(self.server.fake.respond(call))

    def _write(self, answer: Answer) -> None:
        self.server.fake.stopping.wait(answer.delay)
        if answer.cut:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = do_DELETE = _exchange  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Silent: `calls` is the record."""
