"""What may go wrong on purpose with the platform's own webhooks, one after another."""

from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class Mischief(StrEnum):
    """How the next webhook misbehaves. What the bot must do about it is the conformance journeys' matter."""

    DUPLICATE = "duplicate"  # posted twice at the same time
    LATE = "late"  # posted after a while
    HELD = "held"  # posted only behind the next one, so that the two change places
    DROPPED = "dropped"  # lost on the way, and posted again where the platform does that
    FORGED = "forged"  # with a wrong proof
    BROKEN = "broken"  # with a body that breaks off, its proof valid where the proof covers the body
    OVERSIZED = "oversized"  # with a body larger than the platform's own limit, its proof valid


@dataclass(slots=True)
class Mischiefs:
    """Waiting mischief, first come first served; *late* is how long `LATE` waits."""

    late: timedelta = timedelta(seconds=3)
    _waiting: deque[Mischief] = field(default_factory=deque)

    def add(self, mischief: Mischief, *, times: int = 1) -> None:
        self._waiting.extend([mischief] * times)

    def take(self) -> Mischief | None:
        try:
            return self._waiting.popleft()
        except IndexError:
            return None

    def clear(self) -> None:
        self._waiting.clear()

    def waiting(self) -> list[str]:
        return [str(mischief) for mischief in self._waiting]
