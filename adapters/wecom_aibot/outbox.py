"""What is to be said over the long connection: one frame after the other for each request id (WeCom sheet §4.7).

The platform wants the updates of an answer one by one, each after its acknowledgement. Acknowledgements carry the
request id only: one that comes too late is taken for the next frame's, which shows the same answer, or more of it.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from adapters.payload import at, text
from adapters.shared import Errand
from adapters.wecom_aibot.frames import Frame, read_frame


@dataclass(slots=True)
class _Lane:
    """The frames of one request id."""

    waiting: deque[tuple[Errand, Frame]] = field(default_factory=deque)
    flying: Errand | None = None
    since: float = 0.0


class Outbox:
    """Thread-safe: errands come from one thread, acknowledgements from another. *say* puts a frame on the wire,
    *answer* brings an acknowledgement back to whoever waits for it."""

    def __init__(
        self,
        say: Callable[[str], None],
        answer: Callable[[Errand, str], None],
        *,
        ack: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._say = say
        self._answer = answer
        self._ack = ack.total_seconds()
        self._now = now
        self._lanes: dict[str, _Lane] = {}
        self._guard = threading.Lock()

    def put(self, errand: Errand) -> None:
        """Takes the place of updates of the same stream that have not gone out yet: each shows the whole text."""
        frame = read_frame(errand.frame)
        with self._guard:
            lane = self._lanes.setdefault(frame.req_id, _Lane())
            if stream_id := text(frame.stream, "id"):
                lane.waiting = deque(each for each in lane.waiting if not _update(*each, stream_id))
            lane.waiting.append((errand, frame))
            self._next(lane)

    def acknowledged(self, req_id: str, raw: str) -> None:
        with self._guard:
            lane = self._lanes.get(req_id)
            if lane is None:
                return
            flown, lane.flying = lane.flying, None
            self._next(lane)
        if flown and flown.awaited:
            self._answer(flown, raw)

    def tick(self) -> None:
        """Gives up acknowledgements that are overdue; forgets request ids that nothing is left of."""
        with self._guard:
            for lane in self._lanes.values():
                if lane.flying and time.monotonic() - lane.since >= self._ack:
                    lane.flying = None
                    self._next(lane)
            self._lanes = {name: each for name, each in self._lanes.items() if each.flying or each.waiting}

    def _next(self, lane: _Lane) -> None:
        while lane.waiting and lane.flying is None:
            errand, _ = lane.waiting.popleft()
            if errand.until > self._now():
                lane.flying, lane.since = errand, time.monotonic()
                self._say(errand.frame)


def _update(errand: Errand, frame: Frame, stream_id: str) -> bool:
    """Whether it only shows an earlier state of the stream, and nobody waits for it."""
    unfinished = at(frame.stream, "finish") is not True
    return not errand.awaited and unfinished and text(frame.stream, "id") == stream_id
