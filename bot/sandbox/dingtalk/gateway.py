"""The stream gateway: tickets by HTTP, frames by WebSocket, each message to one connection at random (§4)."""

import json
import random
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from bot.sandbox.dingtalk.errors import api_error
from bot.sandbox.simulator.calls import Exchange, Route, route
from bot.sandbox.simulator.platform import member
from bot.sandbox.simulator.serving import Answer, answer_json

TICKET_LIFE = timedelta(seconds=90)
ROBOT = "/v1.0/im/bot/messages/get"
CARD = "/v1.0/card/instances/callback"


@dataclass(slots=True, eq=False)
class Waiting:
    """A frame that was not acknowledged yet. *data* is the same at every try, the frame's message id is not."""

    topic: str
    data: str
    kind: str
    sent_at: float
    tries: int = 1
    answered: threading.Event = field(default_factory=threading.Event)
    answer: Any = None


class Gateway:
    """*again_after*: how long without an acknowledgement until a frame comes again."""

    def __init__(self, client_id: str, client_secret: str, now: Callable[[], datetime]) -> None:
        self._client_id = client_id
        self._client_secret = client_secret
        self._now = now
        self.again_after = timedelta(seconds=60)
        self._tickets: dict[str, datetime] = {}
        self._open: set[ServerConnection] = set()
        self._waiting: dict[str, Waiting] = {}
        self._server: Server | None = None
        self._guard = threading.RLock()

    def routes(self) -> Sequence[Route]:
        return (route("POST", r"/v1\.0/gateway/connections/open", "connect", self._on_open),)

    def start(self) -> None:
        self._server = serve(self._serve, "127.0.0.1", 0, ping_interval=None)
        threading.Thread(target=self._server.serve_forever, name="dingtalk-gateway", daemon=True).start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server = None
        self.cut()

    @property
    def connections(self) -> int:
        return len(self._open)

    def cut(self, code: int = 1011) -> None:
        """Every connection ends without a word, as on a bad network."""
        with self._guard:
            ended = list(self._open)
            self._open.clear()
        for connection in ended:
            connection.close(code)

    def disconnect(self) -> None:
        """Says that the connections will be closed, as the server does before its own restarts."""
        for connection in list(self._open):
            self._send(connection, "SYSTEM", "disconnect", json.dumps({"reason": "played"}))

    def ping(self) -> None:
        for connection in list(self._open):
            self._send(connection, "SYSTEM", "ping", json.dumps({"opaque": secrets.token_hex(8)}))

    def push(self, topic: str, data: Mapping[str, Any], *, kind: str = "CALLBACK") -> Waiting | None:
        """To one connection at random; None: nobody is connected, and the message is lost (§4.1)."""
        with self._guard:
            if not self._open:
                return None
            connection = random.choice(list(self._open))
        waiting = Waiting(topic, json.dumps(data, ensure_ascii=False), kind, time.monotonic())
        self._send(connection, kind, topic, waiting.data, waiting)
        threading.Thread(target=self._insist, args=(waiting,), daemon=True).start()
        return waiting

    def _insist(self, waiting: Waiting) -> None:
        """Again with a new message id, and the same data, until it is acknowledged; three times at most."""
        while waiting.tries < 3 and not waiting.answered.wait(self.again_after.total_seconds()):
            with self._guard:
                connections = list(self._open)
            waiting.tries += 1
            if connections:
                self._send(connections[0], waiting.kind, waiting.topic, waiting.data, waiting)

    def _send(
        self, connection: ServerConnection, kind: str, topic: str, data: str, waiting: Waiting | None = None
    ) -> None:
        message_id = secrets.token_hex(12)
        if waiting:
            self._waiting[message_id] = waiting
        frame = {
            "specVersion": "1.0",
            "type": kind,
            "headers": {
                "topic": topic,
                "messageId": message_id,
                "contentType": "application/json",
                "time": str(int(self._now().timestamp() * 1000)),
                "appId": self._client_id,
                "connectionId": str(connection.id),
            },
            "data": data,
        }
        try:
            connection.send(json.dumps(frame, ensure_ascii=False))
        except ConnectionClosed:
            return

    def _on_open(self, exchange: Exchange) -> Answer:
        body = exchange.incoming.json()
        if member(body, "clientId") != self._client_id or member(body, "clientSecret") != self._client_secret:
            raise api_error(401, "authFailed", "鉴权失败")
        subscriptions = member(body, "subscriptions")
        if not isinstance(subscriptions, list) or not subscriptions:
            raise api_error(400, "param.invalid", "subscriptions", rule="parameter_missing")
        ticket = secrets.token_urlsafe(24)
        self._tickets[ticket] = self._now() + TICKET_LIFE
        port = self._server.socket.getsockname()[1] if self._server else 0
        return answer_json({"endpoint": f"ws://127.0.0.1:{port}/connect", "ticket": ticket})

    def _serve(self, connection: ServerConnection) -> None:
        query = parse_qs(urlsplit(connection.request.path if connection.request else "").query)
        until = self._tickets.pop(query.get("ticket", [""])[0], None)
        if until is None or until < self._now():
            connection.close(4401, "ticket")
            return
        with self._guard:
            self._open.add(connection)
        try:
            for received in connection:
                self._acknowledged(received)
        except ConnectionClosed:
            return
        finally:
            with self._guard:
                self._open.discard(connection)

    def _acknowledged(self, received: str | bytes) -> None:
        frame = json.loads(received)
        waiting = self._waiting.pop(str(member(frame, "headers", "messageId")), None)
        if waiting and member(frame, "code") == 200:
            waiting.answer = member(frame, "data")
            waiting.answered.set()
