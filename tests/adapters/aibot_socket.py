"""The platform's end of an AI bot's long connection: a real WebSocket server on a thread."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from adapters.backoff import Backoff
from adapters.errors import NotKept
from adapters.values import Event, Message, Outcome, Refused
from adapters.wecom_aibot.connection import LongConnection
from adapters.wecom_aibot.timing import Timing
from tests.adapters.aibot_kit import BOT, Desk

_QUIET = logging.getLogger("tests.adapters.aibot_socket")
_QUIET.setLevel(logging.CRITICAL + 1)
SECRET = "canary-long-connection-secret"
QUICK = Timing(
    ping=timedelta(seconds=0.1),
    ack=timedelta(seconds=0.4),
    open=timedelta(seconds=2),
    replaced=timedelta(seconds=0.5),
    refused=timedelta(seconds=0.5),
    steady=timedelta(seconds=0.2),
    errands=timedelta(seconds=0.05),
    backoff=Backoff(
        initial=timedelta(seconds=0.02), longest=timedelta(seconds=0.05), jitter=timedelta(seconds=0.02)
    ),
)

Reply = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]
"""What the platform says to a command: errcode 0 if it gives {}, and nothing at all if it gives None."""


class Platform:
    """One bot, one connection that counts. `errors` are taken by the commands in turn, by name."""

    def __init__(self) -> None:
        self.frames: list[Any] = []
        self.subscribed_at: list[float] = []
        self.replies: dict[str, Reply] = {}
        self.silent: set[str] = set()
        self._current: ServerConnection | None = None
        self._guard = threading.Condition()
        self._server = serve(self._serve, "127.0.0.1", 0, ping_interval=None, logger=_QUIET)
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()
        self._server.shutdown()
        self._thread.join()

    # ---- what the platform does ----

    def call(self, body: Mapping[str, Any], *, cmd: str = "aibot_msg_callback", req_id: str = "R-1") -> None:
        """A member writes, or something happens."""
        self.send({"cmd": cmd, "headers": {"req_id": req_id}, "body": body})

    def send(self, frame: Mapping[str, Any]) -> None:
        self.until(lambda: self._current is not None)
        assert self._current is not None
        self._current.send(json.dumps(frame, ensure_ascii=False))

    def cut(self) -> None:
        if self._current is not None:
            self._current.close()

    def commands(self, cmd: str) -> list[Any]:
        return [frame for frame in self.frames if frame["cmd"] == cmd]

    def until(self, holds: Callable[[], object], seconds: float = 5) -> None:
        """Waits for it; fails if it does not come."""
        with self._guard:
            assert self._guard.wait_for(holds, timeout=seconds), [frame["cmd"] for frame in self.frames]

    def streams(self) -> list[Any]:
        """The streams that were shown, in order."""
        return [frame["body"]["stream"] for frame in self.commands("aibot_respond_msg")]

    def _serve(self, connection: ServerConnection) -> None:
        try:
            for raw in connection:
                self._heard(connection, json.loads(raw))
        except ConnectionClosed:
            pass
        finally:
            with self._guard:
                if self._current is connection:
                    self._current = None
                self._guard.notify_all()

    def _heard(self, connection: ServerConnection, frame: Any) -> None:
        cmd = frame["cmd"]
        reply = self.replies.get(cmd)
        answer = reply(frame) if reply else {}
        if cmd == "aibot_subscribe":
            answer = answer if frame["body"] == {"bot_id": BOT, "secret": SECRET} else {"errcode": 40001}
        with self._guard:
            self.frames.append(frame)
            if cmd == "aibot_subscribe":
                self.subscribed_at.append(time.monotonic())
        if answer is not None and cmd not in self.silent:
            said = {"headers": frame["headers"], "errcode": 0, "errmsg": "ok", **answer}
            connection.send(json.dumps(said))
        with self._guard:
            if cmd == "aibot_subscribe" and answer is not None and not answer.get("errcode"):
                self._current = connection
            self._guard.notify_all()


class Inbox:
    """What the desk keeps. While `closed`, it keeps nothing."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed = threading.Event()
        self.tries = 0

    def receive(self, events: Sequence[Event]) -> None:
        self.tries += 1
        if self.closed.is_set():
            raise NotKept("the store is down")
        self.events += events

    def messages(self) -> list[Message]:
        return [each for each in self.events if isinstance(each, Message)]


def desk_at(platform: Platform, **settings: Any) -> Desk:
    return Desk(settings={"mode": "websocket", "secret": SECRET, "ws_url": platform.url, **settings})


@contextmanager
def connected(desk: Desk, inbox: Inbox | None = None, timing: Timing = QUICK) -> Iterator[Inbox]:
    """`frontdesk connect`, on a thread."""
    kept, stop = inbox or Inbox(), threading.Event()
    connection = LongConnection("shop", desk.bot.settings, desk.services, timing)
    thread = threading.Thread(target=connection.run, args=(kept.receive, stop))
    thread.start()
    try:
        yield kept
    finally:
        stop.set()
        thread.join(timeout=20)
        assert not thread.is_alive()


def frame_body(**fields: Any) -> dict[str, Any]:
    """A callback's body, as the platform sends it here: without a response_url."""
    return {
        "msgid": "M1",
        "aibotid": BOT,
        "chattype": "single",
        "from": {"userid": "zhangsan"},
        "msgtype": "text",
        "text": {"content": "hello"},
        **fields,
    }


def heard(platform: Platform, inbox: Inbox, *, req_id: str = "R-1", **fields: Any) -> Message:
    """What the desk makes of a member's message."""
    known = len(inbox.messages())
    platform.call(frame_body(**fields), req_id=req_id)
    eventually(lambda: len(inbox.messages()) > known)
    return inbox.messages()[-1]


def eventually(holds: Any, seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def refused(outcome: Outcome) -> Refused:
    assert isinstance(outcome, Refused), outcome
    return outcome
