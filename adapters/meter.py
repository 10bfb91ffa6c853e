"""Counts per month of what a platform bills or limits: messages, API calls, webhooks."""

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Protocol


class Meter(Protocol):
    """Implemented in Redis (shared, kept for some months) and in memory (the twin). *month* is `YYYY-MM` in the
    zone that the platform counts in; *what* a snake_case word."""

    def add(self, channel: str, what: str, *, month: str, count: int = 1) -> int:
        """The month's total with these."""
        ...

    def read(self, channel: str, *, month: str) -> Mapping[str, int]:
        """Every total of the channel in that month."""
        ...


class MemoryMeter:
    """The twin, for one process."""

    def __init__(self) -> None:
        self._totals: Counter[tuple[str, str, str]] = Counter()
        self._guard = threading.Lock()

    def add(self, channel: str, what: str, *, month: str, count: int = 1) -> int:
        with self._guard:
            self._totals[channel, month, what] += count
            return self._totals[channel, month, what]

    def read(self, channel: str, *, month: str) -> Mapping[str, int]:
        with self._guard:
            return {
                what: total
                for (name, when, what), total in self._totals.items()
                if (name, when) == (channel, month)
            }
