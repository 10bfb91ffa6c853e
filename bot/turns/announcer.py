"""Tells customers that an answer is being written, beside the turns and never in their way."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from adapters.channel import Channel
from adapters.http import MaybeSent, NotSent
from adapters.values import Message
from bot import metrics
from bot.logs import log
from bot.turns.threads import Threads

LONGEST = timedelta(minutes=3)
"""Nobody is told for longer that an answer is being written."""


@dataclass(order=True, slots=True)
class _Sign:
    """A "typing …" that is to be said again at *due* (monotonic seconds), until *over* or *until*."""

    due: float
    number: int
    channel: Channel[Any] = field(compare=False)
    message: Message = field(compare=False)
    until: float = field(compare=False)
    over: threading.Event = field(compare=False, default_factory=threading.Event)


class Announcer:
    """Runs `Channel.turn_started` on threads of its own, at most *at_once*; what is beyond is left out, because a
    late "typing …" is worth nothing. Said again every `Channel.typing_lasts`. A failure is counted and
    forgotten."""

    def __init__(self, *, at_once: int = 32) -> None:
        self._slots = threading.BoundedSemaphore(at_once)
        self._threads = Threads("announce")
        self._numbers = itertools.count()
        self._waiting: list[_Sign] = []
        self._changed = threading.Condition()
        self._repeater: threading.Thread | None = None

    @contextmanager
    def announce(self, channel: Channel[Any], message: Message) -> Iterator[None]:
        """Told as long as the context lasts."""
        if type(channel).turn_started is Channel.turn_started:
            yield
            return
        self._say(channel.name, partial(channel.turn_started, message))
        lasts = channel.typing_lasts
        if lasts is None:
            yield
            return
        now = time.monotonic()
        sign = _Sign(
            due=now + lasts.total_seconds(),
            number=next(self._numbers),
            channel=channel,
            message=message,
            until=now + LONGEST.total_seconds(),
        )
        self._put(sign)
        try:
            yield
        finally:
            sign.over.set()

    def _put(self, sign: _Sign) -> None:
        with self._changed:
            heapq.heappush(self._waiting, sign)
            if self._repeater is None:
                self._repeater = threading.Thread(target=self._repeat, name="announce-again", daemon=True)
                self._repeater.start()
            self._changed.notify()

    def _repeat(self) -> None:
        while True:
            sign = self._due()
            lasts = sign.channel.typing_lasts
            if sign.over.is_set() or sign.due > sign.until or lasts is None:
                continue
            self._say(sign.channel.name, partial(sign.channel.still_writing, sign.message), sign.over)
            sign.due += lasts.total_seconds()
            self._put(sign)

    def _due(self) -> _Sign:
        """The next sign, once it is due."""
        with self._changed:
            while True:
                left = self._waiting[0].due - time.monotonic() if self._waiting else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._waiting)
                self._changed.wait(left)

    def _say(self, channel: str, words: Callable[[], None], over: threading.Event | None = None) -> None:
        if self._slots.acquire(blocking=False):
            self._threads.run(partial(self._run, channel, words, over))

    def _run(self, channel: str, words: Callable[[], None], over: threading.Event | None) -> None:
        try:
            if over is None or not over.is_set():
                words()
        except (NotSent, MaybeSent) as error:
            metrics.announcements_failed_total.labels(channel=channel).inc()
            log("announcement_failed", channel=channel, reason=type(error).__name__)
        finally:
            self._slots.release()
