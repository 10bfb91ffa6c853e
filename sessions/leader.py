"""One process among all does what only one may do: hold a platform's long connection.

A leader renews well within its lease, and stops what it does as soon as `renew` is False or could not be asked for
as long as the lease lasts: another may lead from then on.
"""

import os
from datetime import timedelta
from typing import Protocol

from sessions.codec import millis
from sessions.keys import Keys
from sessions.memory_state import Memory
from sessions.scripts import LEAD, OPEN_GATE, PROLONG
from sessions.store import RedisStore

LEASE = timedelta(seconds=15)


class Leadership(Protocol):
    """Each method may raise :class:`~sessions.errors.StoreDown`, and may then be called again."""

    def acquire(self) -> bool:
        """Whether we lead now; the lease starts anew."""
        ...

    def renew(self) -> bool:
        """Whether we still led; then the lease starts anew. What is lost is never taken back here: another may have
        led meanwhile."""
        ...

    def release(self) -> None:
        """If we lead, the next one may."""
        ...


class Leader:
    """:class:`Leadership` in Redis. One instance is one candidate; all of a *name* compete."""

    def __init__(self, store: RedisStore, name: str, lease: timedelta = LEASE, *, shards: int = 16) -> None:
        self._store = store
        self._key = Keys(shards).of(name).leader(name)
        self._lease = max(1, millis(lease))
        self._mark = os.urandom(12).hex()

    def acquire(self) -> bool:
        return bool(self._store.run(LEAD, [self._key], [self._mark, self._lease]))

    def renew(self) -> bool:
        return bool(self._store.run(PROLONG, [self._key], [self._mark, self._lease]))

    def release(self) -> None:
        self._store.run(OPEN_GATE, [self._key], [self._mark])


class MemoryLeader:
    """The twin, for one process."""

    def __init__(self, memory: Memory, name: str, lease: timedelta = LEASE) -> None:
        self._memory = memory
        self._name = name
        self._lease = lease
        self._mark = os.urandom(12).hex()

    def acquire(self) -> bool:
        with self._memory.changed:
            return self._holder() in (None, self._mark) and self._start_lease()

    def renew(self) -> bool:
        with self._memory.changed:
            return self._holder() == self._mark and self._start_lease()

    def release(self) -> None:
        with self._memory.changed:
            if self._holder() == self._mark:
                del self._memory.leaders[self._name]

    def _holder(self) -> str | None:
        mark, until = self._memory.leaders.get(self._name, (None, self._memory.clock()))
        return mark if self._memory.clock() < until else None

    def _start_lease(self) -> bool:
        self._memory.leaders[self._name] = (self._mark, self._memory.clock() + self._lease)
        return True
