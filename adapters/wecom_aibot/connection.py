"""The long connection: one for each bot, held for ever (WeCom sheet §4.7).

subscribe → frames in, errands out, a ping every half minute → and anew, after a pause that grows. A newer
connection throws the older one out; two that both come back at once would do so for ever, so the loser waits.
"""

import logging
import random
import socket as sockets
import threading
import time
from datetime import timedelta

from websockets.exceptions import InvalidHandshake, InvalidURI
from websockets.sync.client import ClientConnection, connect

from adapters.channel import Services
from adapters.wecom_aibot.inbound import Inbound
from adapters.wecom_aibot.intake import Intake, Receive
from adapters.wecom_aibot.names import Names
from adapters.wecom_aibot.session import End, Session
from adapters.wecom_aibot.settings import WeComAiBotSettings
from adapters.wecom_aibot.timing import Timing
from adapters.wecom_aibot.watch import Watch

LARGEST_FRAME = 1024 * 1024
_LONGEST_SEND = timedelta(seconds=20)
_QUIET = logging.getLogger("adapters.wecom_aibot.websocket")
_QUIET.setLevel(logging.CRITICAL + 1)  # at DEBUG the library writes whole frames, the secret's among them


class LongConnection:
    """What `frontdesk connect` holds for one bot."""

    def __init__(
        self, name: str, settings: WeComAiBotSettings, services: Services, timing: Timing | None = None
    ) -> None:
        self._name = name
        self._settings = settings
        self._services = services
        self._timing = timing or Timing()
        self._inbound = Inbound(channel=name, bot_id=settings.bot_id, bot_name=settings.bot_name)
        self._watch = Watch(Names(name), services.growth, longest=self._timing.changeable)

    def run(self, receive: Receive, stop: threading.Event) -> None:
        intake = Intake(receive)
        intake.start()
        tries = 0
        try:
            while not stop.is_set():
                intake.check()
                begun = time.monotonic()
                end = self._once(intake, stop)
                steady = time.monotonic() - begun >= self._timing.steady.total_seconds()
                tries = 1 if steady else tries + 1
                stop.wait(self._pause(end, tries).total_seconds())
        finally:
            intake.close()

    def _once(self, intake: Intake, stop: threading.Event) -> End:
        try:
            with connect(
                self._settings.ws_url,
                proxy=None,  # a variable of the environment must not change what the operator configured
                ping_interval=None,  # the platform has pings of its own
                open_timeout=self._timing.open.total_seconds(),
                close_timeout=1,
                max_size=LARGEST_FRAME,
                logger=_QUIET,
            ) as socket:
                _bounded(socket)
                session = Session(
                    socket,
                    channel=self._name,
                    settings=self._settings,
                    services=self._services,
                    timing=self._timing,
                    inbound=self._inbound,
                    watch=self._watch,
                    put=intake.put,
                )
                return session.run(stop)
        except (OSError, TimeoutError, InvalidHandshake, InvalidURI):
            return End.LOST

    def _pause(self, end: End, tries: int) -> timedelta:
        """With jitter, so that two which threw each other out do not come back together."""
        least = {End.REPLACED: self._timing.replaced, End.REFUSED: self._timing.refused}.get(end, timedelta())
        return max(self._timing.backoff.delay(tries), least * random.uniform(1, 1.5))


def _bounded(connection: ClientConnection) -> None:
    """A peer that takes nothing any more must not hold a sending thread for the kernel's quarter of an hour."""
    if hasattr(sockets, "TCP_USER_TIMEOUT"):  # Linux
        milliseconds = int(_LONGEST_SEND.total_seconds() * 1000)
        connection.socket.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_USER_TIMEOUT, milliseconds)
