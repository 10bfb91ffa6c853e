"""Answers that grow, in Redis: a worker writes, any web process reads."""

from collections.abc import Sequence

from adapters.shared import Growing
from sessions.codec import dump_text, from_millis, load_text, millis
from sessions.keys import Keys
from sessions.limits import GROWN_FOR
from sessions.scripts import GROW, OPEN_GROWTH
from sessions.store import RedisStore


class RedisGrowth:
    """Satisfies `adapters.growth.Growth`. Each method is one round trip, and may raise
    :class:`~sessions.errors.StoreDown`; it may then be called again."""

    def __init__(self, store: RedisStore, *, shards: int = 16) -> None:
        self._store = store
        self._keys = Keys(shards)

    def open(self, name: str, text: str = "") -> Growing:
        return _growing(self._store.run(OPEN_GROWTH, [self._key(name)], [dump_text(text), millis(GROWN_FOR)]))

    def grow(self, name: str, text: str, *, finished: bool = False) -> bool:
        return bool(self._store.run(GROW, [self._key(name)], [dump_text(text), int(finished)]))

    def read(self, name: str) -> Growing | None:
        found = self._store.command("HMGET", self._key(name), "text", "finished", "opened_at")
        return None if found[0] is None else _growing(found)

    def _key(self, name: str) -> str:
        return self._keys.of(name).growth(name)


def _growing(found: Sequence[bytes]) -> Growing:
    text, finished, opened_at = found
    return Growing(text=load_text(text), finished=finished == b"1", opened_at=from_millis(opened_at))
