"""How time passes for a twin, and for a server."""

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """A twin's: it stands still unless the test moves it."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self._now

    def move(self, duration: timedelta) -> None:
        self._now += duration


def sleep(duration: timedelta) -> None:
    """A server's clock cannot be moved; it counts in milliseconds, and so a little longer."""
    time.sleep(duration.total_seconds() + 0.002)
