"""One connection, from its subscription to its end."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from adapters.channel import Services
from adapters.errors import Malformed
from adapters.payload import text
from adapters.shared import Errand
from adapters.values import Event
from adapters.wecom_aibot.cards import chosen_update
from adapters.wecom_aibot.frames import (
    EVENT,
    MESSAGE,
    PING,
    SUBSCRIBE,
    UPDATE_CARD,
    WELCOME,
    Frame,
    command,
    read_frame,
)
from adapters.wecom_aibot.inbound import Inbound
from adapters.wecom_aibot.outbox import Outbox
from adapters.wecom_aibot.settings import WeComAiBotSettings
from adapters.wecom_aibot.timing import Timing
from adapters.wecom_aibot.watch import Watch

NOT_SUBSCRIBED = "846609"
MISSED_PINGS = 2
FIRST_TAKE = timedelta(milliseconds=50)
LAST_FRAME = timedelta(seconds=2)
"""How long the end of a connection waits for a frame in hand: a desk that is down may hold it up."""


class End(StrEnum):
    """Why a connection is no more."""

    LOST = "lost"
    REFUSED = "refused"  # the subscription was
    REPLACED = "replaced"  # by a newer connection of the same bot
    STOPPED = "stopped"


class Session:
    """The frames of one connection. A thread of its own reads; the caller's takes the workers' errands."""

    def __init__(
        self,
        socket: ClientConnection,
        *,
        channel: str,
        settings: WeComAiBotSettings,
        services: Services,
        timing: Timing,
        inbound: Inbound,
        watch: Watch,
        put: Callable[[Event], None],
    ) -> None:
        self._socket = socket
        self._channel = channel
        self._settings = settings
        self._services = services
        self._timing = timing
        self._inbound = inbound
        self._watch = watch
        self._put = put
        self._outbox = Outbox(self._say, services.relay.answer, ack=timing.ack, now=services.now)
        self._over = threading.Event()
        self._end = End.LOST
        self._pings = 0
        self._ping_at = 0.0

    def run(self, stop: threading.Event) -> End:
        if stop.is_set():  # while it was opened: to subscribe now could throw another process's out
            return End.STOPPED
        if not self._subscribed():
            return self._end
        self._take(FIRST_TAKE)  # from now on workers know that somebody is here, before their messages are
        reader = threading.Thread(target=self._read, name=f"aibot-{self._channel}", daemon=True)
        reader.start()
        try:
            self._serve(stop)
        finally:
            self._socket.close()
            reader.join(LAST_FRAME.total_seconds())
        return End.STOPPED if stop.is_set() else self._end

    def _subscribed(self) -> bool:
        secret = self._settings.secret.get_secret_value() if self._settings.secret else ""
        subscription = command(SUBSCRIBE, {"bot_id": self._settings.bot_id, "secret": secret})
        asked = read_frame(subscription).req_id
        deadline = time.monotonic() + self._timing.ack.total_seconds()
        try:
            self._socket.send(subscription)
            while (answer := read_frame(self._socket.recv(timeout=deadline - time.monotonic()))).req_id != asked:
                continue
        except (ConnectionClosed, TimeoutError, Malformed):
            return False
        self._end = End.LOST if answer.errcode == "0" else End.REFUSED
        return self._end is End.LOST

    # ---- out ----

    def _serve(self, stop: threading.Event) -> None:
        self._ping_at = time.monotonic() + self._timing.ping.total_seconds()
        while not stop.is_set() and not self._over.is_set():
            self._take(self._timing.errands)
            self._outbox.tick()
            for frame in self._watch.overdue(self._services.now()):
                self._outbox.put(self._own(frame))
            self._ping()

    def _take(self, wait: timedelta) -> None:
        errand = self._services.relay.take(self._channel, wait=wait)
        if errand is not None:
            with suppress(Malformed):
                self._outbox.put(errand)

    def _own(self, frame: str) -> Errand:
        return Errand(id="", frame=frame, awaited=False, until=self._services.now() + self._timing.ack)

    def _ping(self) -> None:
        if time.monotonic() < self._ping_at:
            return
        self._ping_at = time.monotonic() + self._timing.ping.total_seconds()
        if self._pings >= MISSED_PINGS:
            self._over.set()
            return
        self._pings += 1
        self._say(command(PING))

    def _say(self, frame: str) -> None:
        """What cannot be said any more is not answered: whoever waits for it knows nothing, rightly."""
        self._watch.said(read_frame(frame), self._services.now())
        try:
            self._socket.send(frame)
        except ConnectionClosed:
            self._over.set()

    # ---- in ----

    def _read(self) -> None:
        try:
            while True:
                raw = self._socket.recv()
                with suppress(Malformed):
                    self._frame(raw if isinstance(raw, str) else raw.decode("utf-8", "replace"))
        except ConnectionClosed:
            return
        finally:
            self._over.set()  # whatever ended the reading: a connection that nobody reads is none

    def _frame(self, raw: str) -> None:
        frame = read_frame(raw)
        if frame.cmd in (MESSAGE, EVENT):
            self._called(frame, self._services.now())
        elif not frame.cmd and frame.errcode:
            self._answered(frame, raw)

    def _answered(self, frame: Frame, raw: str) -> None:
        """A connection that is up but not subscribed (seen after reconnects) hears nothing: it is given up."""
        if frame.errcode == NOT_SUBSCRIBED:
            self._over.set()
        if frame.req_id.startswith(f"{PING}_"):
            self._pings = 0
        else:
            self._outbox.acknowledged(frame.req_id, raw)

    def _called(self, frame: Frame, now: datetime) -> None:
        kind = text(frame.body, "event", "eventtype")
        if kind == "disconnected_event":
            self._end = End.REPLACED
            self._over.set()
        elif kind == "enter_chat" and self._settings.welcome.strip():
            content = {"msgtype": "text", "text": {"content": self._settings.welcome}}
            self._say(command(WELCOME, content, req_id=frame.req_id))
        elif kind == "template_card_event":
            self._update_card(frame)
        event = self._inbound.event(frame.body, received_at=now, req_id=frame.req_id)
        if event is not None:
            self._put(event)

    def _update_card(self, frame: Frame) -> None:
        if update := chosen_update(frame.body):
            self._say(command(UPDATE_CARD, update, req_id=frame.req_id))
