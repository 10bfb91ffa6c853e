"""Token buckets that all processes share, for platforms that punish or silently drop what comes too fast."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from adapters.shared import Bucket


class Throttle(Protocol):
    """Implemented in Redis (shared) and in memory (the twin)."""

    def take(self, buckets: Sequence[Bucket]) -> timedelta:
        """One token of each bucket, of all or of none. Zero: taken; else how long until all have one."""
        ...


class MemoryThrottle:
    """The twin, for one process. A bucket is kept as the moment at which it is full again."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._full_at: dict[str, datetime] = {}
        self._guard = threading.Lock()

    def take(self, buckets: Sequence[Bucket]) -> timedelta:
        with self._guard:
            now = self._clock()
            self._full_at = {name: when for name, when in self._full_at.items() if when > now}
            full_at = {each.name: min(self._full_at.get(each.name, now), _filled(each, now)) for each in buckets}
            waits = (full_at[each.name] - now - (each.burst - 1) * each.every for each in buckets)
            wait = max(waits, default=timedelta())
            if wait > timedelta():
                return wait
            self._full_at |= {each.name: full_at[each.name] + each.every for each in buckets}
            return timedelta()


def _filled(bucket: Bucket, now: datetime) -> datetime:
    """When one that is empty now is full: it is never emptier, though its measures were larger before."""
    return now + bucket.burst * bucket.every
