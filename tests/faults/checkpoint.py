"""A TCP way to a Redis on a unix socket, where a process is stopped at a chosen command: before it runs, or after it
ran and before its answer is heard."""

import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The first command that *command* is found in; *ran*: it runs, and its answer is held back."""

    name: str
    command: re.Pattern[bytes]
    ran: bool


class Checkpoint:
    """A context manager. `url` leads through it. At *point*, *stop* is called, and nothing more passes on that
    connection until `release`."""

    def __init__(self, upstream: Path, point: Point | None, stop: Callable[[], None]) -> None:
        self._upstream = upstream
        self._point = point
        self._stop = stop
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        self._guard = threading.Lock()
        self._released = threading.Event()
        self.reached = threading.Event()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}"

    def release(self) -> None:
        self._released.set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        for opened in self._open:
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                redis = socket.socket(socket.AF_UNIX)
                redis.connect(str(self._upstream))
                self._open += [client, redis]
                held = threading.Event()
                for pump in (self._commands, self._answers):
                    threading.Thread(target=pump, args=(client, redis, held), daemon=True).start()

    def _commands(self, client: socket.socket, redis: socket.socket, held: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 20):
                if self._is_the_point(data):
                    self._reach(redis, data, held)
                else:
                    redis.sendall(data)
            redis.shutdown(socket.SHUT_RDWR)

    def _answers(self, client: socket.socket, redis: socket.socket, held: threading.Event) -> None:
        with suppress(OSError):
            while data := redis.recv(1 << 20):
                if held.is_set():
                    self._released.wait()
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)

    def _is_the_point(self, data: bytes) -> bool:
        with self._guard:
            if self._point is None or self.reached.is_set() or not self._point.command.search(data):
                return False
            self.reached.set()
            return True

    def _reach(self, redis: socket.socket, data: bytes, held: threading.Event) -> None:
        self._stop()
        if self._point is not None and self._point.ran:
            held.set()
            redis.sendall(data)
        else:
            self._released.wait()
            redis.sendall(data)
