"""Access tokens that all processes share: fetched once, refreshed early, replaced by compare-and-swap.

A token that a platform rejected is only fetched anew if it is still the stored one; otherwise another process
was faster, and its token is used (WeCom sheet §3.1, DingTalk sheet §2.5).
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Protocol

from adapters.values import Token

REFRESH_EARLY = timedelta(minutes=5)


class TokenStore(Protocol):
    """Where tokens live, by name. Implemented in Redis (shared) and in memory (the twin)."""

    def load(self, name: str) -> Token | None: ...

    def swap(self, name: str, *, stale: str | None, fresh: Token) -> bool:
        """Stores *fresh* if the stored value is *stale* (None: nothing stored); says whether it did."""
        ...

    @contextmanager
    def turnstile(self, name: str, *, wait: timedelta) -> Iterator[bool]:
        """One holder at a time across all processes. Yields whether it was free within *wait*."""
        ...


class MemoryTokenStore:
    """The twin of the Redis store, for one process."""

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}
        self._gates: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def load(self, name: str) -> Token | None:
        return self._tokens.get(name)

    def swap(self, name: str, *, stale: str | None, fresh: Token) -> bool:
        with self._guard:
            stored = self._tokens.get(name)
            if (stored.value if stored else None) != stale:
                return False
            self._tokens[name] = fresh
            return True

    @contextmanager
    def turnstile(self, name: str, *, wait: timedelta) -> Iterator[bool]:
        with self._guard:
            gate = self._gates.setdefault(name, threading.Lock())
        entered = gate.acquire(timeout=wait.total_seconds())
        try:
            yield entered
        finally:
            if entered:
                gate.release()


class SharedToken:
    """One credential's token. *fetch* asks the platform and may raise; its error passes through."""

    def __init__(
        self, name: str, store: TokenStore, fetch: Callable[[], Token], now: Callable[[], datetime]
    ) -> None:
        self._name = name
        self._store = store
        self._fetch = fetch
        self._now = now

    def get(self) -> str:
        """A token that is good for some minutes yet."""
        stored = self._store.load(self._name)
        if stored is not None and stored.expires_at - REFRESH_EARLY > self._now():
            return stored.value
        return self._refresh(stale=stored)

    def replace(self, rejected: str) -> str:
        """A token other than *rejected*: another process's newer one, or one fetched now."""
        stored = self._store.load(self._name)
        if stored is not None and stored.value != rejected:
            return stored.value
        return self._refresh(stale=stored)

    def _refresh(self, *, stale: Token | None) -> str:
        with self._store.turnstile(self._name, wait=timedelta(seconds=10)):
            stored = self._store.load(self._name)
            if stored is not None and (stale is None or stored.value != stale.value):
                return stored.value
            fresh = self._fetch()
            self._store.swap(self._name, stale=stale.value if stale else None, fresh=fresh)
            return fresh.value
