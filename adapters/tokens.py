"""Access tokens that all processes share: fetched once, refreshed early, replaced by compare-and-swap.

A token that a platform rejected is only fetched anew if it is still the stored one; otherwise another process
was faster, and its token is used (WeCom sheet §3.1, DingTalk sheet §2.5). A failed fetch is remembered for a short,
growing while, since failing calls are what platforms punish: some 2,000 an hour block a WeCom company.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from adapters.values import Action, Refused, Token

T = TypeVar("T")

REFRESH_EARLY = timedelta(minutes=5)
PATIENCE = timedelta(seconds=20)
"""How long one waits for another's fetch: longer than one HTTP call may last."""
FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(seconds=60)


class NoToken(Exception):
    """There is no token now. A *fetch* raises it with what the send then ends as: nothing was sent."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.reason)
        self.refused = refused


class TokenStore(Protocol):
    """Where tokens live, by name. Implemented in Redis (shared) and in memory (the twin)."""

    def load(self, name: str) -> Token | None:
        """What was stored last, though it may have ended since."""
        ...

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """A fetch that failed and until when it stands for all that would follow."""

    refused: Refused
    until: datetime
    in_a_row: int


class SharedToken:
    """One credential's token. Thread-safe.

    *fetch* asks the platform once and raises :class:`NoToken`; other errors pass through, unremembered. A stored
    token counts as ended `REFRESH_EARLY` before the platform's own end, or at half its life if that is later, so
    that a short-lived one is used as well.
    """

    def __init__(
        self, name: str, store: TokenStore, fetch: Callable[[], Token], now: Callable[[], datetime]
    ) -> None:
        self._name = name
        self._store = store
        self._fetch = fetch
        self._now = now
        self._gate = threading.Lock()
        self._failure: _Failure | None = None

    def get(self) -> str:
        """A token that is good for some time yet. Raises :class:`NoToken`."""
        stored = self._store.load(self._name)
        if stored is not None and stored.expires_at > self._now():
            return stored.value
        try:
            return self._refresh(lambda found: found.expires_at > self._now())
        except NoToken:
            # The store's end is early: until the platform's, a failing fetch stops nothing.
            if stored is not None and stored.expires_at + REFRESH_EARLY > self._now():
                return stored.value
            raise

    def replace(self, rejected: str) -> str:
        """A token other than *rejected*: another process's newer one, or one fetched now. Raises
        :class:`NoToken`, also when the platform hands out the rejected one again."""
        return self._refresh(lambda found: found.value != rejected)

    def spend(self, call: Callable[[str], T]) -> T | Refused:
        """What *call* gives with a token; with another one if the first is `Refused` for being a TOKEN. Where there
        is none, that is the refusal."""
        try:
            token = self.get()
            given = call(token)
            stale = isinstance(given, Refused) and given.action is Action.TOKEN
            return call(self.replace(token)) if stale else given
        except NoToken as error:
            return error.refused

    def _refresh(self, good: Callable[[Token], bool]) -> str:
        """One fetch at a time, in this process by a lock and among all by the turnstile. Whoever waited
        looks first at what the others got: a token, or a failure."""
        with self._gate:
            if (stored := self._store.load(self._name)) is not None and good(stored):
                return stored.value
            if self._failure is not None and self._failure.until > self._now():
                raise NoToken(self._failure.refused)
            with self._store.turnstile(self._name, wait=PATIENCE) as entered:
                stored = self._store.load(self._name)
                if stored is not None and good(stored):
                    return stored.value
                if not entered:
                    raise self._failed(
                        Refused(reason="another process is still asking for a token", action=Action.RETRY)
                    )
                return self._fetched(stored, good)

    def _fetched(self, stored: Token | None, good: Callable[[Token], bool]) -> str:
        try:
            fresh = self._fetch()
        except NoToken as error:
            raise self._failed(error.refused) from None
        if not good(fresh):
            raise self._failed(
                Refused(
                    reason="the platform hands out a token that it rejects, or an ended one", action=Action.RETRY
                )
            )
        self._failure = None
        now = self._now()
        half = now + (fresh.expires_at - now) / 2
        kept = Token(value=fresh.value, expires_at=max(half, fresh.expires_at - REFRESH_EARLY))
        if self._store.swap(self._name, stale=stored.value if stored else None, fresh=kept):
            return fresh.value
        newer = self._store.load(self._name)
        return newer.value if newer else fresh.value

    def _failed(self, refused: Refused) -> NoToken:
        in_a_row = self._failure.in_a_row + 1 if self._failure else 1
        pause = min(FIRST_PAUSE * 2 ** min(in_a_row - 1, 10), LONGEST_PAUSE)
        self._failure = _Failure(refused=refused, until=self._now() + pause, in_a_row=in_a_row)
        return NoToken(refused)
