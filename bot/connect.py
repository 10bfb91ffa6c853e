"""Holding the platforms' long connections: one process for each channel, others standing by.

A platform that allows one connection cuts the first when a second comes, so whoever connects holds a lock in Redis,
and lets go of the connection as soon as the lock may be another's.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from adapters.channel import Channel, Connection
from adapters.errors import NotKept
from adapters.values import Event
from bot import metrics
from bot.intake import Intake, MailboxFull
from bot.logs import log, log_crash
from bot.outage import Outage
from sessions.errors import StoreDown
from sessions.leader import Leadership

LAST_CALL = timedelta(seconds=8)
"""For so long a stopping process waits for its connections to close."""


TICK = 0.2
"""Seconds after which a signal, or a connection that ended, is noticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """*lease*: how long the lock outlives a process that died; it is renewed three times as often. *pause*: before
    a connection that ended by itself is made anew."""

    lease: timedelta = timedelta(seconds=15)
    pause: timedelta = timedelta(seconds=2)

    @property
    def beat(self) -> float:
        """Seconds between two looks at the lock."""
        return self.lease.total_seconds() / 3


class Connector:
    """Runs the connection of each channel that needs one."""

    def __init__(
        self,
        channels: Mapping[str, Channel[Any]],
        intake: Intake,
        leadership: Callable[[str], Leadership],
        rhythm: Rhythm | None = None,
    ) -> None:
        found = {name: (channel, channel.connection()) for name, channel in channels.items()}
        self._holders = [
            _Holder(channel, connection, leadership(f"connection:{name}"), intake, rhythm or Rhythm())
            for name, (channel, connection) in found.items()
            if connection is not None
        ]

    def __len__(self) -> int:
        return len(self._holders)

    def run(self, stop: threading.Event) -> None:
        """Until *stop* is set, and what was held is let go."""
        threads = [
            threading.Thread(target=holder.run, args=(stop,), name="connection", daemon=True)
            for holder in self._holders
        ]
        for thread in threads:
            thread.start()
        log("connector_started", channels=len(threads))
        stop.wait()
        for thread in threads:
            thread.join(LAST_CALL.total_seconds())
        log("connector_stopped", closed=not any(thread.is_alive() for thread in threads))


class _Holder:
    """One channel's place: stands by, leads, connects, and lets go."""

    def __init__(
        self, channel: Channel[Any], connection: Connection, lock: Leadership, intake: Intake, rhythm: Rhythm
    ) -> None:
        self._channel = channel
        self._connection = connection
        self._lock = lock
        self._intake = intake
        self._rhythm = rhythm
        self._outage = Outage()

    def run(self, stop: threading.Event) -> None:
        standing_by = False
        metrics.connected.labels(self._channel.name).set(0)
        while not stop.is_set():
            if self._asked(self._lock.acquire):
                standing_by = False
                self._lead(stop)
                stop.wait(self._rhythm.pause.total_seconds())
            else:
                if not standing_by:
                    log("connection_standing_by", channel=self._channel.name)
                standing_by = True
                stop.wait(self._rhythm.beat)

    def _lead(self, stop: threading.Event) -> None:
        """Connected as long as the lock is ours. The lock is watched on a thread of its own, which tells the
        connection to end; a connection that fails in a way nobody expected is made anew like a lost one."""
        name = self._channel.name
        over = threading.Event()
        watch = threading.Thread(target=self._watch, args=(stop, over), name="connection-lock", daemon=True)
        watch.start()
        metrics.connected.labels(name).set(1)
        log("connection_held", channel=name)
        try:
            self._connection.run(self._receive, over)
        except Exception as error:  # noqa: BLE001  the process's loop: one channel's bug must not end the others'
            log_crash("connection_crashed", error, channel=name)
        finally:
            over.set()
            watch.join()
            metrics.connected.labels(name).set(0)
            self._asked(self._release)
            log("connection_let_go", channel=name)

    def _watch(self, stop: threading.Event, over: threading.Event) -> None:
        """Sets *over* when the process stops or the lock may be another's: what was not heard for a lease is."""
        heard = time.monotonic()
        look_at = heard + self._rhythm.beat
        while not over.wait(TICK) and not stop.is_set():
            if time.monotonic() < look_at:
                continue
            asked = time.monotonic()
            renewed = self._renewed()
            heard = asked if renewed else heard
            look_at = asked + self._rhythm.beat
            if renewed is False or look_at - heard >= self._rhythm.lease.total_seconds():
                log("leadership_lost", level="warning", channel=self._channel.name)
                break
        over.set()

    def _renewed(self) -> bool | None:
        """None: the store did not say."""
        try:
            ours = self._lock.renew()
        except StoreDown as error:
            self._outage.met("leader", error, channel=self._channel.name)
            return None
        self._outage.over()
        return ours

    def _asked(self, question: Callable[[], bool]) -> bool:
        try:
            answer = question()
        except StoreDown as error:
            self._outage.met("leader", error, channel=self._channel.name)
            return False
        self._outage.over()
        return answer

    def _release(self) -> bool:
        self._lock.release()
        return True

    def _receive(self, events: Sequence[Event]) -> None:
        name = self._channel.name
        try:
            kept = self._intake.keep(self._channel, events)
        except MailboxFull:
            metrics.received_total.labels(name, "full").inc()
            raise NotKept("a mailbox is full") from None
        except StoreDown as error:
            metrics.received_total.labels(name, "store_down").inc()
            self._outage.met("receive", error, level="error", channel=name)
            raise NotKept("the store is down") from None
        metrics.received_total.labels(name, kept.word).inc()
