"""The platforms' access tokens in Redis: all processes of all hosts share one."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from adapters.values import Token
from sessions.codec import from_micros, micros, millis
from sessions.errors import StoreDown
from sessions.keys import Keys
from sessions.scripts import OPEN_GATE, SWAP_TOKEN
from sessions.store import RedisStore, Word

FORGET_AFTER = timedelta(days=1)
"""After its end, an unused token is removed."""

LONGEST_HOLD = timedelta(seconds=30)
"""Who holds the turnstile for longer has died: the platform's call is bounded well below."""

LOOK_EVERY = timedelta(milliseconds=50)


class RedisTokenStore:
    """Satisfies `adapters.tokens.TokenStore`."""

    def __init__(self, store: RedisStore, *, shards: int = 16) -> None:
        self._store = store
        self._keys = Keys(shards)

    def load(self, name: str) -> Token | None:
        value, expires_at = self._store.command("HMGET", self._keys.of(name).token(name), "value", "expires_at")
        return None if value is None else Token(value=value.decode(), expires_at=from_micros(int(expires_at)))

    def swap(self, name: str, *, stale: str | None, fresh: Token) -> bool:
        forget_at = micros(fresh.expires_at + FORGET_AFTER) // 1000
        args: list[Word] = [stale or "", fresh.value, micros(fresh.expires_at), forget_at]
        return bool(self._store.run(SWAP_TOKEN, [self._keys.of(name).token(name)], args))

    @contextmanager
    def turnstile(self, name: str, *, wait: timedelta) -> Iterator[bool]:
        gate, mark = self._keys.of(name).gate(name), os.urandom(12).hex()
        entered = self._enter(gate, mark, wait)
        try:
            yield entered
        finally:
            if entered:
                with suppress(StoreDown):  # the gate opens by itself then, after LONGEST_HOLD
                    self._store.run(OPEN_GATE, [gate], [mark])

    def _enter(self, gate: str, mark: str, wait: timedelta) -> bool:
        end = time.monotonic() + wait.total_seconds()
        while not self._store.command("SET", gate, mark, "NX", "PX", millis(LONGEST_HOLD)):
            if time.monotonic() >= end:
                return False
            time.sleep(LOOK_EVERY.total_seconds())
        return True
