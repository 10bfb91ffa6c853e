"""A worker is stopped in the middle of a turn for longer than its lease, another finishes the turn, and the first
wakes up: it must neither send nor write anything, and go on to work."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bot.sandbox.faults import Fault, Faults
from sessions.scripts import ALL, CLAIM, COMMIT, POSTPONE, RECORD, SETTLE, Script
from tests.acceptance.conftest import Platform, Town
from tests.faults.chance import REFUSALS, SENDS
from tests.faults.checkpoint import Checkpoint, Point
from tests.faults.crew import Crew
from tests.faults.ledger import Balance, balance
from tests.faults.test_kill_loop import drain, echo

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

LEASE = 3
HOLD = 2
NAMES = ("wa", "corp", "ding")


def point(name: str, script: Script, *, ran: bool, state: str = "") -> Point:
    mark = rf'.*"state":"{state}"' if state else ""
    return Point(name=name, command=re.compile(script.sha.encode() + mark.encode(), re.DOTALL), ran=ran)


POINTS = [
    point(f"{name}, {'ran' if ran else 'about to run'}", script, ran=ran, state=state)
    for name, script, state in (
        ("claim", CLAIM, ""),
        ("commit", COMMIT, ""),
        ("record refused", RECORD, "refused"),
        ("postpone", POSTPONE, ""),
        ("record sending", RECORD, "sending"),
        ("settle", SETTLE, ""),
    )
    for ran in (False, True)
]
AFTER_A_REFUSAL = ("record", "postpone")


@dataclass
class Holder:
    """The worker that is stopped."""

    crew: Crew
    stopped: bool = False

    def stop(self) -> None:
        os.kill(self.crew.pid("worker"), signal.SIGSTOP)
        self.stopped = True

    def resume(self) -> None:
        os.kill(self.crew.pid("worker"), signal.SIGCONT)
        self.stopped = False


class StopAtSend(Faults):
    """The platform takes the message, and its sender is stopped before it can hear so."""

    def __init__(self, holder: Holder) -> None:
        super().__init__()
        self._holder = holder
        self.reached = False

    def take(self, endpoint: str) -> Fault | None:
        if endpoint in SENDS and not self.reached:
            self._holder.stop()
            self.reached = True
        return None


def configured(town: Town, *, lease: int = LEASE) -> dict[str, str]:
    town.model.reply = echo
    town.whatsapp.redelivers = True
    return {
        "FRONTDESK__WORKER__LEASE": str(lease),
        "FRONTDESK__WORKER__HOLD": str(HOLD),
        "FRONTDESK__WORKER__BLIND_RESEND": "false",
    }


@contextmanager
def two_workers(town: Town, where: Point | None, *, believed: int = LEASE) -> Iterator[tuple[Holder, Checkpoint]]:
    """Redis, the web process, and a first worker that reaches Redis through the checkpoint only; *believed* is what
    it takes its lease for. The second worker starts once the first is stopped."""
    crew = Crew(town)
    crew.start("redis")
    with crew.store() as store:
        for script in ALL:  # else the point may be passed by the EVALSHA that asks for the script
            store.command("SCRIPT", "LOAD", script.text)
    holder = Holder(crew)
    with Checkpoint(Path(urlsplit(crew.redis_url).path), where, holder.stop) as checkpoint, crew.at_work("web"):
        crew.environment = {**configured(town, lease=believed), "FRONTDESK__REDIS__URL": checkpoint.url}
        crew.start("worker")
        crew.environment = configured(town)
        crew.wait_until_ready()
        yield holder, checkpoint
        if holder.stopped:
            holder.resume()


def wait_until(reached: Callable[[], bool], limit: float = 30) -> None:
    end = time.monotonic() + limit
    while not reached():
        assert time.monotonic() < end, f"not reached within {limit} s"
        time.sleep(0.02)


def sends(platform: Platform) -> int:
    return sum(call.endpoint in SENDS for call in platform.calls)


def outlive(holder: Holder, checkpoint: Checkpoint) -> None:
    """The other worker takes over and finishes; then the first goes on where it was."""
    crew = holder.crew
    stopped_at = time.monotonic()
    crew.start("second")
    drain(crew)
    time.sleep(max(0.0, stopped_at + LEASE + 2 - time.monotonic()))
    checkpoint.release()
    holder.resume()
    time.sleep(2)
    drain(crew)


def end(holder: Holder, name: str) -> Balance:
    platform = holder.crew.town.platforms[name]
    return balance([1], platform.replies(), holder.crew.dead_letters())


def assert_still_works(holder: Holder, platform: Platform) -> None:
    """The first worker, alone again."""
    holder.crew.kill("second")
    before = len(platform.replies())
    assert platform.say("Question #2", user="447700900001").status == 200
    wait_until(lambda: len(platform.replies()) > before)
    assert "#2" in platform.replies()[-1].text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("where", POINTS, ids=lambda where: where.name)
def test_who_slept_past_its_lease_does_nothing_more(town: Town, where: Point, name: str) -> None:
    platform = town.platforms[name]
    if where.name.startswith(AFTER_A_REFUSAL):
        platform.faults.add("session" if name == "ding" else "send", REFUSALS[name])
    with two_workers(town, where) as (holder, checkpoint):
        assert platform.say("Question #1", user="447700900001").status == 200
        assert checkpoint.reached.wait(30)
        outlive(holder, checkpoint)
        found, sent = end(holder, name), sends(platform)
        assert (found.lost, found.doubled) == ([], [])
        assert dict(found.parked) in ([{}, {"unknown": 1}] if name == "ding" else [{}])
        assert sent <= 2 + where.name.startswith(AFTER_A_REFUSAL)
        assert_still_works(holder, platform)


@pytest.mark.parametrize("name", NAMES)
def test_who_slept_while_the_platform_had_its_send_does_nothing_more(town: Town, name: str) -> None:
    platform = town.platforms[name]
    with two_workers(town, None) as (holder, checkpoint):
        platform.faults = at_send = StopAtSend(holder)
        assert platform.say("Question #1", user="447700900001").status == 200
        wait_until(lambda: at_send.reached)
        outlive(holder, checkpoint)
        found = end(holder, name)
        assert (found.shown, found.lost, found.doubled) == (1, [], [])
        assert dict(found.parked) == ({"unknown": 1} if name == "ding" else {})
        assert_still_works(holder, platform)


def test_who_does_not_know_that_its_lease_ended_sends_a_second_time(town: Town) -> None:
    """The control: the same stop after the commit, for a worker that takes its lease for an hour's."""
    after_commit = point("commit, ran", COMMIT, ran=True)
    with two_workers(town, after_commit, believed=3600) as (holder, checkpoint):
        assert town.whatsapp.say("Question #1", user="447700900001").status == 200
        assert checkpoint.reached.wait(30)
        outlive(holder, checkpoint)
        assert end(holder, "wa").doubled == [1]
