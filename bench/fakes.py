"""The other side of a bench: a platform that takes every send and a model that answers after a delay.

One asyncio process, written for little CPU rather than for faithfulness (the sandbox is the faithful one), so that
what is measured is the bot. Times are `time.monotonic()`, which all processes of one Linux host share.
"""

import asyncio
import json
import multiprocessing
import re
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

SEPARATOR = b"\r\n\r\n"


class Exchange(asyncio.Protocol):
    """One keep-alive connection: requests in, canned answers out."""

    sent: list[tuple[float, str, str]] = []  # noqa: RUF012  shared by all connections on purpose
    asked = 0
    waiting = 0
    most_waiting = 0
    delay = 0.0

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(SEPARATOR)) >= 0:
            head = bytes(self._buffer[:end])
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
            )
            total = end + len(SEPARATOR) + length
            if len(self._buffer) < total:
                return
            body = bytes(self._buffer[end + len(SEPARATOR) : total])
            del self._buffer[:total]
            self._answer(head.split(b" ", 2)[1].decode(), body)

    def _answer(self, path: str, body: bytes) -> None:
        kind = type(self)
        if path.endswith("/messages"):
            self._platform(json.loads(body))
        elif path.endswith("/chat/completions"):
            kind.asked += 1
            kind.waiting += 1
            kind.most_waiting = max(kind.most_waiting, kind.waiting)
            asyncio.get_running_loop().call_later(kind.delay, self._completion, json.loads(body))
        elif path.endswith("/models"):
            self._json({"object": "list", "data": [{"id": "gpt-oss-20b", "object": "model"}]})
        elif path == "/_bench/journal":
            self._json({"sent": kind.sent, "asked": kind.asked, "most_waiting": kind.most_waiting})
        elif path.startswith("/_bench/delay/"):
            kind.delay = float(path.rsplit("/", 1)[1])
            kind.sent.clear()
            kind.asked = kind.most_waiting = 0
            self._json({})
        else:
            self._json({})

    def _platform(self, message: dict[str, object]) -> None:
        if message.get("status") == "read":
            self._json({"success": True})
            return
        text = message["text"]
        assert isinstance(text, dict)
        to = str(message.get("to") or message.get("recipient")).lstrip("+")
        self.sent.append((time.monotonic(), to, str(text["body"])))
        self._json({"messaging_product": "whatsapp", "messages": [{"id": f"wamid.B{len(self.sent)}"}]})

    def _completion(self, request: dict[str, object]) -> None:
        type(self).waiting -= 1
        messages = request["messages"]
        assert isinstance(messages, list)
        asked = re.findall(r"question \d+ of \w+", str(messages[-1]["content"]))
        words = f"Answer to {asked[-1] if asked else 'you'}."
        deltas: list[dict[str, object]] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": piece} for piece in re.findall(r"\s?\S+", words)]
        steps: list[tuple[dict[str, object], str | None]] = [*((delta, None) for delta in deltas), ({}, "stop")]
        events = [{"choices": [{"index": 0, "delta": delta, "finish_reason": end}]} for delta, end in steps]
        text = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        self._respond(text.encode(), "text/event-stream")

    def _json(self, value: object) -> None:
        self._respond(json.dumps(value).encode(), "application/json")

    def _respond(self, body: bytes, content_type: str) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


@dataclass(frozen=True)
class Journal:
    """What the fakes saw: sends as (monotonic seconds, to, text), model requests, most of them waiting at once."""

    sent: list[tuple[float, str, str]]
    asked: int
    most_waiting: int


@dataclass(frozen=True)
class OtherSide:
    """A running fake; *url* serves the platform's API and the model's."""

    url: str

    def journal(self) -> Journal:
        with urllib.request.urlopen(f"{self.url}/_bench/journal", timeout=30) as response:  # noqa: S310
            found = json.load(response)
        return Journal([(at, to, text) for at, to, text in found["sent"]], found["asked"], found["most_waiting"])

    def restart(self, *, model_delay: float) -> None:
        """Forgets what was seen and sets how long the model thinks, in seconds."""
        with urllib.request.urlopen(f"{self.url}/_bench/delay/{model_delay}", timeout=30):  # noqa: S310
            pass

    def wait_for(self, sends: int, *, limit: float) -> Journal:
        end = time.monotonic() + limit
        while len((journal := self.journal()).sent) < sends and time.monotonic() < end:
            time.sleep(0.05)
        return journal


def _serve(listener: socket.socket) -> None:
    async def forever() -> None:
        server = await asyncio.get_running_loop().create_server(Exchange, sock=listener, backlog=2048)
        await server.serve_forever()

    asyncio.run(forever())


@contextmanager
def other_side() -> Iterator[OtherSide]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(listener,), daemon=True)
    process.start()
    try:
        yield OtherSide(f"http://127.0.0.1:{listener.getsockname()[1]}")
    finally:
        process.kill()
        process.join()
        listener.close()
