"""The supervisor with tiny stand-ins: real processes, real signals."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from bot.supervisor import Program, Supervisor

STAND_IN = """
import sys
from pathlib import Path
from datetime import timedelta
from bot.supervisor import Program, Supervisor

folder = Path(sys.argv[1])
services = [
    Program(name=name, command=[sys.executable, str(folder / "child.py"), name, str(folder)], final=frozenset([78]))
    for name in sys.argv[2:]
]
sys.exit(Supervisor(services, patience=timedelta(seconds=5)).run())
"""

CHILD = """
import os, signal, sys, time
from pathlib import Path

name, folder = sys.argv[1], Path(sys.argv[2])
kind = name.split("-")[0]

def leave(number, frame):
    with (folder / "order").open("a") as order:
        order.write(name + "\\n")
    sys.exit(0)

signal.signal(signal.SIGTERM, leave if kind != "stubborn" else signal.SIG_IGN)
if kind == "group" and os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    name += "-grandchild"
pids = folder / (name + ".part")
pids.write_text(str(os.getpid()))
with (folder / (name + ".starts")).open("a") as starts:
    starts.write(f"{os.getpid()}\\n")
pids.rename(folder / (name + ".pid"))
if kind == "misconfigured":
    sys.exit(78)
time.sleep(60)
"""


class Desk:
    """A supervisor process with stand-in children in *folder*."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        (folder / "child.py").write_text(CHILD)

    def run(self, *names: str) -> subprocess.Popen[str]:
        self._process = subprocess.Popen(
            [sys.executable, "-c", STAND_IN, str(self._folder), *names], stderr=subprocess.PIPE, text=True
        )
        return self._process

    def pid(self, name: str, *, other_than: int = 0) -> int:
        """The newest process id of the child *name*, once there is one *other_than* an earlier one."""
        file = self._folder / f"{name}.pid"
        eventually(lambda: file.exists() and int(file.read_text()) != other_than, f"{name} did not start")
        return int(file.read_text())

    def starts(self, name: str) -> int:
        return len((self._folder / f"{name}.starts").read_text().splitlines())

    def order(self) -> list[str]:
        return (self._folder / "order").read_text().splitlines()

    def clear(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.communicate(timeout=20)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.clear()


def eventually(holds: Callable[[], bool], otherwise: str, within: float = 15) -> None:
    end = time.monotonic() + within
    while not holds():
        assert time.monotonic() < end, otherwise
        time.sleep(0.02)


def gone(pid: int) -> bool:
    """No such process, or one that only waits for its exit code to be read."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_child_that_is_killed_is_started_again(desk: Desk) -> None:
    desk.run("web", "worker")
    first, other = desk.pid("web"), desk.pid("worker")
    os.kill(first, signal.SIGKILL)
    second = desk.pid("web", other_than=first)
    assert not gone(second)
    assert desk.pid("worker") == other


def test_a_child_that_keeps_dying_is_restarted_with_growing_pauses(desk: Desk) -> None:
    desk.run("web")
    begun = time.monotonic()
    pid = 0
    for _ in range(4):
        pid = desk.pid("web", other_than=pid)
        os.kill(pid, signal.SIGKILL)
    desk.pid("web", other_than=pid)
    assert time.monotonic() - begun > 0.2 + 0.4 + 0.8


def test_the_children_of_a_killed_supervisor_do_not_outlive_it(desk: Desk) -> None:
    process = desk.run("web", "stubborn")
    children = [desk.pid("web"), desk.pid("stubborn")]
    process.kill()
    process.wait()
    eventually(lambda: all(gone(pid) for pid in children), "a child was left behind")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_children_in_reverse_order_and_exits_0(desk: Desk, number: signal.Signals) -> None:
    process = desk.run("sandbox", "worker", "web")
    children = [desk.pid(name) for name in ("sandbox", "worker", "web")]
    process.send_signal(number)
    assert process.wait(10) == 0
    assert desk.order() == ["web", "worker", "sandbox"]
    assert all(gone(pid) for pid in children)


def test_a_child_that_ignores_sigterm_is_killed_within_its_grace(desk: Desk) -> None:
    process = desk.run("stubborn", "web")
    stubborn = desk.pid("stubborn")
    desk.pid("web")
    process.terminate()
    assert process.wait(10) == 0
    assert gone(stubborn)


def test_stopping_several_stubborn_children_keeps_within_the_patience(desk: Desk) -> None:
    names = [f"stubborn-{number}" for number in range(6)]
    process = desk.run(*names)
    for name in names:
        desk.pid(name)
    begun = time.monotonic()
    process.terminate()
    assert process.wait(15) == 0
    assert time.monotonic() - begun < 8  # six times two seconds of grace, but five of patience


def test_a_second_signal_kills_what_is_left_at_once(desk: Desk) -> None:
    process = desk.run("stubborn")
    stubborn = desk.pid("stubborn")
    begun = time.monotonic()
    process.terminate()
    time.sleep(0.3)
    process.terminate()
    process.wait(10)
    assert gone(stubborn)
    assert time.monotonic() - begun < 1.9  # the grace is two seconds


def test_what_a_killed_child_forked_is_gone_before_the_child_is_restarted(desk: Desk) -> None:
    desk.run("group")
    leader, forked = desk.pid("group"), desk.pid("group-grandchild")
    os.kill(leader, signal.SIGKILL)
    desk.pid("group", other_than=leader)
    eventually(lambda: gone(forked), "the old process group still holds its port")


def test_a_child_that_no_restart_can_mend_ends_the_run_with_its_code(desk: Desk) -> None:
    process = desk.run("worker", "misconfigured")
    worker = desk.pid("worker")
    assert process.wait(10) == 78
    assert gone(worker)
    assert desk.starts("misconfigured") == 1


def test_a_program_that_cannot_be_started_at_all_is_an_error() -> None:
    missing = Program(name="web", command=["/no/such/program"])
    with pytest.raises(FileNotFoundError):
        Supervisor([missing]).run()


def test_a_restart_that_fails_is_tried_again(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.symlink_to("/bin/true")
    fragile = Program(name="web", command=[str(program)])
    ticks = 0

    def announce() -> bool:
        nonlocal ticks
        ticks += 1
        if ticks == 1:
            program.unlink()
        elif ticks == 10:
            program.write_text(f"#!/bin/sh\ntouch {tmp_path}/back\nsleep 60\n")
            program.chmod(0o700)
        elif (tmp_path / "back").exists() or ticks == 150:
            signal.raise_signal(signal.SIGTERM)
        return False

    assert Supervisor([fragile], patience=timedelta(seconds=3)).run(announce) == 0
    assert (tmp_path / "back").exists()
