"""The worker process: takes tickets, runs many turns at once, keeps their leases alive, and leaves in order.

Three threads beside the turns: the reader (the caller's), the heartbeat (renews all leases in bulk), and the waker
(moves due tickets from later to ready). A turn is a thread that mostly waits for the model; a thousand of them
fit in one process.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from bot import metrics
from bot.logs import log, log_crash
from bot.outage import Outage
from bot.turns.threads import Threads
from sessions.errors import LeaseLost, StoreDown
from sessions.inbox import Inbox, Lease, Ticket, Turn

STACK = 512 * 1024
"""Bytes of a turn's stack: the default of 8 MiB is only address space, but a thousand of them are 8 GB of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRules:
    """*turns*: how many run at once. *drain*: how long running turns may finish once the worker is to stop."""

    turns: int = 1000
    heartbeat: timedelta = timedelta(seconds=5)
    drain: timedelta = timedelta(seconds=25)
    poll: timedelta = timedelta(seconds=1)


class Worker:
    """One worker process's loop. *run_turn* takes a claimed turn as far as it goes (`TurnEngine.run`)."""

    def __init__(self, inbox: Inbox, run_turn: Callable[[Turn], None], rules: WorkerRules) -> None:
        self._inbox = inbox
        self._run_turn = run_turn
        self._rules = rules
        self._outage = Outage()
        self._threads = Threads("turn")
        self._running: dict[Ticket, Lease | None] = {}
        self._guard = threading.Lock()
        self._idle = threading.Condition(self._guard)
        self._over = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Works until *stop* is set, then finishes or hands back what runs, and returns."""
        threading.stack_size(STACK)
        beside = [self._beside(self._heartbeat, "heartbeat"), self._beside(self._waker, "waker")]
        log("worker_started", turns=self._rules.turns)
        try:
            while not stop.is_set():
                self._read()
        finally:
            self._drain()
            self._over.set()
            for thread in beside:
                thread.join(timeout=2)
            log("worker_stopped")

    # Reading tickets

    def _read(self) -> None:
        """Takes as many tickets as there are free places, and starts their turns."""
        with self._idle:
            free = self._rules.turns - len(self._running)
            if free <= 0:
                self._idle.wait(self._rules.poll.total_seconds())
                return
        try:
            tickets = self._inbox.take(min(free, 64), wait=self._rules.poll)
        except StoreDown as error:
            self._outage.met("take", error)
            time.sleep(0.5)
            return
        self._outage.over()
        for ticket in tickets:
            self._start(ticket)

    def _start(self, ticket: Ticket) -> None:
        with self._guard:
            self._running[ticket] = None
        self._threads.run(partial(self._turn, ticket))

    # One turn

    def _turn(self, ticket: Ticket) -> None:
        started = time.monotonic()
        try:
            turn = self._inbox.claim(ticket)
            if turn is not None:
                with self._guard:
                    self._running[ticket] = turn.lease
                self._run_turn(turn)
        except LeaseLost as error:
            metrics.leases_lost_total.inc()
            log("lease_lost", conversation=ticket.conversation.label, reason=str(error))
        except StoreDown as error:
            self._outage.met("turn", error, conversation=ticket.conversation.label)
        except Exception as error:  # noqa: BLE001  the lease runs out, the turn comes again, the fifth time it is parked
            log_crash("turn_crashed", error, conversation=ticket.conversation.label)
        finally:
            metrics.turn_seconds.observe(time.monotonic() - started)
            with self._idle:
                del self._running[ticket]
                self._idle.notify_all()

    # Beside the turns

    def _beside(self, work: Callable[[], timedelta], name: str) -> threading.Thread:
        thread = threading.Thread(target=self._repeat, args=(work, name), name=name, daemon=True)
        thread.start()
        return thread

    def _repeat(self, work: Callable[[], timedelta], name: str) -> None:
        pause = timedelta()
        while not self._over.wait(pause.total_seconds()):
            try:
                pause = work()
            except StoreDown as error:
                self._outage.met(name, error)
                pause = timedelta(seconds=0.5)

    def _heartbeat(self) -> timedelta:
        leases = self._leases()
        if leases:
            for lost in self._inbox.renew(leases):
                lost.expires = 0.0
        return self._rules.heartbeat

    def _waker(self) -> timedelta:
        metrics.turns_running.set(len(self._running))  # here, and not at each turn's beginning and end
        return min(self._inbox.wake(), timedelta(seconds=0.2))

    def _leases(self) -> list[Lease]:
        with self._guard:
            return [lease for lease in self._running.values() if lease is not None]

    # Leaving

    def _drain(self) -> None:
        """Lets running turns finish; gives the rest back, so that another worker goes on at once."""
        end = time.monotonic() + self._rules.drain.total_seconds()
        with self._idle:
            while self._running and (left := end - time.monotonic()) > 0:
                self._idle.wait(left)
        for lease in self._leases():
            self._hand_back(lease)

    def _hand_back(self, lease: Lease) -> None:
        lease.expires = 0.0  # the turn's own thread sends nothing any more
        try:
            self._inbox.postpone(lease, timedelta(), reason="worker_stopping")
            log("turn_handed_back", conversation=lease.ticket.conversation.label)
        except (LeaseLost, StoreDown) as error:
            log("turn_not_handed_back", conversation=lease.ticket.conversation.label, reason=type(error).__name__)
