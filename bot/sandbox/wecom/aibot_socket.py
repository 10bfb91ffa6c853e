"""The AI bot's long connection: one at a time, frames in the clear, acknowledged by request id (§4.7, §9.8)."""

import json
import secrets
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from bot.sandbox.simulator import frames
from bot.sandbox.simulator.clock import Clock
from bot.sandbox.simulator.journal import Delivery, Journal, SentMessage
from bot.sandbox.simulator.limits import Bucket
from bot.sandbox.simulator.media import Shelf
from bot.sandbox.simulator.platform import member
from bot.sandbox.wecom import aibot_messages as messages
from bot.sandbox.wecom.aibot_interaction import Interaction
from bot.sandbox.wecom.aibot_uploads import KINDS, Uploads
from bot.sandbox.wecom.errors import errcode, ok
from bot.sandbox.wecom.media import SHOWN_AS

STREAM_LIFE = timedelta(minutes=6)
PING_WITHIN = timedelta(seconds=90)
"""The bot pings every 30 seconds; a connection without a word for so long is closed."""
Answered = dict[str, Any]


class Bot(Protocol):
    """What the connection needs of the platform."""

    bot_id: str
    secret: str
    limits: bool
    clock: Clock
    journal: Journal
    shelf: Shelf

    def breach(self, rule: str, detail: str) -> None: ...

    def grown(self, interaction: Interaction) -> None: ...


class Socket:
    """*late*: how long an acknowledgement takes; *silent*: none comes. *port*: where it listens, 0: any."""

    def __init__(self, platform: Bot) -> None:
        self._platform = platform
        self.late = timedelta()
        self.silent = False
        self.port = 0
        self.ping_within = PING_WITHIN
        self._uploads = Uploads(platform.shelf, platform.clock.now, platform.breach)
        self._subscribed = Bucket(10, timedelta(seconds=6))
        self.subscriptions = 0
        self._server: Server | None = None
        self._current: ServerConnection | None = None
        self._asked: dict[str, Interaction] = {}
        self._began: dict[str, Any] = {}
        self._rates: dict[str, Bucket] = {}
        self._guard = threading.RLock()

    @property
    def url(self) -> str:
        """The bot's `ws_url`."""
        port = self._server.socket.getsockname()[1] if self._server else 0
        return f"ws://127.0.0.1:{port}"

    @property
    def connected(self) -> bool:
        return self._current is not None

    def start(self) -> None:
        self._server = serve(self._serve, "127.0.0.1", self.port, ping_interval=None)
        threading.Thread(target=self._server.serve_forever, name="aibot-socket", daemon=True).start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server = None
        self.cut()

    def cut(self) -> None:
        """The connection ends without a word."""
        with self._guard:
            current, self._current = self._current, None
        if current:
            current.close(1011)

    def push(self, cmd: str, body: Mapping[str, Any], interaction: Interaction) -> Delivery:
        """A callback to the connected bot; lost where none is."""
        with self._guard:
            current = self._current
        lost = Delivery(
            status=0, body=b"", elapsed=timedelta(), message_id=interaction.message_id, error="nobody is connected"
        )
        if current is None:
            return self._told(cmd, body, lost)
        req_id = secrets.token_hex(12)
        self._asked[req_id] = interaction
        self._told(cmd, body, replace(lost, status=200, error=""))
        try:
            current.send(json.dumps({"cmd": cmd, "headers": {"req_id": req_id}, "body": dict(body)}))
        except ConnectionClosed:
            return lost
        return Delivery(status=200, body=b"", elapsed=timedelta(), message_id=interaction.message_id)

    def _told(self, cmd: str, body: Mapping[str, Any], delivery: Delivery) -> Delivery:
        what = "message" if cmd == "aibot_msg_callback" else str(member(body, "event", "eventtype") or "event")
        at, took = self._platform.clock.now(), timedelta()
        told = frames.to_bot(
            what, delivery.message_id, cmd, body, at=at, took=took, answer=b"", error=delivery.error
        )
        self._platform.journal.add(told)
        return delivery

    def _heard(self, frame: Any, answer: Answered, at: datetime) -> None:
        """A heartbeat is no news."""
        cmd = str(member(frame, "cmd"))
        if cmd == "ping":
            return
        reason = f"{answer['errcode']}: {answer['errmsg']}" if answer["errcode"] else ""
        took = self._platform.clock.now() - at
        self._platform.journal.add(frames.of_bot(cmd, frame, answer, at=at, took=took, reason=reason))

    def _serve(self, connection: ServerConnection) -> None:
        subscribed = False
        try:
            while True:
                received = connection.recv(timeout=self.ping_within.total_seconds())
                frame, at = json.loads(received), self._platform.clock.now()
                cmd = member(frame, "cmd")
                if cmd == "aibot_subscribe":
                    answer = self._subscribe(connection, member(frame, "body"))
                    subscribed = answer["errcode"] == 0
                elif not subscribed:
                    answer = errcode(846609, "not subscribed")
                else:
                    answer = self._answer(str(cmd), frame)
                self._heard(frame, answer, at)
                self._acknowledge(connection, frame, answer)
        except ConnectionClosed:
            return
        except TimeoutError:
            connection.close(1000, "no ping")
        finally:
            with self._guard:
                if self._current is connection:
                    self._current = None

    def _acknowledge(self, connection: ServerConnection, frame: Any, answer: Answered) -> None:
        if self.silent:
            return
        if self.late:
            threading.Event().wait(self.late.total_seconds())
        connection.send(json.dumps({"headers": {"req_id": member(frame, "headers", "req_id")}, **answer}))

    def _subscribe(self, connection: ServerConnection, body: Any) -> Answered:
        """A newer connection replaces the older one, which is told, and closed (§4.7)."""
        if (member(body, "bot_id"), member(body, "secret")) != (self._platform.bot_id, self._platform.secret):
            return errcode(40001, "invalid credential")
        if self._platform.limits and not self._subscribed.take(self._platform.clock.now()):
            return errcode(45009, "api freq out of limit")
        self.subscriptions += 1
        with self._guard:
            former, self._current = self._current, connection
        if former is not None and former is not connection:
            event = {"msgtype": "event", "event": {"eventtype": "disconnected_event"}}
            told = {"cmd": "aibot_event_callback", "headers": {"req_id": secrets.token_hex(8)}, "body": event}
            try:
                former.send(json.dumps(told))
                former.close()
            except ConnectionClosed:
                return ok()
        return ok()

    def _answer(self, cmd: str, frame: Any) -> Answered:
        body, req_id = member(frame, "body"), str(member(frame, "headers", "req_id"))
        if cmd == "ping":
            return ok()
        if cmd == "aibot_send_msg":
            return self._pushed(body)
        if (uploaded := self._uploads.answer(cmd, body)) is not None:
            return uploaded
        interaction = self._asked.get(req_id)
        if interaction is None:
            return errcode(846605, "invalid req_id")
        if not self._allowed(interaction.place or interaction.user):
            return errcode(45009, "api freq out of limit")
        if cmd == "aibot_respond_welcome_msg":
            self._show(interaction, str(member(body, "text", "content") or ""), body)
            return ok()
        if cmd == "aibot_respond_update_msg":
            return ok()
        return self._responded(interaction, req_id, body)

    def _responded(self, interaction: Interaction, req_id: str, body: Any) -> Answered:
        now = self._platform.clock.now()
        if now - self._began.setdefault(req_id, now) > STREAM_LIFE:
            return errcode(846608, "stream is older than 6 minutes")
        if member(body, "msgtype") == "markdown":
            self._show(interaction, str(member(body, "markdown", "content")), body)
            return ok()
        if member(body, "stream", "msg_item"):
            self._platform.breach("image_by_socket", "msg_item is not supported on the long connection")
            return errcode(40058, "msg_item")
        try:
            told = messages.of_answer(body)
        except messages.BadAnswer as bad:
            self._platform.breach(bad.rule, str(bad))
            return errcode(40058, str(bad))
        if interaction.finished:
            return errcode(846608, "the stream is finished")
        interaction.stream = told.id or interaction.message_id
        interaction.carded = told.card
        interaction.shown, interaction.finished = told.text, told.finished
        self._platform.grown(interaction)
        if told.finished:
            self._show(interaction, told.text, body, choices=told.choices)
        return ok()

    def _pushed(self, body: Any) -> Answered:
        chat = str(member(body, "chatid") or "")
        kind = str(member(body, "msgtype"))
        if chat and kind in KINDS:
            return self._pushed_file(chat, kind, body)
        content = member(body, "markdown", "content")
        if not chat or not isinstance(content, str) or not content.strip():
            return errcode(40058, "chatid and markdown.content")
        self._platform.journal.add(
            SentMessage(to=chat, text=content, key="", at=self._platform.clock.now(), raw=body, style="markdown")
        )
        return ok()

    def _pushed_file(self, chat: str, kind: str, body: Any) -> Answered:
        id_ = str(member(body, kind, "media_id"))
        file = self._platform.shelf.get(id_)
        if file is None:
            return errcode(40007, "invalid media_id")
        shown = SHOWN_AS.get(kind, "document")
        at = self._platform.clock.now()
        self._platform.journal.add(
            SentMessage(
                to=chat, text="", key="", at=at, raw=body, media=id_, media_kind=shown, media_name=file.name
            )
        )
        return ok()

    def _allowed(self, chat: str) -> bool:
        """30 messages a minute in a chat, answers and pushes together."""
        if not self._platform.limits:
            return True
        with self._guard:
            bucket = self._rates.setdefault(chat, Bucket(30, timedelta(seconds=2)))
            return bucket.take(self._platform.clock.now())

    def _show(self, interaction: Interaction, text: str, raw: Any, *, choices: Any = ()) -> None:
        self._platform.journal.add(
            SentMessage(
                to=interaction.place or interaction.user,
                text=text,
                key=interaction.stream,
                at=self._platform.clock.now(),
                raw=raw,
                platform_id=interaction.stream or interaction.message_id,
                style="markdown",
                choices=choices,
            )
        )
