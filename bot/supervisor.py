"""`frontdesk run`: keeps a few services running, and stops them in order.

Services start in the order given and stop in reverse. One that dies is started again, at once at first and then
with a growing pause. A service that says itself that no restart can mend it (a wrong configuration) ends the run.

Nothing is left behind: a child is the leader of a process group of its own (so that Ctrl-C reaches only the
supervisor, which then stops in order), and on Linux the kernel signals it when the supervisor dies in any way.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from types import FrameType
from typing import Protocol

from bot.logs import log
from sessions.embedded import EmbeddedRedis
from sessions.errors import SessionError

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 10.0
STEADY = 30.0
"""Seconds. The first restart comes at once, the second after the first pause, which then doubles up to the longest;
after a steady run it all starts anew."""

PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Service(Protocol):
    """Something that is to be kept running."""

    @property
    def name(self) -> str: ...

    def start(self) -> None:
        """Starts it (again). Raises OSError or SessionError if that fails now; it is then tried later."""
        ...

    def alive(self) -> bool: ...

    def final_code(self) -> int | None:
        """The exit code, if it died of something that no restart can mend."""
        ...

    def stop(self, within: timedelta) -> None:
        """Asks it to stop, insists after *within*, and returns when it is gone."""
        ...

    def kill(self) -> None:
        """At once, without waiting."""
        ...


@dataclass(kw_only=True)
class Program:
    """A child process. *death* is what the kernel sends it when the supervisor dies; *grace* is how long it may
    take to stop; *final* are the exit codes after which a restart is pointless."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    death: signal.Signals = signal.SIGKILL
    grace: timedelta = timedelta(seconds=2)
    final: frozenset[int] = frozenset()
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        self.kill()  # what a dead leader left in its group, such as a web server's workers on our port
        self._process = subprocess.Popen(
            self.command,
            env={**os.environ, **self.env},
            stdout=sys.stderr.fileno(),  # ours is the start screen alone
            start_new_session=True,
            preexec_fn=_die_with(os.getpid(), self.death),
        )

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def final_code(self) -> int | None:
        code = self._process.returncode if self._process else None
        return code if code in self.final else None

    def stop(self, within: timedelta) -> None:
        if self._process is None:
            return
        if self.alive():
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(min(within, self.grace).total_seconds())
        self.kill()
        self._process.wait()

    def kill(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


@dataclass(kw_only=True)
class EmbeddedStore:
    """Our own Redis as a service. It dies with us by its own means (:mod:`sessions.leash`)."""

    redis: EmbeddedRedis
    name: str = "redis"

    def start(self) -> None:
        self.redis.start()

    def alive(self) -> bool:
        return self.redis.alive()

    def final_code(self) -> int | None:
        return None

    def stop(self, within: timedelta) -> None:
        self.redis.stop()

    def kill(self) -> None:
        if self.redis.pid is not None and self.redis.alive():
            os.kill(self.redis.pid, signal.SIGKILL)


def _die_with(parent: int, death: signal.Signals) -> Callable[[], None]:
    """What a child does between fork and exec, so that it does not outlive *parent* (prctl(2)). The kernel looks at
    the thread that forked: start programs from the main thread only."""
    if sys.platform != "linux":
        return lambda: None
    prctl = ctypes.CDLL(None).prctl

    def in_child() -> None:
        prctl(PR_SET_PDEATHSIG, death)
        if os.getppid() != parent:  # it died before the call
            os._exit(1)

    return in_child


@dataclass(kw_only=True)
class _Kept:
    """A service and how its restarts went; times are monotonic seconds."""

    service: Service
    pause: float = 0.0
    started: float = 0.0
    due: float | None = None

    def look(self, now: float) -> None:
        """Starts the service if it is down and its pause is over."""
        if self.due is None and not self.service.alive():
            if now - self.started > STEADY:
                self.pause = 0.0
            self.due = now + self.pause
            log("service_died", level="warning", service=self.service.name, restart_in_s=self.pause)
            self.pause = min(max(FIRST_PAUSE, 2 * self.pause), LONGEST_PAUSE)
        elif self.due is not None and now >= self.due:
            try:
                self.start(now)
            except (OSError, SessionError) as error:
                self.started = now  # a try like any other: the pauses go on growing
                log("service_not_started", level="error", service=self.service.name, error=error)

    def start(self, now: float) -> None:
        self.due = None
        self.service.start()
        self.started = now
        log("service_started", service=self.service.name)


class Supervisor:
    """Runs *services* until a signal comes. *patience* bounds the whole of stopping. A failure of the very first
    start is raised; later ones are logged, and the start is tried again."""

    def __init__(
        self,
        services: Sequence[Service],
        *,
        patience: timedelta = timedelta(seconds=29),
        tick: timedelta = timedelta(seconds=0.1),
    ) -> None:
        self._kept = [_Kept(service=service) for service in services]
        self._patience = patience
        self._tick = tick
        self._stop = threading.Event()
        self._hurried = False

    def run(self, announce: Callable[[], bool] = lambda: True) -> int:
        """Returns the exit code: 0 after a signal, or the code of a service that cannot be restarted.
        *announce* is called every tick until it says that it has announced."""
        with self._signals():
            try:
                for kept in self._kept:
                    kept.start(time.monotonic())
                return self._watch(announce)
            finally:
                self._stop_all()

    @property
    def hurried(self) -> bool:
        """Whether a second signal cut the stopping short."""
        return self._hurried

    def _watch(self, announce: Callable[[], bool]) -> int:
        announced = False
        while not self._stop.wait(self._tick.total_seconds()):
            for kept in self._kept:
                kept.look(time.monotonic())
                code = kept.service.final_code()
                if code is not None:
                    log("service_cannot_run", level="error", service=kept.service.name, exit_code=code)
                    return code
            announced = announced or announce()
        return 0

    def _stop_all(self) -> None:
        end = time.monotonic() + self._patience.total_seconds()
        for kept in reversed([kept for kept in self._kept if kept.started]):
            kept.service.stop(timedelta(seconds=max(0.0, end - time.monotonic())))
            log("service_stopped", service=kept.service.name)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """The first SIGTERM or SIGINT stops in order, the second kills what is left."""
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._stop.is_set():
            self._hurried = True
            for kept in self._kept:
                kept.service.kill()
        self._stop.set()
