"""Accounts that a platform has blocked: nobody tries in vain, but for one probe a minute.

The alarms are shared by all processes, and looked at once a second at most, so that a message costs no question.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta

from bot.logs import log
from sessions.alarms import Alarm, Alarms
from sessions.errors import StoreDown

PROBE = timedelta(seconds=60)
LOOK_EVERY = 1.0
"""Seconds."""


class Accounts:
    """What this process knows of the alarms. Thread-safe."""

    def __init__(self, alarms: Alarms, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._alarms = alarms
        self._monotonic = monotonic
        self._known: Mapping[str, Alarm] = {}
        self._look_at = 0.0
        self._guard = threading.Lock()

    def blocked(self) -> Mapping[str, Alarm]:
        """The alarms, at most a second old. Raises StoreDown."""
        with self._guard:
            if self._monotonic() < self._look_at:
                return self._known
            self._look_at = self._monotonic() + LOOK_EVERY  # the others go by the old ones meanwhile
        known = self._alarms.current()
        with self._guard:
            self._known = known
        return known

    def block(self, channel: str, reason: str) -> None:
        """Raises StoreDown."""
        new = channel not in self.blocked()
        self._alarms.raise_(channel, reason, probe_after=PROBE)
        self._forget()
        if new:
            log("account_blocked", level="error", channel=channel, reason=reason)

    def restore(self, channel: str) -> None:
        """Raises StoreDown."""
        if self._alarms.clear(channel):
            log("account_restored", level="warning", channel=channel)
        self._forget()

    # Around a send. None of these raises: what the platform has said must be stored, whatever becomes of the alarm.

    def may_try(self, channel: str) -> timedelta:
        """Zero: send (perhaps as the probe that tells whether the block is over); else how long to wait."""
        try:
            return self._alarms.may_try(channel) if channel in self.blocked() else timedelta()
        except StoreDown:
            return timedelta()

    def refused(self, channel: str, reason: str) -> None:
        """The platform refused the whole account. If that cannot be noted now, the next refusal notes it."""
        with suppress(StoreDown):
            self.block(channel, reason)

    def delivered(self, channel: str) -> None:
        """The platform took something of this account."""
        if channel in self._known:
            with suppress(StoreDown):
                self.restore(channel)

    def _forget(self) -> None:
        with self._guard:
            self._look_at = 0.0
