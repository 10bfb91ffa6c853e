"""A town whose processes the test kills and starts again: a supervisor's pauses would let most kills miss."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import timedelta

import psutil

from sessions import leash
from sessions.embedded import EmbeddedRedis
from sessions.engine import RedisInbox
from sessions.inbox import DeadLetter, Depths
from sessions.store import RedisStore
from tests.acceptance.conftest import Town, environment

KINDS = ("redis", "worker", "web")
LEASHED = (sys.executable, "-I", "-S", leash.__file__, str(os.getpid()))
"""Nothing outlives a test that is killed itself."""
COMMANDS = {"worker": "worker", "second": "worker", "web": "web"}


class Crew:
    """One Redis, one `frontdesk worker`, one `frontdesk web`, and perhaps a `second` worker. `start` is for the
    thread that built the crew, because the kernel ends Redis with the thread that started it. *came_up* is called
    with each new Redis."""

    def __init__(self, town: Town, *, came_up: Callable[[RedisStore], object] | None = None) -> None:
        self.town = town
        self._config = town.configure()
        self._redis = EmbeddedRedis(town.folder / "var")
        self._programs: dict[str, subprocess.Popen[bytes]] = {}
        self._came_up = came_up
        self.kills = Counter[str]()
        self.environment: Mapping[str, str] = {}
        """For the programs that are started from now on."""

    @contextmanager
    def at_work(self, *kinds: str) -> Iterator["Crew"]:
        """Starts these, or all; ends all."""
        try:
            self.start(*(kinds or KINDS))
            yield self
        finally:
            for kind in COMMANDS:
                self._kill_program(kind)
            self._redis.stop()

    def start(self, *kinds: str) -> None:
        """What does not run."""
        for kind in kinds:
            if kind == "redis":
                self._start_redis()
            elif not self._runs(kind):
                self._programs[kind] = self._program(kind)

    def kill(self, *kinds: str) -> None:
        """SIGKILL, and no goodbye."""
        for kind in kinds:
            self.kills[kind] += 1
            if kind == "redis":
                self._kill_redis()
            else:
                self._kill_program(kind)

    def wait_until_ready(self, limit: float = 60) -> None:
        """For webhooks."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                urllib.request.urlopen(f"http://127.0.0.1:{self.town.port}/readyz", timeout=2).close()
                return
            time.sleep(0.1)
        raise AssertionError(f"not ready after {limit} s: see {self.town.folder}")

    @property
    def redis_url(self) -> str:
        return self._redis.url

    def pid(self, kind: str) -> int:
        return self._programs[kind].pid

    @contextmanager
    def store(self) -> Iterator[RedisStore]:
        with closing(RedisStore.open(self._redis.url, patience=timedelta(seconds=5), connections=2)) as store:
            yield store

    def depths(self) -> Depths:
        with self.store() as store:
            return RedisInbox(store, consumer="ledger").depths()

    def dead_letters(self) -> list[DeadLetter]:
        with self.store() as store:
            return list(RedisInbox(store, consumer="ledger").dead_letters(most=100_000))

    def _start_redis(self) -> None:
        if not self._redis.alive():
            self._redis.start()
            if self._came_up is not None:
                with self.store() as store:
                    self._came_up(store)

    def _kill_redis(self) -> None:
        if self._redis.pid is not None and self._redis.alive():
            os.kill(self._redis.pid, signal.SIGKILL)
            while self._redis.alive():
                time.sleep(0.005)

    def _program(self, kind: str) -> subprocess.Popen[bytes]:
        with (self.town.folder / f"{kind}.log").open("ab") as log:
            return subprocess.Popen(
                [*LEASHED, sys.executable, "-m", "bot.cli", "--config", str(self._config), COMMANDS[kind]],
                stdout=log,
                stderr=log,
                env={**environment(), "FRONTDESK__REDIS__URL": self._redis.url, **self.environment},
            )

    def _runs(self, kind: str) -> bool:
        return kind in self._programs and self._programs[kind].poll() is None

    def _kill_program(self, kind: str) -> None:
        if not self._runs(kind):
            return
        program = self._programs[kind]
        family = [*psutil.Process(program.pid).children(recursive=True), psutil.Process(program.pid)]
        for process in reversed(family):  # the parent first, so that it starts no new child
            with suppress(psutil.NoSuchProcess):
                process.kill()
        program.wait()
