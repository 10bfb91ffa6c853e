"""How a turn ends or pauses: settled, postponed or parked; each once in the log and once in the metrics."""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar

from bot import metrics
from bot.logs import log
from sessions.errors import LeaseLost, StoreDown
from sessions.inbox import HistoryEntry, Inbox, Lease, PartRecord, Turn

T = TypeVar("T")

PAUSE = 0.2
"""Seconds between two tries to store what has already happened."""


def stored(lease: Lease, change: Callable[[], T]) -> T:
    """Makes *change*, again while Redis is away, as long as the lease lasts. What a platform took is known to
    nobody else: if it were forgotten because Redis restarted in that moment, it would be sent a second time. Every
    change of the inbox may be repeated; one that was made already raises LeaseLost or does nothing."""
    while True:
        try:
            return change()
        except StoreDown:
            if time.monotonic() + PAUSE >= lease.expires:
                raise
            time.sleep(PAUSE)


def lease_holds(lease: Lease) -> None:
    """Raises LeaseLost once the lease has run out: a worker that slept past it does nothing more."""
    if lease.expires <= time.monotonic():
        raise LeaseLost("the lease ran out")


class Endings:
    """The last step of every way through a turn."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def settle(self, turn: Turn, last: tuple[int, PartRecord] | None, *, outcome: str = "answered") -> None:
        stored(turn.lease, lambda: self._inbox.settle(turn.lease, last, outcome=outcome))
        self._settled(turn, outcome)

    def leave(self, turn: Turn, exchange: Sequence[HistoryEntry], *, outcome: str) -> None:
        """The turn is over without a reply of ours; *exchange* is what is remembered of it."""
        stored(turn.lease, lambda: self._inbox.settle(turn.lease, outcome=outcome, exchange=exchange))
        self._settled(turn, outcome)

    def _settled(self, turn: Turn, outcome: str) -> None:
        metrics.turns_total.labels(outcome=outcome).inc()
        log(
            "turn_settled",
            conversation=turn.id.label,
            outcome=outcome,
            messages=len(turn.messages),
            tries=turn.tries,
        )

    def postpone(self, turn: Turn, delay: timedelta, reason: str) -> None:
        stored(turn.lease, lambda: self._inbox.postpone(turn.lease, delay, reason=reason))
        metrics.turns_total.labels(outcome="postponed").inc()
        log("turn_postponed", conversation=turn.id.label, seconds=round(delay.total_seconds(), 3), reason=reason)

    def park(self, turn: Turn, reason: str, detail: str) -> None:
        """*detail* is for the operator: what happened and the next step, no customer's words."""
        stored(turn.lease, lambda: self._inbox.park(turn.lease, reason=reason, detail=detail))
        metrics.turns_total.labels(outcome="parked").inc()
        metrics.parked_total.labels(reason=reason).inc()
        log("turn_parked", conversation=turn.id.label, reason=reason, detail=detail, tries=turn.tries)
