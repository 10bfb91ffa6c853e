"""What comes in over a long connection, kept in order until the desk has it safe.

The platform does not send a frame again, so one that could not be kept is offered until it is.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

from adapters.errors import NotKept
from adapters.values import Event

MOST = 1000
"""Events in hand. A desk that cannot keep so many is down: the connection then waits with it."""

Receive = Callable[[Sequence[Event]], None]


class Intake:
    """Hands events to *receive*, one after the other, on a thread of its own: the connection's must never wait."""

    def __init__(self, receive: Receive, *, pause: timedelta = timedelta(seconds=1), last: int = 5) -> None:
        self._receive = receive
        self._pause = pause.total_seconds()
        self._last = last
        self._waiting: queue.Queue[Event | None] = queue.Queue(maxsize=MOST)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, event: Event) -> None:
        self.check()
        self._waiting.put(event)

    def check(self) -> None:
        """Raises RuntimeError when nobody takes events any more: *receive* raised what it must not."""
        if self._thread.ident is not None and not self._thread.is_alive():
            raise RuntimeError("what the desk did with an event failed: see the error before this one")

    def close(self) -> None:
        """Returns when everything is kept, or cannot be in a few more tries."""
        self._closing.set()
        while self._thread.is_alive():
            with suppress(queue.Full):
                self._waiting.put_nowait(None)
            self._thread.join(self._pause)

    def _run(self) -> None:
        while (event := self._waiting.get()) is not None:
            self._keep(event)

    def _keep(self, event: Event) -> None:
        while True:
            try:
                return self._receive([event])
            except NotKept:
                if self._closing.is_set():
                    self._last -= 1
                    if self._last < 0:
                        return None
                threading.Event().wait(self._pause)
