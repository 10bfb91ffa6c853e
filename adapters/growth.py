"""Answers that grow before the customer's eyes, readable and writable by every process.

A platform that polls may ask any web process, while a worker writes. Whoever finishes an answer first (the worker
with its last word, or the web process because the platform's time is up) has finished it for both.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from adapters.shared import Growing

KEPT = timedelta(hours=1)
"""How long an answer can be read after it was opened."""


class Growth(Protocol):
    """Implemented in Redis (shared) and in memory (the twin). *name* is unique among all channels."""

    def open(self, name: str, text: str = "") -> Growing:
        """Begins an answer with *text*; the one that is there already, if it was begun before."""
        ...

    def grow(self, name: str, text: str, *, finished: bool = False) -> bool:
        """Puts the whole *text* so far in place of what was. False, and nothing happens: there is no such answer
        (any more), or it is finished."""
        ...

    def read(self, name: str) -> Growing | None: ...


class MemoryGrowth:
    """The twin, for one process."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._answers: dict[str, Growing] = {}
        self._guard = threading.Lock()

    def open(self, name: str, text: str = "") -> Growing:
        with self._guard:
            self._answers = {each: kept for each in self._answers if (kept := self._known(each))}
            known = self._known(name)
            if known is None:
                known = self._answers[name] = Growing(text=text, finished=False, opened_at=self._clock())
            return known

    def grow(self, name: str, text: str, *, finished: bool = False) -> bool:
        with self._guard:
            known = self._known(name)
            if known is None or known.finished:
                return False
            self._answers[name] = Growing(text=text, finished=finished, opened_at=known.opened_at)
            return True

    def read(self, name: str) -> Growing | None:
        with self._guard:
            return self._known(name)

    def _known(self, name: str) -> Growing | None:
        known = self._answers.get(name)
        return known if known and self._clock() - known.opened_at < KEPT else None
