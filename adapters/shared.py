"""Small values between a channel and the host's shared stores. Frozen, keyword-only; aware datetimes."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A token bucket by *name*: one token comes back *every* so often, and *burst* fit in."""

    name: str
    every: timedelta
    burst: int

    def __post_init__(self) -> None:
        if self.every <= timedelta() or self.burst < 1:
            raise ValueError(f"bucket {self.name}: needs a positive time for each token, and room for at least one")


@dataclass(frozen=True, slots=True, kw_only=True)
class Growing:
    """An answer on its way to the customer: the whole *text* so far. *finished*: nothing more will come."""

    text: str
    finished: bool
    opened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What a worker wants said over a connection that another process holds. *awaited*: somebody waits for the
    answer, until *until*; after it nobody does, and the errand is not to be run."""

    id: str
    frame: str
    awaited: bool
    until: datetime
