"""Channels that cannot send at all until an operator acts, as all processes know them.

While an alarm stands, one send a minute is tried all the same, by whichever process asks first: only a success
shows that the account works again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sessions.codec import dump_text, from_millis, load_text, millis
from sessions.keys import Keys
from sessions.memory_state import Memory, StandingAlarm
from sessions.scripts import CLEAR_ALARM, MAY_TRY, RAISE_ALARM
from sessions.store import RedisStore, pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """*reason* is for the operator, as in `Refused.reason`; *since* when it was first raised, *probe_at* when the
    next send may be tried."""

    reason: str
    since: datetime
    probe_at: datetime


class Alarms(Protocol):
    """Each method may raise :class:`~sessions.errors.StoreDown`. Times are Redis's."""

    def raise_(self, channel: str, reason: str, *, probe_after: timedelta) -> None:
        """Nothing of *channel* is to be sent, but one try each *probe_after*, the first so long from now. One that
        stands already keeps its *since*, and takes the rest."""
        ...

    def clear(self, channel: str) -> bool:
        """The channel works again. False: it had no alarm."""
        ...

    def current(self) -> Mapping[str, Alarm]:
        """Every alarm, by channel."""
        ...

    def may_try(self, channel: str) -> timedelta:
        """Zero: there is no alarm, or the caller is the one that may try now, and the next may only after another
        *probe_after*. Else how long to wait."""
        ...


class RedisAlarms:
    """:class:`Alarms` in Redis: one hash for all channels."""

    def __init__(self, store: RedisStore, *, shards: int = 16) -> None:
        self._store = store
        self._key = Keys(shards).first.alarms

    def raise_(self, channel: str, reason: str, *, probe_after: timedelta) -> None:
        self._store.run(RAISE_ALARM, [self._key], [channel, dump_text(reason), max(1, millis(probe_after))])

    def clear(self, channel: str) -> bool:
        return bool(self._store.run(CLEAR_ALARM, [self._key], [channel]))

    def current(self) -> Mapping[str, Alarm]:
        fields = pairs(self._store.command("HGETALL", self._key))
        found = {
            channel.decode(): Alarm(
                reason=load_text(reason),
                since=from_millis(fields[b"since:" + channel]),
                probe_at=from_millis(fields[b"probe_at:" + channel]),
            )
            for kind, _, channel, reason in ((*name.partition(b":"), value) for name, value in fields.items())
            if kind == b"reason"
        }
        return dict(sorted(found.items()))

    def may_try(self, channel: str) -> timedelta:
        return timedelta(milliseconds=self._store.run(MAY_TRY, [self._key], [channel]))


class MemoryAlarms:
    """The twin, for one process."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def raise_(self, channel: str, reason: str, *, probe_after: timedelta) -> None:
        with self._memory.changed:
            now = self._memory.clock()
            known = self._memory.alarms.get(channel)
            self._memory.alarms[channel] = StandingAlarm(
                reason=reason,
                since=known.since if known else now,
                every=probe_after,
                probe_at=now + probe_after,
            )

    def clear(self, channel: str) -> bool:
        with self._memory.changed:
            return self._memory.alarms.pop(channel, None) is not None

    def current(self) -> Mapping[str, Alarm]:
        with self._memory.changed:
            return {
                channel: Alarm(reason=alarm.reason, since=alarm.since, probe_at=alarm.probe_at)
                for channel, alarm in sorted(self._memory.alarms.items())
            }

    def may_try(self, channel: str) -> timedelta:
        with self._memory.changed:
            now, alarm = self._memory.clock(), self._memory.alarms.get(channel)
            if alarm is None:
                return timedelta()
            if now < alarm.probe_at:
                return alarm.probe_at - now
            alarm.probe_at = now + alarm.every
            return timedelta()
