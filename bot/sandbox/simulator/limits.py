"""Rate limits by a platform's clock: a bucket that refills."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(slots=True)
class Bucket:
    """Holds *size* calls and gets one back *every* so often."""

    size: int
    every: timedelta
    _left: float | None = None
    _seen: datetime | None = None

    def take(self, now: datetime) -> bool:
        """Whether one more call is allowed now."""
        left = self.size if self._left is None or self._seen is None else self._left
        if self._seen is not None:
            left = min(self.size, left + (now - self._seen) / self.every)
        self._seen = now
        self._left = left - 1 if left >= 1 else left
        return left >= 1
