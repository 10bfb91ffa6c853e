"""From the workers to the process that holds a platform's long connection, through Redis.

An errand waits in its channel's list until its end, and so does an answer in the list of the process that asked:
what nobody comes for expires with it. However many threads of a process ask at once, one of them at a time reads
the process's answers, its own and the others'; so all of them wait with one connection to Redis.
"""

import json
import os
import threading
import time
from contextlib import suppress
from datetime import timedelta
from typing import Any

from adapters.relay import FRESH, NobodyConnected
from adapters.shared import Errand
from sessions.codec import Fields, dump_fields, from_millis, micros, millis
from sessions.errors import StoreDown
from sessions.keys import Keys
from sessions.scripts import ANSWER, ASK, TAKE_ERRAND
from sessions.store import LONGEST_BLOCK, RedisStore

AT_ONCE = 100
"""Answers read in one round trip."""

PAUSE = timedelta(milliseconds=100)
"""Before Redis is asked again after it did not answer."""


class RedisRelay:
    """Satisfies `adapters.relay.Relay`. What Redis cannot do now is as if nobody had heard: a lost errand has no
    answer, and there is none to take. *fresh*: for so long after its last look a connection counts as up."""

    def __init__(self, store: RedisStore, *, shards: int = 16, fresh: timedelta = FRESH) -> None:
        self._store = store
        self._keys = Keys(shards)
        self._fresh = millis(fresh)
        self._mark = os.urandom(12).hex()
        self._asked: dict[str, str | None] = {}
        self._changed = threading.Condition()
        self._is_read = False

    @property
    def _process(self) -> str:
        """A process that was forked off is another."""
        return f"{self._mark}-{os.getpid()}"

    def ask(self, channel: str, frame: str, *, wait: timedelta) -> str | None:
        end = time.monotonic() + wait.total_seconds()
        name = self._name()
        with self._changed:
            self._asked[name] = None
        try:
            if not self._put(channel, {"id": name, "frame": frame, "awaited": True}, wait):
                raise NobodyConnected(f"no process holds the connection of {channel}")
            return self._answer_of(name, end)
        except StoreDown:  # it may have been put there
            return None
        finally:
            with self._changed:
                del self._asked[name]

    def tell(self, channel: str, frame: str) -> bool:
        try:
            return self._put(channel, {"id": self._name(), "frame": frame}, timedelta(milliseconds=self._fresh))
        except StoreDown:
            return False

    def _name(self) -> str:
        return f"{self._process}.{os.urandom(8).hex()}"

    def _put(self, channel: str, errand: Fields, wait: timedelta) -> bool:
        shard = self._keys.of(channel)
        keys = [shard.errands(channel), shard.connected(channel)]
        return bool(self._store.run(ASK, keys, [dump_fields(errand), max(1, millis(wait))]))

    def _answer_of(self, name: str, end: float) -> str | None:
        while (left := end - time.monotonic()) > 0:
            with self._changed:
                if (found := self._asked[name]) is not None:
                    return found
                if self._is_read:
                    self._changed.wait(left)
                    continue
                self._is_read = True
            try:
                self._read(min(left, LONGEST_BLOCK.total_seconds()))
            finally:
                with self._changed:
                    self._is_read = False
                    self._changed.notify_all()
        with self._changed:
            return self._asked[name]

    def _read(self, seconds: float) -> None:
        """Whatever answers there are for this process; waits for the first."""
        answers = self._keys.of(self._process).answers(self._process)
        try:
            found = self._store.block("BLMPOP", _seconds(seconds), 1, answers, "LEFT", "COUNT", AT_ONCE)
        except StoreDown:
            time.sleep(min(seconds, PAUSE.total_seconds()))
            return
        with self._changed:
            for fields in map(json.loads, found[1] if found else ()):
                if fields["id"] in self._asked:
                    self._asked[fields["id"]] = fields["frame"]

    def take(self, channel: str, *, wait: timedelta) -> Errand | None:
        end = time.monotonic() + wait.total_seconds()
        while True:
            left = min(end - time.monotonic(), LONGEST_BLOCK.total_seconds(), self._fresh / 2000)
            try:
                kept = self._take(channel, left)
            except StoreDown:
                kept = None
                time.sleep(max(0.0, min(left, PAUSE.total_seconds())))
            if kept is not None or time.monotonic() >= end:
                return _errand(kept) if kept is not None else None

    def _take(self, channel: str, seconds: float) -> bytes | None:
        shard = self._keys.of(channel)
        errands = shard.errands(channel)
        kept: Any = self._store.run(TAKE_ERRAND, [errands, shard.connected(channel)], [self._fresh])
        if kept is None and seconds > 0:
            found = self._store.block("BLPOP", errands, _seconds(seconds))
            kept = found[1] if found else None
        return kept if kept is None else bytes(kept)

    def answer(self, errand: Errand, frame: str) -> None:
        if errand.awaited:
            process = errand.id.partition(".")[0]
            kept = dump_fields({"id": errand.id, "frame": frame})
            with suppress(StoreDown):
                self._store.run(
                    ANSWER, [self._keys.of(process).answers(process)], [micros(errand.until) // 1000, kept]
                )


def _errand(kept: bytes) -> Errand:
    until, _, fields = kept.partition(b" ")
    known = json.loads(fields)
    return Errand(
        id=known["id"],
        frame=known["frame"],
        awaited=known.get("awaited", False),
        until=from_millis(until),
    )


def _seconds(seconds: float) -> str:
    """Zero would wait for ever."""
    return f"{max(seconds, 0.001):.3f}"
