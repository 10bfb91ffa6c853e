"""The long connection's times, in one place, since its tests cannot wait for them."""

from dataclasses import dataclass, field
from datetime import timedelta

from adapters.backoff import Backoff


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """*ping*: between two pings; two without an answer end the connection. *ack*: for a frame's answer. *replaced*:
    the least wait after a newer connection took over. *refused*: the least wait after a subscription was refused,
    which is rate-protected. *steady*: so long a connection must have lasted for the pauses to begin anew.
    *changeable*: how long a stream is kept open. *errands*: the longest wait for a worker's errand."""

    ping: timedelta = timedelta(seconds=30)
    ack: timedelta = timedelta(seconds=5)
    open: timedelta = timedelta(seconds=10)
    replaced: timedelta = timedelta(seconds=60)
    refused: timedelta = timedelta(seconds=30)
    steady: timedelta = timedelta(seconds=60)
    changeable: timedelta = timedelta(minutes=5, seconds=30)
    errands: timedelta = timedelta(seconds=1)
    backoff: Backoff = field(default_factory=lambda: Backoff(longest=timedelta(seconds=30)))
