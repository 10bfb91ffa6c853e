"""What may go wrong on purpose, one endpoint at a time."""

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """How the next *times* calls of an endpoint go wrong.

    *status* with *json* or *text* (an edge's HTML page) replaces the answer; nothing is accepted then, unless
    *accept*. *cut* hangs up without accepting; *cut_after_accept* accepts and shows the message, then hangs up (a
    lost reply). *delay* passes before the answer; alone, it makes a call accepted at once and answered late.
    """

    status: int = 0
    json: Any = None
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    accept: bool = False
    cut: bool = False
    cut_after_accept: bool = False
    delay: timedelta = timedelta()
    times: int = 1

    @property
    def accepts(self) -> bool:
        """Whether the platform does what was asked, whatever it then answers."""
        return self.accept or self.cut_after_accept or not (self.status or self.cut)


class Faults:
    """Waiting faults by endpoint, first come first served. Thread-safe."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Fault]] = {}
        self._guard = threading.Lock()

    def add(self, endpoint: str, fault: Fault) -> None:
        with self._guard:
            self._waiting.setdefault(endpoint, deque()).extend([fault] * fault.times)

    def take(self, endpoint: str) -> Fault | None:
        with self._guard:
            waiting = self._waiting.get(endpoint)
            return waiting.popleft() if waiting else None

    def clear(self) -> None:
        with self._guard:
            self._waiting.clear()

    def waiting(self) -> dict[str, int]:
        """How many faults each endpoint still has before it."""
        with self._guard:
            return {endpoint: len(faults) for endpoint, faults in self._waiting.items() if faults}
