"""Several model servers: who gets a conversation, and who is left out for a while.

A conversation prefers one replica for its prefix cache (rendezvous hashing: when a replica goes, only its own
conversations move), then a second and so on, always in the same order. The load is bounded: where the preferred one
has far more work than the mean, the conversation's next one takes it.

Health is passive first: what attempts meet. After a failure a replica rests, and the next request after the rest
is its probe; after three failures in a row it gets nothing but probes. :mod:`inference.prober` adds active probes
while a replica rests. They keep it out while it is gone, so that no customer pays for finding that out; they end a
rest early only where they saw it gone and back, because a `/health` of 200 says little: a draining server gives it,
too (vLLM sheet §5). They look as well where an answer stands still: where nobody listens any more, nobody will go
on with it (a vLLM stopped by SIGTERM was seen to keep its streams open, sheet §0.11). State is per process.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, auto
from urllib.parse import urlsplit

from inference.trouble import Health

SPILL_FACTOR = 1.25
SPILL_MARGIN = 4
"""Spill over beyond 1.25 × the mean of outstanding requests + 4: small numbers are no imbalance."""

FIRST_REST = 1.0
LONGEST_REST = 15.0
DOWN_AFTER = 3
DRAIN_REST = 90.0
"""Seconds: what `frontdesk model` gives a drain (60), and some. Seen gone and back ends it before."""
GONE_REST = 5.0
"""Seconds that a failed probe keeps a replica out: a few beats of the prober."""


class Seen(Enum):
    """What an active probe found."""

    WELL = auto()
    ILL = auto()  # it answers, but not as it should, or not in time
    NOBODY = auto()  # its address refuses connections: the process is gone, or going


@dataclass(slots=True, kw_only=True, eq=False)
class Replica:
    """One base URL (ending in /v1) and what is known of it. *name* is host and port, for logs."""

    url: str
    name: str = field(init=False)
    outstanding: int = 0
    failures: int = 0
    rests_until: float = 0.0
    probing: bool = False
    failed_at: float = float("-inf")
    gone: bool = False
    vacant: bool = False
    doubted: bool = False

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        self.name = f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"

    def ready(self, now: float) -> bool:
        """Up and rested; or failed, rested, and not being tried by another request yet."""
        return now >= self.rests_until and not (self.failures and self.probing)

    @property
    def down(self) -> bool:
        return self.failures >= DOWN_AFTER

    def affinity(self, conversation: str) -> bytes:
        return hashlib.blake2b(f"{self.url}\n{conversation}".encode(), digest_size=8).digest()


class Replicas:
    """All replicas of one model. Thread-safe."""

    def __init__(self, urls: Sequence[str], *, now: Callable[[], float] = time.monotonic) -> None:
        if not urls:
            raise ValueError("a model needs at least one replica")
        self._replicas = tuple(Replica(url=url.rstrip("/")) for url in urls)
        self._now = now
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._replicas)

    def available(self) -> bool:
        """Whether any replica is believed to be up, or is due for a probe."""
        now = self._now()
        with self._lock:
            return any(not replica.down or replica.ready(now) for replica in self._replicas)

    def another(self, than: Replica) -> bool:
        """Whether a replica other than *than* could take a request at once."""
        now = self._now()
        with self._lock:
            return any(replica.ready(now) for replica in self._replicas if replica is not than)

    @contextmanager
    def serving(self, conversation: str, *, avoid: Sequence[Replica] = ()) -> Iterator[Replica | None]:
        """Picks a replica for one attempt and counts the attempt as its work meanwhile. None: all are down.
        *avoid* those that this request already failed at, if there is any other."""
        with self._lock:
            replica = self._pick(conversation, avoid)
            probe = replica is not None and replica.failures > 0 and not replica.probing
            if replica:
                replica.outstanding += 1
                replica.probing |= probe
        try:
            yield replica
        finally:
            if replica:
                with self._lock:
                    replica.outstanding -= 1
                    replica.probing &= not probe

    def now(self) -> float:
        """What `note` takes as the beginning of an attempt."""
        return self._now()

    def note(
        self, replica: Replica, health: Health, rest: timedelta | None = None, *, began: float = float("inf")
    ) -> None:
        """What an attempt said of *replica*; *rest* is what the server asked for. Good news of an attempt that
        *began* before the last failure says nothing: a draining server finishes what it has."""
        now = self._now()
        with self._lock:
            if health is Health.UP:
                if began >= replica.failed_at:
                    replica.failures = 0
                    replica.rests_until = 0.0
                    replica.probing = replica.gone = replica.vacant = False
            elif health is Health.DRAINING and len(self._replicas) > 1:
                replica.failures = max(replica.failures, DOWN_AFTER)
                replica.failed_at = now
                replica.rests_until = max(replica.rests_until, now + DRAIN_REST)
            elif (
                health is not Health.UNKNOWN and now >= replica.rests_until
            ):  # what fails during a rest belongs to the same incident
                replica.failures += health is Health.DOWN
                replica.failed_at = now
                pause = min(FIRST_REST * 2.0 ** min(max(0, replica.failures - 1), 10), LONGEST_REST)
                replica.rests_until = now + (rest.total_seconds() if rest else pause)

    def lost(self, replica: Replica) -> bool:
        """Whether a probe found nobody there who could go on with an answer, and another could make it anew."""
        return replica.vacant and self.another(replica)

    def doubt(self, replica: Replica) -> bool:
        """An answer of *replica* stands still. True: a probe should look, for another could make the answer."""
        replica.doubted = self.another(replica)
        return replica.doubted

    def doubtful(self) -> Sequence[Replica]:
        """Those that failed and are left out now, or are in doubt: what active probes are for."""
        now = self._now()
        with self._lock:
            return [
                replica
                for replica in self._replicas
                if replica.doubted or (replica.failures and now < replica.rests_until)
            ]

    def note_probe(self, replica: Replica, seen: Seen) -> None:
        """What an active probe said of *replica*."""
        now = self._now()
        with self._lock:
            doubted, replica.doubted = replica.doubted, False
            replica.vacant = seen is Seen.NOBODY and (doubted or replica.failures > 0)
            if not replica.failures and not replica.vacant:
                return  # a request was faster
            if seen is not Seen.WELL:
                replica.gone = True
                replica.failed_at = replica.failed_at if replica.failures else now
                replica.failures = min(replica.failures + 1, DOWN_AFTER)
                replica.rests_until = max(replica.rests_until, now + GONE_REST)
            elif replica.gone:
                replica.gone = False
                replica.rests_until = now

    def _pick(self, conversation: str, avoid: Sequence[Replica]) -> Replica | None:
        now = self._now()
        ready = [replica for replica in self._replicas if replica.ready(now)]
        fresh = [replica for replica in ready if replica not in avoid]
        if chosen := self._preferred(fresh or ready, conversation):
            return chosen
        doubtful = [replica for replica in self._replicas if not replica.down]
        return min(doubtful, key=lambda replica: replica.rests_until, default=None)

    @staticmethod
    def _preferred(among: Sequence[Replica], conversation: str) -> Replica | None:
        """The first in the conversation's own order that is not overloaded; the idlest of them never is."""
        mean = sum(replica.outstanding for replica in among) / max(len(among), 1)
        free = [replica for replica in among if replica.outstanding <= SPILL_FACTOR * mean + SPILL_MARGIN]
        return max(free, key=lambda replica: replica.affinity(conversation), default=None)
