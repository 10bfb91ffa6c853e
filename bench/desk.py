"""A real Frontdesk under measurement: `frontdesk run` with a configuration, and what its processes cost."""

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.load import NUMBER, SECRET

CONFIG = """
[server]
host = "127.0.0.1"
port = {port}
data_dir = "{data_dir}"

[sessions]
ttl = 3600

[model]
replicas = ["{other}/v1"]
name = "gpt-oss-20b"

[channels.shop]
platform = "whatsapp"
phone_number_id = "{number}"
access_token = "bench-access-token"
app_secret = "{secret}"
verify_token = "bench-verify-token"
api_base = "{other}"
throughput = 1000

[log]
level = "warning"
"""


@dataclass
class Desk:
    """One running instance. Times in seconds, memory in bytes."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def processes(self) -> list[psutil.Process]:
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def named(self, *words: str) -> list[psutil.Process]:
        """The processes whose command line holds all *words*."""
        return [each for each in self.processes if all(word in " ".join(each.cmdline()) for word in words)]

    def cpu_seconds(self) -> float:
        return sum(sum(each.cpu_times()[:2]) for each in self.processes)

    def kill_everything(self) -> None:
        for each in self.processes:
            each.send_signal(signal.SIGKILL)
        self.process.wait()


def free_port() -> int:
    """One below those that Linux gives to outgoing connections, which would take it before the instance does."""
    while True:
        port = random.randrange(20_000, 32_768)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def start(folder: Path, port: int, other: str) -> Desk:
    """Starts an instance on *folder* and waits until it is ready."""
    config = folder / "frontdesk.toml"
    config.write_text(CONFIG.format(port=port, data_dir=folder / "var", other=other, number=NUMBER, secret=SECRET))
    log = (folder / "log").open("ab")
    process = subprocess.Popen(
        [sys.executable, "-m", "bot.cli", "--config", str(config), "run"],
        stdout=log,
        stderr=log,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    desk = Desk(port, folder, process)
    _wait_ready(desk)
    return desk


def _wait_ready(desk: Desk) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if desk.process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{desk.port}/readyz", timeout=2) as response:
                if response.status == 200 and desk.named("worker"):
                    time.sleep(1.0)  # the worker's own start
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise RuntimeError(f"not ready: {(desk.folder / 'log').read_text()[-2000:]}")


def stop(desk: Desk) -> None:
    if desk.process.poll() is None:
        desk.process.send_signal(signal.SIGTERM)
        desk.process.wait(timeout=40)


@contextmanager
def running(other: str) -> Iterator[Desk]:
    with tempfile.TemporaryDirectory(prefix="frontdesk-bench-") as folder:
        desk = start(Path(folder), free_port(), other)
        try:
            yield desk
        finally:
            if desk.process.poll() is None:
                stop(desk)
