"""The worker's loop: how much runs at once, what is counted, and how Redis is missed."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from adapters.values import ConversationId, Message
from bot import metrics
from bot.turns.worker import Worker, WorkerRules
from sessions.errors import StoreDown
from sessions.inbox import Ticket, Turn
from sessions.memory import MemoryInbox


def fill(inbox: MemoryInbox, count: int) -> None:
    """One message in each of *count* conversations."""
    inbox.accept(
        [
            Message(
                id=f"m{number}",
                conversation=ConversationId(channel="shop", account="a", peer=f"p{number}"),
                sender="s",
                text="hi",
                sent_at=datetime.now(UTC),
            )
            for number in range(count)
        ],
        horizon=timedelta(days=1),
    )


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()


def running() -> float:
    return float(metrics.turns_running._value.get())


def test_no_more_turns_run_than_there_are_places_and_all_are_run_in_the_end() -> None:
    inbox, gate, stop = MemoryInbox(), threading.Event(), threading.Event()
    seen: list[float] = []
    ran: list[str] = []

    def run_turn(turn: Turn) -> None:
        seen.append(running())
        gate.wait(10)
        inbox.settle(turn.lease, outcome="answered")
        ran.append(turn.id.peer)

    fill(inbox, 7)
    rules = WorkerRules(turns=3, poll=timedelta(seconds=0.05), drain=timedelta(seconds=5))
    thread = threading.Thread(target=Worker(inbox, run_turn, rules).run, args=(stop,))
    thread.start()
    try:
        assert within(5, lambda: running() == 3)
        time.sleep(0.2)
        assert running() == 3
        gate.set()
        assert within(10, lambda: len(ran) == 7)
        assert within(5, lambda: running() == 0)
        assert max(seen) <= 3
    finally:
        gate.set()
        stop.set()
        thread.join(10)


def test_a_store_that_is_away_is_said_once_and_so_is_its_return(caplog: pytest.LogCaptureFixture) -> None:
    class Flapping(MemoryInbox):
        away = True

        def take(self, most: int, *, wait: timedelta) -> Sequence[Ticket]:
            if self.away:
                raise StoreDown("gone")
            return super().take(most, wait=wait)

        def wake(self) -> timedelta:
            if self.away:
                raise StoreDown("gone")
            return super().wake()

    inbox, stop, ran = Flapping(), threading.Event(), threading.Event()

    def run_turn(turn: Turn) -> None:
        inbox.settle(turn.lease, outcome="answered")
        ran.set()

    fill(inbox, 1)
    rules = WorkerRules(turns=3, poll=timedelta(seconds=0.05), drain=timedelta(seconds=5))
    with caplog.at_level(logging.INFO, "frontdesk"):
        thread = threading.Thread(target=Worker(inbox, run_turn, rules).run, args=(stop,))
        thread.start()
        time.sleep(1.7)
        inbox.away = False
        assert ran.wait(5)
        stop.set()
        thread.join(10)
    actions = [record.message for record in caplog.records]
    assert actions.count("store_down") == 1
    assert actions.count("store_up") == 1
