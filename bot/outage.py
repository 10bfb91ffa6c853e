"""Redis is away: said when it goes, every half minute meanwhile, and when it is back; not four times a second."""

import threading
import time
from collections.abc import Callable

from bot.logs import Level, log

SAY_EVERY = 30.0
"""Seconds."""


class Outage:
    """One process's view of the store. Thread-safe."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._since: float | None = None
        self._said = 0.0
        self._unsaid = 0
        self._guard = threading.Lock()

    def met(self, where: str, error: Exception, *, level: Level = "warning", **ids: object) -> None:
        """The store failed a caller. *unsaid* of the line counts the failures since the line before it."""
        now = self._monotonic()
        with self._guard:
            if self._since is not None and now - self._said < SAY_EVERY:
                self._unsaid += 1
                return
            if self._since is None:
                self._since = now
            unsaid, self._unsaid, self._said = self._unsaid, 0, now
        log("store_down", level=level, where=where, reason=str(error), unsaid=unsaid, **ids)

    @property
    def _down(self) -> bool:
        return self._since is not None

    def over(self) -> None:
        """The store answered. Costs nothing while there is no outage."""
        if not self._down:
            return
        with self._guard:
            since, self._since, self._unsaid = self._since, None, 0
        if since is None:  # another thread was faster
            return
        seconds = self._monotonic() - since
        log("store_up", seconds=round(seconds, 1))
