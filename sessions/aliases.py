"""Aliases in Redis: what one process has learned, all know."""

from sessions.codec import millis
from sessions.keys import Keys
from sessions.limits import ALIAS_FOR
from sessions.store import RedisStore


class RedisAliases:
    """Satisfies `adapters.aliases.Aliases`. May raise :class:`~sessions.errors.StoreDown`; it may then be called
    again."""

    def __init__(self, store: RedisStore, *, shards: int = 16) -> None:
        self._store = store
        self._keys = Keys(shards)

    def learn(self, alias: str, name: str) -> None:
        self._store.command("SET", self._key(alias), name, "PX", millis(ALIAS_FOR))

    def find(self, alias: str) -> str:
        found: bytes | None = self._store.command("GET", self._key(alias))
        return found.decode() if found else ""

    def _key(self, alias: str) -> str:
        return self._keys.of(alias).alias(alias)
