"""A model server that says what it is told to, in vLLM's own shapes (recorded from vLLM 0.32), faults included.

    with ScriptedModelServer() as model:
        model.reply = lambda body: body["messages"][-1]["content"]
        model.script("busy", "stops")           # the next two requests; names of model_faults.BEHAVIOURS
        ... model.url ...

Raw enough to misbehave on every byte: a behaviour writes to the socket itself.
"""

import json
import re
import socket
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Json = dict[str, Any]
Reply = str | Callable[[Json], str]

_TOKEN = re.compile(r"\s*[A-Za-z0-9]{1,6}|\s*[^\sA-Za-z0-9]{1,2}|\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as it came in; header names are lower-case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Json
    at: float = field(default_factory=time.monotonic)


class Exchange:
    """One request being answered: the means of a behaviour."""

    def __init__(self, handler: "_Handler", server: "ScriptedModelServer", body: Json) -> None:
        self.server = server
        self.body = body
        self.id = f"chatcmpl-{uuid.uuid4().hex[:16]}"
        self._handler = handler

    def answer(
        self, status: int, content: Json | bytes, *, kind: str = "application/json", headers: Mapping[str, str] = {}
    ) -> None:
        """A whole HTTP answer with a length."""
        body = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
        self._handler.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self._handler.send_header(name, value)
        self._handler.end_headers()
        self.raw(body)

    def error(self, status: int, message: str, kind: str = "InternalServerError", param: str | None = None) -> None:
        self.answer(status, {"error": {"message": message, "type": kind, "param": param, "code": status}})

    def open_stream(self) -> None:
        """The head of an event stream; its body follows in HTTP chunks."""
        self._handler.send_response(200)
        self._handler.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self._handler.send_header("Transfer-Encoding", "chunked")
        self._handler.end_headers()

    def chunk(self, content: bytes) -> None:
        self.raw(b"%x\r\n%b\r\n" % (len(content), content))

    def event(self, data: Json | str) -> None:
        self.chunk(_event(data))

    def delta(self, delta: Json, finish: str | None = None) -> None:
        self.event(self.piece(delta, finish))

    def piece(self, delta: Json, finish: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": self.body.get("model", self.server.name),
            "choices": [choice],
        }

    def begin(self) -> None:
        """The stream's head and the role-only first event, which is no sign of a token yet."""
        self.open_stream()
        self.delta({"role": "assistant", "content": ""})

    def done(self) -> None:
        self.event("[DONE]")
        self.close_stream()

    def close_stream(self) -> None:
        self.raw(b"0\r\n\r\n")

    def raw(self, content: bytes) -> None:
        self._handler.wfile.write(content)

    def cut(self) -> None:
        """Ends the connection in the middle of whatever it was at."""
        self._handler.close_connection = True
        self._handler.connection.shutdown(socket.SHUT_RDWR)

    def wait(self, seconds: float) -> bool:
        """True if the server was stopped meanwhile, or the client went away."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.server.stopping.wait(min(0.05, max(0.0, deadline - time.monotonic()))):
                return True
        return False

    def speak(self, text: str, *, finish: str = "stop", reasoning: str = "") -> None:
        """The way of a healthy server: the delay, then all tokens, streamed or whole as the request asked."""
        self.server.hold.wait()
        if self.server.delay and self.wait(self.server.delay):
            return self.cut()
        usage = {
            "prompt_tokens": len(str(self.body.get("messages", ""))) // 4,
            "completion_tokens": len(text) // 4 + 1,
        }
        usage["total_tokens"] = sum(usage.values())
        if not self.body.get("stream"):
            message = {"role": "assistant", "content": text, "reasoning": reasoning or None}
            choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
            return self.answer(
                200, self.piece({}) | {"object": "chat.completion", "choices": [choice], "usage": usage}
            )
        self.begin()
        self._stream([{"reasoning": token} for token in tokens(reasoning)])
        self._stream([{"content": token} for token in tokens(text)])
        self.delta({}, finish)
        if (self.body.get("stream_options") or {}).get("include_usage"):
            self.event(self.piece({}) | {"choices": [], "usage": usage})
        return self.done()

    def _stream(self, deltas: list[Json]) -> None:
        if pause := self.server.token_delay:
            for delta in deltas:
                self.delta(delta)
                self.wait(pause)
        elif deltas:
            self.chunk(b"".join(_event(self.piece(delta)) for delta in deltas))


Behaviour = Callable[[Exchange], None]


def tokens(text: str) -> list[str]:
    return _TOKEN.findall(text)


def _event(data: Json | str) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"data: {text}\n\n".encode()


def behaves(exchange: Exchange) -> None:
    """The default: the server's reply, after a short thought where the request asks for one."""
    reply = exchange.server.reply
    said = tokens(reply if isinstance(reply, str) else reply(exchange.body))
    most = exchange.body.get("max_tokens") or len(said)
    exchange.speak(
        "".join(said[:most]),
        finish="stop" if len(said) <= most else "length",
        reasoning="Let me see." if exchange.body.get("reasoning_effort") else "",
    )


class ScriptedModelServer:
    """An OpenAI-compatible server on a thread: `/v1/chat/completions`, `/v1/models`, `/health`, `/version`.

    *reply* is a text, or a callable from the request's body to it. *delay* is waited before the first token,
    *token_delay* after each (seconds: a stage direction). *requests* are the parsed bodies of all completions asked
    for, *calls* everything. *script* gives the next requests' behaviours; *usually* is for all others. While *hold*
    is cleared, answers are kept back.
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
        from bot.sandbox.model_faults import BEHAVIOURS  # it imports this module

        with self._lock:
            self._script.extend(BEHAVIOURS[it] if isinstance(it, str) else it for it in behaviours)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """As a killed process: nothing listens any more, and every connection is cut."""
        self.stopping.set()
        self.hold.set()
        self._http.shutdown()
        self._http.server_close()
        with self._lock:
            for connection in self._open:
                _cut(connection)
        self._thread.join()

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
            exchange.answer(200, b"")
        elif self.path == "/v1/models":
            served = {"id": exchange.server.name, "object": "model", "owned_by": "vllm", "max_model_len": 131072}
            exchange.answer(200, {"object": "list", "data": [served]})
        elif self.path == "/version":
            exchange.answer(200, {"version": "0.32.0"})
        else:
            exchange.answer(404, {"detail": "Not Found"})

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            body = json.loads(content)
        except ValueError:
            return self._received({}).error(400, "the body is not JSON", "Bad Request")
        exchange = self._received(body)
        if self.path != "/v1/chat/completions":
            return exchange.answer(404, {"detail": "Not Found"})
        if exchange.server.api_key and self.headers.get("Authorization") != f"Bearer {exchange.server.api_key}":
            return exchange.answer(401, {"error": "Unauthorized"})
        return exchange.server.next_behaviour()(exchange)

    def _received(self, body: Json) -> Exchange:
        headers = {name.lower(): value for name, value in self.headers.items()}
        scripted = self.server.scripted
        scripted.log(Call(method=self.command, path=self.path, headers=headers, body=body))
        return Exchange(self, scripted, body)
