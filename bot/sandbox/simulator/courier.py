"""Carries webhooks to the bot: one POST over a kept connection, and things that are to be done later."""

import heapq
import http.client
import itertools
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

KEEP_IDLE = 1.0
"""Seconds: a server that closes idle connections (gunicorn: after 2 s) must not look like a broken bot."""
MOST_IDLE = 64
LARGEST_ANSWER = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the bot answered; *status* 0 with *error* when it did not."""

    status: int
    body: bytes
    error: str
    elapsed: timedelta


class Courier:
    """A pool of connections to one bot after another. Thread-safe."""

    def __init__(self) -> None:
        self._idle: deque[tuple[str, float, http.client.HTTPConnection]] = deque(maxlen=None)
        self._guard = threading.Lock()

    def carry(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, *, patience: timedelta
    ) -> Heard:
        """One request, no redirect, no repeat; *patience* bounds each wait on the socket."""
        began = time.perf_counter()
        parts = urlsplit(url)
        target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        place = f"{parts.scheme}://{parts.netloc}"
        connection = self._connection(place, patience.total_seconds())
        try:
            connection.request(method, target, body=body or None, headers=dict(headers))
            answer = connection.getresponse()
            content = answer.read(LARGEST_ANSWER)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return Heard(status=0, body=b"", error=_named(error), elapsed=_since(began))
        if answer.will_close or not answer.isclosed():
            connection.close()
        else:
            self._keep(place, connection)
        return Heard(status=answer.status, body=content, error="", elapsed=_since(began))

    def close(self) -> None:
        with self._guard:
            while self._idle:
                self._idle.pop()[2].close()

    def _connection(self, place: str, patience: float) -> http.client.HTTPConnection:
        with self._guard:
            while self._idle:
                kept, since, connection = self._idle.pop()
                if kept == place and time.monotonic() - since < KEEP_IDLE and _open(connection.sock):
                    connection.sock.settimeout(patience)
                    return connection
                connection.close()
        parts = urlsplit(place)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(parts.hostname or "", parts.port, timeout=patience)

    def _keep(self, place: str, connection: http.client.HTTPConnection) -> None:
        with self._guard:
            if len(self._idle) < MOST_IDLE:
                self._idle.append((place, time.monotonic(), connection))
                return
        connection.close()


def _open(kept: socket.socket | None) -> bool:
    """A kept connection on which something can be read is one that the bot closed."""
    if kept is None or kept.fileno() < 0:
        return False
    waiting = select.poll()
    waiting.register(kept, select.POLLIN)
    return not waiting.poll(0)


def _named(error: Exception) -> str:
    """A word for the journal: what a platform's own log would say."""
    if isinstance(error, TimeoutError):
        return "timeout"
    return "refused" if isinstance(error, ConnectionRefusedError) else type(error).__name__


def _since(began: float) -> timedelta:
    return timedelta(seconds=time.perf_counter() - began)


class Later:
    """Runs functions after a delay, several at a time, until stopped."""

    def __init__(self, threads: int = 8) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="sandbox-later")
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="sandbox-clock", daemon=True)
        self._thread.start()

    def do(self, action: Callable[[], object], *, after: timedelta = timedelta()) -> None:
        with self._changed:
            if not self._stopped:
                heapq.heappush(self._due, (time.monotonic() + after.total_seconds(), next(self._order), action))
                self._changed.notify()

    @property
    def pending(self) -> int:
        with self._changed:
            return len(self._due)

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self) -> None:
        with self._changed:
            while not self._stopped:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                else:
                    self._pool.submit(heapq.heappop(self._due)[2]).add_done_callback(_report)


def _report(done: Future[object]) -> None:
    """A failed action is a bug of the fake: raised here, the executor's logger shows it."""
    if not done.cancelled():
        done.result()
