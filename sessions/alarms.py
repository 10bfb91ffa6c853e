"""Accounts that a platform has blocked as a whole, by channel: nobody sends, but for one probe now and then."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Why nothing can be sent, *since* when, and when the next try is due."""

    reason: str
    since: datetime
    probe_at: datetime


class Alarms(Protocol):
    """Implemented in Redis (shared) and in memory (the twin). May raise :class:`~sessions.errors.StoreDown`."""

    def raise_(self, channel: str, reason: str, *, probe_after: timedelta) -> None: ...

    def clear(self, channel: str) -> bool:
        """Whether there was one."""
        ...

    def current(self) -> Mapping[str, Alarm]: ...

    def may_try(self, channel: str) -> timedelta:
        """Zero: no alarm, or this caller is the probe, and the next is due later; else how long to wait."""
        ...


class MemoryAlarms:
    """The twin, for one process."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._alarms: dict[str, tuple[Alarm, timedelta]] = {}
        self._guard = threading.Lock()

    def raise_(self, channel: str, reason: str, *, probe_after: timedelta) -> None:
        now = self._clock()
        with self._guard:
            since = self._alarms[channel][0].since if channel in self._alarms else now
            self._alarms[channel] = (Alarm(reason=reason, since=since, probe_at=now + probe_after), probe_after)

    def clear(self, channel: str) -> bool:
        with self._guard:
            return self._alarms.pop(channel, None) is not None

    def current(self) -> Mapping[str, Alarm]:
        with self._guard:
            return {channel: alarm for channel, (alarm, _) in self._alarms.items()}

    def may_try(self, channel: str) -> timedelta:
        now = self._clock()
        with self._guard:
            if channel not in self._alarms:
                return timedelta()
            alarm, every = self._alarms[channel]
            if now < alarm.probe_at:
                return alarm.probe_at - now
            self._alarms[channel] = (replace(alarm, probe_at=now + every), every)
            return timedelta()
