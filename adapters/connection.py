"""urllib3's connections with one deadline for the whole exchange, and a note of whether anything left.

Its own time-outs count anew with every `recv`, so that an answer (or its headers) dripping byte by byte would
hold a thread for ever; and its exceptions do not say whether a TLS error came before or after the request.
"""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Any

from urllib3 import PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

LONGEST_IDLE = 10.0
"""Seconds that a kept connection may rest. Servers close idle ones (Alibaba Cloud's load balancer after 15 s by
default); a request that meets that moment would end as MaybeSent without need."""


@dataclass
class Exchange:
    """One call under way. *deadline* is monotonic seconds; *sent*: a byte of the request may have left."""

    deadline: float
    sent: bool = False

    def left(self) -> float:
        """The seconds until the deadline. Raises TimeoutError when it has passed."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the exchange's deadline has passed")
        return left


_CURRENT: ContextVar[Exchange] = ContextVar("exchange")


@contextmanager
def exchange(current: Exchange) -> Iterator[Exchange]:
    """Makes *current* the exchange of every connection that this thread uses inside."""
    token = _CURRENT.set(current)
    try:
        yield current
    finally:
        _CURRENT.reset(token)


class _TimedReader(io.RawIOBase):
    """The bytes of an answer, until the exchange's deadline."""

    def __init__(self, raw: io.RawIOBase, sock: socket) -> None:
        self._raw = raw
        self._sock = sock
        self._exchange = _CURRENT.get()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int | None:
        self._sock.settimeout(self._exchange.left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(HTTPResponse):
    def __init__(self, sock: socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock))


class _TimedConnection(HTTPConnection):
    response_class = _TimedResponse
    _used_at = 0.0

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        current = _CURRENT.get()
        self.sock.settimeout(current.left())
        current.sent = True
        self._used_at = time.monotonic()
        super().send(data)

    @property
    def is_connected(self) -> bool:
        return super().is_connected and time.monotonic() - self._used_at < LONGEST_IDLE


class _TimedTlsConnection(_TimedConnection, HTTPSConnection):
    pass


class _TimedPool(HTTPConnectionPool):
    ConnectionCls = _TimedConnection


class _TimedTlsPool(HTTPSConnectionPool):
    ConnectionCls = _TimedTlsConnection


def timed_pools(connections: int, authorities: Path) -> PoolManager:
    """Up to *connections* a host are kept; every request must run inside :func:`exchange`."""
    pools = PoolManager(num_pools=32, maxsize=connections, ca_certs=str(authorities))
    pools.pool_classes_by_scheme = {"http": _TimedPool, "https": _TimedTlsPool}
    return pools
