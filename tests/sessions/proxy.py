"""A TCP way to a Redis on a unix socket that loses answers: the command ran, and its caller never hears of it."""

import re
import socket
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self


class Proxy:
    """A context manager. `url` leads through it; *sent* is what clients sent (mixed, if several send at once),
    *lost* how many answers were lost."""

    def __init__(self, upstream: Path) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lose = False
        self._rewrites: list[tuple[bytes, bytes]] = []
        self._open: list[socket.socket] = [self._listener]
        self.lost = 0
        self.sent = b""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}"

    def lose_next_answer(self) -> None:
        self._lose = True

    def rewrite(self, pattern: bytes, replacement: bytes) -> None:
        """In answers; both must be of one length, for Redis counts bytes."""
        self._rewrites.append((pattern, replacement))

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
                threading.Thread(target=self._forward_commands, args=(client, redis), daemon=True).start()
                threading.Thread(target=self._forward_answers, args=(redis, client), daemon=True).start()

    def _forward_commands(self, client: socket.socket, redis: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                self.sent += data
                redis.sendall(data)
            redis.shutdown(socket.SHUT_RDWR)

    def _forward_answers(self, redis: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := redis.recv(65536):
                if self._lose:
                    self._lose = False
                    self.lost += 1
                    break
                for pattern, replacement in self._rewrites:
                    data = re.sub(pattern, replacement, data)
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)
