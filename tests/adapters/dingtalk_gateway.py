"""DingTalk's stream gateway as the tests play it: one-use tickets, and a real WebSocket that they speak through."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from queue import Queue
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from tests.adapters import dingtalk_kit as kit
from tests.fakes import Answer, Call, RecordingServer, json_answer

OPEN = "/v1.0/gateway/connections/open"
ROBOT = "/v1.0/im/bot/messages/get"
CARD = "/v1.0/card/instances/callback"
TICKET = "kit-ticket/+="


@dataclass
class Line:
    """One connection, seen from DingTalk. What the desk says goes to *heard*."""

    socket: ServerConnection
    heard: "Queue[dict[str, Any]]" = field(default_factory=Queue)
    closed: threading.Event = field(default_factory=threading.Event)

    def say(self, frame: dict[str, Any]) -> str:
        self.socket.send(json.dumps(frame, ensure_ascii=False))
        message: str = frame["headers"].get("messageId", "")
        return message

    def answer(self, wait: float = 5) -> dict[str, Any]:
        return self.heard.get(timeout=wait)


class Gateway:
    """Answers `connections/open` with *opening* (in turn, then with a ticket), and keeps the lines."""

    def __init__(self) -> None:
        self.lines: Queue[Line] = Queue()
        self.opening: list[Answer] = []
        self.tickets: set[str] = set()
        self.refused = 0
        self._numbers = count(1)
        self.http = RecordingServer(self._open)
        self._server: Server = serve(self._serve, "127.0.0.1", 0)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def _open(self, call: Call) -> Answer:
        if call.path != OPEN:
            return kit.platform(call)
        if self.opening:
            return self.opening.pop(0)
        ticket = f"{TICKET}{next(self._numbers)}"
        self.tickets.add(ticket)
        port = self._server.socket.getsockname()[1]
        return json_answer({"endpoint": f"ws://127.0.0.1:{port}/connect", "ticket": ticket})

    def _serve(self, socket: ServerConnection) -> None:
        path = socket.request.path if socket.request else ""
        given = parse_qs(urlsplit(path).query).get("ticket", [""])[0]
        if given not in self.tickets:
            self.refused += 1
            socket.close()
            return
        self.tickets.discard(given)
        line = Line(socket)
        self.lines.put(line)
        try:
            for raw in socket:
                line.heard.put(json.loads(raw))
        except ConnectionClosed:
            pass
        finally:
            line.closed.set()

    def line(self, wait: float = 10) -> Line:
        return self.lines.get(timeout=wait)

    def asked(self) -> list[Call]:
        return [call for call in self.http.calls if call.path == OPEN]

    def __enter__(self) -> Self:
        self.http.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self.http.__exit__(kind, error, trace)


_frames = count(1)


def frame(topic: str, data: object, *, kind: str = "CALLBACK", **headers: str) -> dict[str, Any]:
    """A frame with a message id of its own."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    numbered = {"topic": topic, "messageId": f"frame-{next(_frames)}", "contentType": "application/json", **headers}
    return {"specVersion": "1.0", "type": kind, "headers": numbered, "data": text}


class Running:
    """A connection that runs on a thread, until the test is done with it."""

    def __init__(self, run: Callable[[Callable[[Any], None], threading.Event], None]) -> None:
        self.received: list[Any] = []
        self.hold = threading.Event()
        self.hold.set()
        self.raises: BaseException | None = None
        self.pauses: Callable[[Any], float] = lambda _: 0
        self.stop = threading.Event()
        self._run = run
        self._pool = ThreadPoolExecutor(1)

    def receive(self, events: Any) -> None:
        self.hold.wait(10)
        self.stop.wait(self.pauses(events))
        if self.raises is not None:
            raise self.raises
        self.received.extend(events)

    def __enter__(self) -> Self:
        self._running = self._pool.submit(self._run, self.receive, self.stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hold.set()
        self.stop.set()
        self._running.result(20)
        self._pool.shutdown()
