"""A TCP way to a Redis on a unix socket, with one checkpoint: at a chosen command, before it runs, or after it ran
and before its answer is heard, something happens to a process."""

import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from sessions.scripts import ACCEPT_PAGE, CLAIM, COMMIT, POSTPONE, RECORD, SETTLE, Script


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The first command that *command* is found in; *ran*: it runs, and its answer is held back."""

    name: str
    command: re.Pattern[bytes]
    ran: bool

    @property
    def needs_a_refusal(self) -> bool:
        """A turn whose send succeeds at once never gets there."""
        return self.name.startswith(("record", "postpone"))


def point(name: str, script: Script, *, ran: bool, state: str = "") -> Point:
    mark = rf'.*"state":"{state}"' if state else ""
    return Point(
        name=f"{name} {'ran' if ran else 'about to run'}",
        command=re.compile(script.sha.encode() + mark.encode(), re.DOTALL),
        ran=ran,
    )


POINTS = [
    point(name, script, ran=ran, state=state)
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
"""Every change that a turn makes, in order. Between a commit and a settle lies the send."""
PULLING = [point("accept page", ACCEPT_PAGE, ran=ran) for ran in (False, True)]
"""Where a page that was fetched becomes ours, with the cursor behind it."""


class Checkpoint:
    """A context manager. `url` leads through it. At *point*, *act* is called, once; then that connection is *cut*,
    or nothing more passes on it until `release`."""

    def __init__(self, upstream: Path, point: Point | None, act: Callable[[], None], *, cut: bool) -> None:
        self._upstream = upstream
        self._point = point
        self._act = act
        self._cut = cut
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        self._guard = threading.Lock()
        self._found = False
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
            _shut(opened)
            opened.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                redis = socket.socket(socket.AF_UNIX)
                self._open += [client, redis]
                try:
                    redis.connect(str(self._upstream))
                except OSError:  # it is being restarted
                    _shut(client)
                    continue
                held = threading.Event()
                for pump in (self._commands, self._answers):
                    threading.Thread(target=pump, args=(client, redis, held), daemon=True).start()

    def _commands(self, client: socket.socket, redis: socket.socket, held: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 20):
                if self._is_the_point(data):
                    if self._point is not None and self._point.ran:
                        held.set()
                    else:
                        self._pause(client, redis)
                redis.sendall(data)
        _shut(redis)

    def _answers(self, client: socket.socket, redis: socket.socket, held: threading.Event) -> None:
        with suppress(OSError):
            while data := redis.recv(1 << 20):
                if held.is_set():
                    held.clear()
                    self._pause(client, redis)
                client.sendall(data)
        _shut(client)

    def _is_the_point(self, data: bytes) -> bool:
        with self._guard:
            if self._point is None or self._found or not self._point.command.search(data):
                return False
            self._found = True
            return True

    def _pause(self, client: socket.socket, redis: socket.socket) -> None:
        if self._cut:
            _shut(redis)
        self._act()
        self.reached.set()
        if self._cut:
            _shut(client)
        else:
            self._released.wait()


def _shut(opened: socket.socket) -> None:
    with suppress(OSError):
        opened.shutdown(socket.SHUT_RDWR)
