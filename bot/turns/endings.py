"""How a turn ends or pauses: settled, postponed or parked; each once in the log and once in the metrics."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from bot import metrics
from bot.logs import log
from sessions.errors import StoreDown
from sessions.inbox import Inbox, Lease, PartRecord, Turn

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


class Endings:
    """The last step of every way through a turn."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def settle(self, turn: Turn, last: tuple[int, PartRecord] | None) -> None:
        stored(turn.lease, lambda: self._inbox.settle(turn.lease, last, outcome="answered"))
        metrics.turns_total.labels(outcome="answered").inc()
        log("turn_settled", conversation=turn.id.label, messages=len(turn.messages), tries=turn.tries)

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
