"""One request at the scripted model server: the means to answer it well, badly, or not at all.

Shapes are vLLM 0.32's (vLLM sheet §2). Raw enough to misbehave on every byte: a behaviour may write to the socket.
"""

import json
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol

Json = dict[str, Any]
Reply = str | Callable[[Json], str]

_TOKEN = re.compile(r"\s*[A-Za-z0-9]{1,6}|\s*[^\sA-Za-z0-9]{1,2}|\s+")


class Directions(Protocol):
    """What the server was told; see :class:`bot.sandbox.model.ScriptedModelServer`."""

    name: str
    reply: Reply
    delay: float
    token_delay: float
    hold: threading.Event
    stopping: threading.Event


class Exchange:
    """One request being answered: the means of a behaviour."""

    def __init__(self, handler: BaseHTTPRequestHandler, server: Directions, body: Json) -> None:
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
