"""Counts per month in Redis."""

from collections.abc import Mapping

from sessions.codec import millis
from sessions.keys import Keys
from sessions.limits import METERED_FOR
from sessions.scripts import COUNT
from sessions.store import RedisStore, pairs


class RedisMeter:
    """Satisfies `adapters.meter.Meter`. May raise :class:`~sessions.errors.StoreDown`; it may have been counted
    then."""

    def __init__(self, store: RedisStore, *, shards: int = 16) -> None:
        self._store = store
        self._keys = Keys(shards)

    def add(self, channel: str, what: str, *, month: str, count: int = 1) -> int:
        return int(self._store.run(COUNT, [self._key(channel, month)], [what, count, millis(METERED_FOR)]))

    def read(self, channel: str, *, month: str) -> Mapping[str, int]:
        totals = pairs(self._store.command("HGETALL", self._key(channel, month)))
        return {what.decode(): int(total) for what, total in totals.items()}

    def _key(self, channel: str, month: str) -> str:
        return self._keys.of(channel).meter(channel, month)
