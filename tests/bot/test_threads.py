"""Threads that are used again, and given back."""

import threading
import time

import pytest

from bot.turns import threads
from bot.turns.threads import Threads


def alive(name: str) -> int:
    return sum(thread.name == name for thread in threading.enumerate())


def within(seconds: float, name: str, count: int) -> bool:
    end = time.monotonic() + seconds
    while alive(name) != count and time.monotonic() < end:
        time.sleep(0.005)
    return alive(name) == count


def ran(many: Threads, count: int) -> set[int]:
    """The threads on which so many pieces of work ran, one after another."""
    seen = set[int]()
    for _ in range(count):
        done = threading.Event()

        def work(done: threading.Event = done) -> None:
            seen.add(threading.get_ident())
            done.set()

        many.run(work)
        assert done.wait(5)
        time.sleep(0.005)  # the thread becomes free after its work
    return seen


def test_work_runs_on_a_thread_that_has_none() -> None:
    assert len(ran(Threads("again"), 20)) == 1


def test_work_never_waits_for_other_work() -> None:
    many, together = Threads("together"), threading.Barrier(51)

    def meet() -> None:
        together.wait(10)

    for _ in range(3):
        for _ in range(50):
            many.run(meet)
        together.wait(10)
    assert alive("together") <= 100


def test_what_a_rush_needed_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "LINGER", 0.05)
    many, gate = Threads("rush"), threading.Event()

    def stay() -> None:
        gate.wait(10)

    for _ in range(20):
        many.run(stay)
    assert alive("rush") == 20
    gate.set()
    assert within(5, "rush", 0)
    assert len(ran(many, 1)) == 1


def test_no_work_is_lost_while_threads_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "LINGER", 0.001)
    many, done = Threads("ending"), threading.Semaphore(0)
    for number in range(600):
        many.run(done.release)
        if number % 3 == 0:
            time.sleep(0.001)
    assert all(done.acquire(timeout=5) for _ in range(600))


def test_a_crash_costs_the_thread_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    many, crashed = Threads("crash"), threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: crashed.set())

    def crash() -> None:
        raise LookupError("on purpose")

    many.run(crash)
    assert crashed.wait(5)
    assert len(ran(many, 2)) == 1
