"""Time limits that hold on every byte.

The timeout of `requests` is a limit on each read: a server that sends one byte a second keeps a call alive for ever
(measured: `timeout=2` against ten such bytes answered after ten seconds). Here every `recv` of a connection gets
what is left on the clock of the call that reads, headers, chunk sizes and TLS records included. No thread watches;
a read in which nothing comes looks up twice a second, whether there is anybody left to wait for.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.ssl_ import create_urllib3_context

QUIET = 0.5
"""Seconds without a byte after which a read asks whether its server is lost: many times the pause of two tokens."""


class Clock:
    """How long one answer may still take. Every read waits at most until *until*, which `expect` moves; it never
    passes the *end* that was set at the start. *lost* is asked in every quiet moment: whether to wait no longer."""

    __slots__ = ("end", "lost", "until")

    def __init__(self, deadline: timedelta) -> None:
        self.end = self.until = time.monotonic() + deadline.total_seconds()
        self.lost: Callable[[], bool] = lambda: False

    def expect(self, within: timedelta) -> None:
        """The next sign of life must come *within* this."""
        self.until = min(self.end, time.monotonic() + within.total_seconds())

    @property
    def left(self) -> timedelta:
        return timedelta(seconds=max(0.0, self.end - time.monotonic()))

    @contextmanager
    def running(self) -> Iterator[None]:
        """All reads of this thread obey this clock meanwhile."""
        token = _clock.set(self)
        try:
            yield
        finally:
            _clock.reset(token)


_clock: ContextVar[Clock | None] = ContextVar("clock", default=None)


def _wait_at_most(sock: socket.socket) -> None:
    if clock := _clock.get():
        left = clock.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for this answer is over")
        sock.settimeout(min(left, QUIET))


def _reads_on() -> bool:
    """Whether a read in which nothing came goes on; not where the limit was somebody else's."""
    clock = _clock.get()
    if clock and clock.lost():
        raise ConnectionAbortedError("nobody is there any more who could answer")
    return clock is not None


def _may_send(sock: socket.socket) -> None:
    """A large body (pictures, a recording) takes longer than connecting, whose limit the socket has till then."""
    if clock := _clock.get():
        sock.settimeout(max(0.001, clock.until - time.monotonic()))


class _TimedSocket(socket.socket):
    def sendall(self, *args: Any) -> None:
        _may_send(self)
        super().sendall(*args)

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        while True:
            _wait_at_most(self)
            try:
                return super().recv_into(*args, **kwargs)
            except TimeoutError:
                if not _reads_on():
                    raise


class _TimedTlsSocket(ssl.SSLSocket):
    def send(self, *args: Any) -> int:
        _may_send(self)
        return super().send(*args)

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        while True:
            _wait_at_most(self)
            try:
                return super().recv_into(*args, **kwargs)
            except TimeoutError:
                if not _reads_on():
                    raise


def _timed(plain: socket.socket) -> socket.socket:
    timeout = plain.gettimeout()
    timed = _TimedSocket(plain.family, plain.type, plain.proto, fileno=plain.detach())
    timed.settimeout(timeout)
    return timed


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _timed(super()._new_conn())


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class DeadlineAdapter(HTTPAdapter):
    """Connections whose reads obey the running :class:`Clock`. Retries nothing: what is safe is ours to judge."""

    def __init__(self, *, connections: int) -> None:
        super().__init__(pool_connections=16, pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        context = create_urllib3_context()
        context.sslsocket_class = _TimedTlsSocket
        super().init_poolmanager(*args, ssl_context=context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": HTTPSConnectionPool}
