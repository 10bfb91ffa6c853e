"""A worker is stopped in the middle of a turn for longer than its lease, another finishes the turn, and the first
wakes up: it must neither send nor write anything, and go on to work."""

import os
import signal
import time

import pytest

from sessions.scripts import COMMIT
from tests.acceptance.conftest import Town
from tests.faults.checkpoint import POINTS, Point, point
from tests.faults.crew import Crew
from tests.faults.stage import LEASE, AtSend, Stage, stage, wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
NAMES = ("wa", "corp", "ding")


def stop(crew: Crew) -> None:
    os.kill(crew.pid("worker"), signal.SIGSTOP)


def outlive(desk: Stage) -> None:
    """The other worker takes over and finishes; then the first goes on where it was."""
    stopped_at = time.monotonic()
    desk.crew.start("second")
    desk.drain()
    time.sleep(max(0.0, stopped_at + LEASE + 2 - time.monotonic()))
    desk.checkpoint.release()
    desk.signal("worker", signal.SIGCONT)
    time.sleep(2)
    desk.drain()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("where", POINTS, ids=lambda where: where.name)
def test_who_slept_past_its_lease_does_nothing_more(town: Town, where: Point, name: str) -> None:
    with stage(town, name, where, stop) as desk:
        desk.ask(1)
        assert desk.checkpoint.reached.wait(30)
        outlive(desk)
        found = desk.balance(1)
        assert (found.lost, found.doubled) == ([], [])
        assert dict(found.parked) in ([{}, {"unknown": 1}] if name == "ding" else [{}])
        assert desk.sends() <= 2 + where.needs_a_refusal
        desk.crew.kill("second")
        desk.assert_answers(2)


@pytest.mark.parametrize("name", NAMES)
def test_who_slept_while_the_platform_had_its_send_does_nothing_more(town: Town, name: str) -> None:
    with stage(town, name) as desk:
        desk.platform.faults = at_send = AtSend(lambda: stop(desk.crew))
        desk.ask(1)
        wait_until(lambda: at_send.reached)
        outlive(desk)
        found = desk.balance(1)
        assert (found.shown, found.lost, found.doubled) == (1, [], [])
        assert dict(found.parked) == ({"unknown": 1} if name == "ding" else {})
        desk.crew.kill("second")
        desk.assert_answers(2)


def test_who_does_not_know_that_its_lease_ended_sends_a_second_time(town: Town) -> None:
    """The control: the same stop after the commit, for a worker that takes its lease for an hour's."""
    after_commit = point("commit", COMMIT, ran=True)
    with stage(town, "wa", after_commit, stop, believed=3600) as desk:
        desk.ask(1)
        assert desk.checkpoint.reached.wait(30)
        outlive(desk)
        assert desk.balance(1).doubled == [1]
