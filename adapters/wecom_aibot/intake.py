"""What comes in over a long connection, in hand until the desk has it safe.

The platform does not send a frame again, so an event that could not be kept is offered until it is. Each
conversation waits for itself alone: one whose mailbox is full must not hold up the others.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta

from adapters.errors import NotKept
from adapters.values import Event, StatusUpdate

MOST = 10_000
"""Events in hand. A desk that cannot keep so many is down: the connection then waits with it."""
MOST_OF_ONE = 100
"""Of one conversation: its mailbox is full anyway, and nobody waits for a hundred answers."""

Receive = Callable[[Sequence[Event]], None]


class Intake:
    """Hands events to *receive*, in order for each conversation, on a thread of its own: the connection's must not
    wait for a store. *last*: so many more rounds after `close`."""

    def __init__(self, receive: Receive, *, pause: timedelta = timedelta(seconds=1), last: int = 5) -> None:
        self._receive = receive
        self._pause = pause.total_seconds()
        self._last = last
        self._waiting: dict[str, deque[Event]] = {}
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, event: Event) -> None:
        """What is beyond the room of its conversation is left out."""
        self.check()
        with self._changed:
            self._changed.wait_for(lambda: self._closing or sum(map(len, self._waiting.values())) < MOST)
            waiting = self._waiting.setdefault(_conversation(event), deque())
            if len(waiting) < MOST_OF_ONE:
                waiting.append(event)
            self._changed.notify_all()

    def check(self) -> None:
        """Raises RuntimeError when nobody takes events any more: *receive* raised what it must not."""
        if self._thread.ident is not None and not self._thread.is_alive():
            raise RuntimeError("what the desk did with an event failed: see the error before this one")

    def close(self) -> None:
        """Returns when everything is kept, or cannot be in a few more rounds."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while self._next():
            with self._changed:
                names = list(self._waiting)
            kept = [self._offered(name) for name in names]
            if not any(kept):
                with self._changed:
                    self._changed.wait(self._pause)

    def _next(self) -> bool:
        """Waits for something to offer; False when it is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._waiting)
            self._last -= self._closing
            return bool(self._waiting) and self._last >= 0

    def _offered(self, name: str) -> bool:
        """Offers the oldest of one conversation, then the next: whether any was kept."""
        kept = False
        while event := self._oldest(name):
            try:
                self._receive([event])
            except NotKept:
                return kept
            kept = True
            with self._changed:
                self._waiting[name].popleft()
                if not self._waiting[name]:
                    del self._waiting[name]
                self._changed.notify_all()
        return kept

    def _oldest(self, name: str) -> Event | None:
        with self._changed:
            waiting = self._waiting.get(name)
            return waiting[0] if waiting else None


def _conversation(event: Event) -> str:
    known = None if isinstance(event, StatusUpdate) else event.conversation
    return known.key if known else ""
