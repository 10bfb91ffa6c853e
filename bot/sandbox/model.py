"""A model server that says what it is told to, in vLLM's own shapes (recorded from vLLM 0.32), faults included.

with ScriptedModelServer() as model:
    model.reply = lambda body: body["messages"][-1]["content"]
    model.script("busy", "drops")  # the next two requests; names of model_faults.BEHAVIOURS
    ... model.url ...
"""

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from bot.sandbox.model_exchange import Behaviour, Exchange, Json, Reply, behaves
from bot.sandbox.model_faults import BEHAVIOURS
from bot.sandbox.model_parts import BadPart, Recording, check, recording

METRICS = """\
# TYPE vllm:admission_rejections_total counter
vllm:admission_rejections_total{model_name="gpt-oss-20b",reason="max_num_queued_reqs"} 0.0
vllm:admission_rejections_total{model_name="gpt-oss-20b",reason="max_num_queued_tokens"} 0.0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as it came in; header names are lower-case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Json
    at: float = field(default_factory=time.monotonic)


class ScriptedModelServer:
    """An OpenAI-compatible server on a thread: `/v1/chat/completions`, `/v1/audio/transcriptions`, `/v1/models`,
    `/health`, `/version`.

    *reply* is a text, or a callable from the request's body to it. *delay* is waited before the first token,
    *token_delay* after each (seconds: a stage direction). *requests* are the parsed bodies of all completions asked
    for, *calls* everything. *script* gives the next requests' behaviours; *usually* is for all others. While *hold*
    is cleared, answers are kept back. *health* is what `/health` answers; *adapters* are listed beside *name*.
    *sees*: it takes pictures. *transcript* is what every recording says; *recordings* are those that came in. They
    meet the same behaviours as the completions.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        name: str = "gpt-oss-20b",
        api_key: str = "",
        reply: Reply = "Thank you for your message. How can I help?",
        delay: float = 0.0,
    ) -> None:
        self.name = name
        self.api_key = api_key
        self.reply: Reply = reply
        self.delay = delay
        self.token_delay = 0.0
        self.health = 200
        self.sees = True
        self.transcript: str | Callable[[Recording], str] = "Where is my parcel?"
        self.recordings: list[Recording] = []
        self.adapters: list[str] = []
        self.max_model_len = 131072
        self.metrics = METRICS
        self.usually: Behaviour = behaves
        self.calls: list[Call] = []
        self.requests: list[Json] = []
        self.connections = 0
        self.stopping = threading.Event()
        self.hold = threading.Event()
        self.hold.set()
        self._script: deque[Behaviour] = deque()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._http = _Server((host, port), _Handler)
        self._http.scripted = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def script(self, *behaviours: Behaviour | str) -> None:
        """What the next requests meet, one each; a string is a name of `model_faults.BEHAVIOURS`."""
        with self._lock:
            self._script.extend(BEHAVIOURS[it] if isinstance(it, str) else it for it in behaviours)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """As a killed process: nothing listens any more, and every connection is cut."""
        self.stopping.set()
        self.hold.set()
        self.stop_listening()
        with self._lock:
            for connection in self._open:
                _cut(connection)
        self._thread.join()

    def stop_listening(self) -> None:
        """As a vLLM that was told to stop: new connections are refused, and the open ones stay as they are."""
        self._http.shutdown()
        self._http.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def log(self, call: Call) -> None:
        with self._lock:
            self.calls.append(call)
            if call.path.endswith("/chat/completions"):
                self.requests.append(call.body)

    def next_behaviour(self) -> Behaviour:
        with self._lock:
            return self._script.popleft() if self._script else self.usually

    def opened(self, connection: socket.socket) -> None:
        with self._lock:
            self.connections += 1
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):  # the client was first
        connection.shutdown(socket.SHUT_RDWR)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 2048
    scripted: ScriptedModelServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    disable_nagle_algorithm = True
    wbufsize = 0

    def setup(self) -> None:
        super().setup()
        self.server.scripted.opened(self.connection)

    def finish(self) -> None:
        self.server.scripted.closed(self.connection)
        super().finish()

    def log_message(self, *_: object) -> None:
        """Prompts are customers' words."""

    def do_GET(self) -> None:
        exchange = self._received({})
        if self.path == "/health":
            exchange.answer(self.server.scripted.health, b"")
        elif self.path == "/v1/models" and not self._admitted():
            exchange.answer(401, {"error": "Unauthorized"})
        elif self.path == "/v1/models":
            exchange.answer(200, {"object": "list", "data": self._served()})
        elif self.path == "/metrics":
            exchange.answer(200, self.server.scripted.metrics.encode(), kind="text/plain")
        elif self.path == "/version":
            exchange.answer(200, {"version": "0.32.0"})
        else:
            exchange.answer(404, {"detail": "Not Found"})

    def _admitted(self) -> bool:
        """The key guards what lies below /v1, and nothing else (vLLM sheet §0.12)."""
        key = self.server.scripted.api_key
        return not key or self.headers.get("Authorization") == f"Bearer {key}"

    def _served(self) -> list[Json]:
        """An adapter is a model of its own with a parent, and without a length (recorded from vLLM 0.32)."""
        scripted = self.server.scripted
        base = {"id": scripted.name, "object": "model", "owned_by": "vllm", "parent": None}
        adapters = [
            base | {"id": name, "parent": scripted.name, "max_model_len": None} for name in scripted.adapters
        ]
        return [base | {"max_model_len": scripted.max_model_len}, *adapters]

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/v1/audio/transcriptions":
            return self._transcribe(content)
        try:
            body = json.loads(content)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return self._received({}).error(400, "the body is not a JSON object", "Bad Request")
        exchange = self._received(body)
        if self.path != "/v1/chat/completions":
            return exchange.answer(404, {"detail": "Not Found"})
        if not self._admitted():
            return exchange.answer(401, {"error": "Unauthorized"})
        try:
            check(body, name=self.server.scripted.name, sees=self.server.scripted.sees)
        except BadPart as bad:
            return exchange.error(400, str(bad), "BadRequestError")
        return self.server.scripted.next_behaviour()(exchange)

    def _transcribe(self, content: bytes) -> None:
        scripted = self.server.scripted
        try:
            heard = recording(self.headers.get("Content-Type", ""), content)
        except BadPart as bad:
            return self._received({}).error(400, str(bad), "BadRequestError")
        exchange = self._received({**heard.fields, "file": heard.name})
        if not self._admitted():
            return exchange.answer(401, {"error": "Unauthorized"})
        scripted.recordings.append(heard)
        behaviour = scripted.next_behaviour()
        if behaviour is not behaves:
            return behaviour(exchange)
        said = scripted.transcript if isinstance(scripted.transcript, str) else scripted.transcript(heard)
        if scripted.delay and exchange.wait(scripted.delay):
            return exchange.cut()
        return exchange.answer(200, {"text": said, "usage": {"type": "duration", "seconds": 3}})

    def _received(self, body: Json) -> Exchange:
        headers = {name.lower(): value for name, value in self.headers.items()}
        scripted = self.server.scripted
        scripted.log(Call(method=self.command, path=self.path, headers=headers, body=body))
        return Exchange(self, scripted, body)
