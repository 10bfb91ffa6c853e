"""The long connection (DingTalk sheet §4), on DingTalk's own SDK with its quirks (§4.2) replaced.

Of the SDK's client stay its identity and its place in the world; how it opens (it blocks without a time limit and
logs the ticket), how it routes and acknowledges, when it gives up (on some errors for good) and how it ends (never)
are ours. It is an optional package: this module is imported only where a channel asks for the stream.
"""

import asyncio
import logging
import random
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from dingtalk_stream import Credential, DingTalkStreamClient
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from adapters.dingtalk.frames import DISCONNECT, PING, Desk, Frame, Receive, acknowledged, read_frame
from adapters.dingtalk.gateway import Door
from adapters.errors import Malformed, NotKept
from adapters.http import MaybeSent, NotSent
from adapters.tokens import NoToken
from adapters.values import ControlEvent

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
STEADY = 60.0
"""Seconds after which a connection counts as one that worked: the pauses begin anew."""
LOOK = 0.2
"""Seconds between two looks at whether to stop."""
OPENING = 10.0
LEAVING = timedelta(seconds=15)
"""DingTalk closes a connection ten seconds after it asked us to leave (§4.1)."""
MOST_PENDING = 100

# Both write frames, addresses and tickets into their lines.
for _name in ("dingtalk_stream.client", "dingtalk_stream.handler", "websockets.client"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)

_FAILURES = (NotSent, MaybeSent, NoToken, WebSocketException, OSError, TimeoutError)


class Client(DingTalkStreamClient):  # type: ignore[misc]  # the SDK has no types
    """One run of a stream connection: until *stop*, over as many connections as it takes."""

    def __init__(
        self,
        credential: Credential,
        open_door: Callable[[], Door],
        desk: Desk,
        receive: Receive,
        stop: threading.Event,
    ) -> None:
        super().__init__(credential, logging.getLogger("dingtalk_stream.client"))
        self._open_door = open_door
        self._desk = desk
        self._receive = receive
        self._stop = stop
        self._left: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Stays connected until told to stop. A pause lies between two tries, longer each time and never the same,
        but none before the connection that replaces one which DingTalk is about to close."""
        failures = 0
        while not self._stop.is_set():
            began = time.monotonic()
            asked_to_leave = False
            try:
                asked_to_leave = await self._connected()
                reason = "the connection was closed"
            except _FAILURES as error:
                reason = error.refused.reason if isinstance(error, NoToken) else type(error).__name__
            if asked_to_leave or self._stop.is_set():
                failures = 0
                continue
            failures = 0 if time.monotonic() - began > STEADY else failures + 1
            await self._tell(reason)
            await self._rest(failures)
        for task in self._left:
            task.cancel()
        await asyncio.gather(*self._left, return_exceptions=True)

    async def _connected(self) -> bool:
        """One connection, to its end. Whether DingTalk asked us to take another: then this one is read on, beside
        the next, until DingTalk closes it."""
        door = await asyncio.to_thread(self._open_door)
        socket = await connect(door.url, proxy=None, open_timeout=OPENING, close_timeout=1)
        leave = asyncio.Event()
        reading = asyncio.create_task(self._read(socket, leave))
        while not (reading.done() or leave.is_set() or self._stop.is_set()):
            await asyncio.wait({reading}, timeout=LOOK)
        if leave.is_set() and not reading.done():
            self._left.add(reading)
            reading.add_done_callback(self._left.discard)
            asyncio.get_running_loop().call_later(LEAVING.total_seconds(), reading.cancel)
            return True
        if not reading.done():
            await socket.close()
        await reading
        return leave.is_set()

    async def _read(self, socket: ClientConnection, leave: asyncio.Event) -> None:
        """Every frame, in order. Pings are answered at once, however long the desk takes."""
        order = asyncio.Lock()
        pending: set[asyncio.Task[None]] = set()
        try:
            async for raw in socket:
                frame = _readable(raw)
                if frame is None:
                    continue
                if (frame.kind, frame.topic) == ("SYSTEM", DISCONNECT):
                    leave.set()
                elif (frame.kind, frame.topic) == ("SYSTEM", PING):
                    await socket.send(acknowledged(frame, frame.data))
                else:
                    task = asyncio.create_task(self._take(socket, frame, order))
                    pending.add(task)
                    task.add_done_callback(pending.discard)
                    if len(pending) >= MOST_PENDING:
                        await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        except ConnectionClosed:
            pass
        finally:
            await asyncio.gather(*pending)
            await socket.close()

    async def _take(self, socket: ClientConnection, frame: Frame, order: asyncio.Lock) -> None:
        """Acknowledged only once the desk has it; if the connection is gone by then, DingTalk sends it anew."""
        async with order:
            answer = await asyncio.to_thread(self._desk.answer, frame, self._receive)
        if answer is not None:
            try:
                await socket.send(answer)
            except ConnectionClosed:
                return

    async def _tell(self, reason: str) -> None:
        now = self._desk.now()
        event = ControlEvent(
            channel=self._desk.inbound.channel, what="stream_lost", at=now, detail={"reason": reason}
        )
        try:
            await asyncio.to_thread(self._receive, [event])
        except NotKept:
            return

    async def _rest(self, failures: int) -> None:
        pause = min(FIRST_PAUSE * 2 ** min(max(failures - 1, 0), 10), LONGEST_PAUSE)
        until = time.monotonic() + pause * random.uniform(0.5, 1.5)
        while time.monotonic() < until and not self._stop.is_set():
            await asyncio.sleep(LOOK)


def _readable(raw: str | bytes) -> Frame | None:
    try:
        return read_frame(raw)
    except Malformed:
        return None


class StreamConnection:
    """Implements `adapters.channel.Connection`."""

    def __init__(self, credential: Credential, open_door: Callable[[], Door], desk: Desk) -> None:
        self._credential = credential
        self._open_door = open_door
        self._desk = desk

    def run(self, receive: Receive, stop: threading.Event) -> None:
        asyncio.run(Client(self._credential, self._open_door, self._desk, receive, stop).start())
