"""From a worker to the one process that holds a platform's long connection, and back.

The worker asks; the connection's process takes the errand, says the frame over the wire, and answers with what the
platform said. Frames are text (JSON); only the channel knows what is in them.
"""

import queue
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import uuid4

from adapters.shared import Errand

FRESH = timedelta(seconds=5)
"""For so long after its last `take` (while it waits in one, too) a connection counts as up."""

LOOK_EVERY = timedelta(seconds=1)
"""How often one that waits says so anew."""


class NobodyConnected(Exception):
    """No process holds this channel's connection now: nothing was sent. Is `frontdesk connect` running?"""


class Relay(Protocol):
    """Implemented in Redis (shared) and in memory (the twin). Raises nothing but what is named here: where the
    store does not answer, an errand is one that nobody took or answered."""

    def ask(self, channel: str, frame: str, *, wait: timedelta) -> str | None:
        """The platform's answer; None: there was none within *wait*, and the frame may have been said. Raises
        :class:`NobodyConnected`."""
        ...

    def tell(self, channel: str, frame: str) -> bool:
        """Wants no answer, and is dropped if nobody takes it soon. False: nobody is connected."""
        ...

    def take(self, channel: str, *, wait: timedelta) -> Errand | None:
        """For the connection's process: the oldest errand that is still worth running, waiting up to *wait*. Each
        call says that the connection is up."""
        ...

    def answer(self, errand: Errand, frame: str) -> None: ...


class MemoryRelay:
    """The twin, for one process."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._errands: dict[str, queue.SimpleQueue[Errand]] = {}
        self._answers: dict[str, queue.SimpleQueue[str]] = {}
        self._taken_at: dict[str, datetime] = {}
        self._guard = threading.Lock()

    def ask(self, channel: str, frame: str, *, wait: timedelta) -> str | None:
        errand = Errand(id=uuid4().hex, frame=frame, awaited=True, until=self._clock() + wait)
        answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        with self._guard:
            self._answers[errand.id] = answers
        try:
            if not self._put(channel, errand):
                raise NobodyConnected(f"no process holds the connection of {channel}")
            return answers.get(timeout=wait.total_seconds())
        except queue.Empty:
            return None
        finally:
            with self._guard:
                del self._answers[errand.id]

    def tell(self, channel: str, frame: str) -> bool:
        return self._put(channel, Errand(id=uuid4().hex, frame=frame, awaited=False, until=self._clock() + FRESH))

    def take(self, channel: str, *, wait: timedelta) -> Errand | None:
        end = time.monotonic() + wait.total_seconds()
        while True:
            waiting, left = self._connected(channel), max(0.0, end - time.monotonic())
            try:
                errand = waiting.get(timeout=min(left, LOOK_EVERY.total_seconds()))
            except queue.Empty:
                if not left:
                    return None
            else:
                if errand.until > self._clock():
                    return errand

    def _connected(self, channel: str) -> queue.SimpleQueue[Errand]:
        with self._guard:
            self._taken_at[channel] = self._clock()
            return self._errands.setdefault(channel, queue.SimpleQueue())

    def answer(self, errand: Errand, frame: str) -> None:
        with self._guard:
            answers = self._answers.get(errand.id)
        if answers is not None:
            answers.put(frame)

    def _put(self, channel: str, errand: Errand) -> bool:
        with self._guard:
            taken = self._taken_at.get(channel)
            if taken is None or self._clock() - taken > FRESH:
                return False
            self._errands.setdefault(channel, queue.SimpleQueue()).put(errand)
            return True
