"""A Redis that may lose messages is refused, also when it comes up only after the process did."""

import subprocess
import sys
from pathlib import Path

from bot.cli.exits import CONFIG
from sessions.embedded import find_server

PROCESS = """
import sys, time
from datetime import timedelta
from bot.store_check import trust
from sessions.store import RedisStore

trust(RedisStore.open(sys.argv[1], patience=timedelta(seconds=1), connections=2), allow_volatile=False)
print("started", flush=True)
time.sleep(20)
"""


def test_an_unsafe_redis_that_comes_up_late_ends_the_process(tmp_path: Path) -> None:
    socket = tmp_path / "late.sock"
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS, f"unix://{socket}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    volatile = subprocess.Popen(
        [str(find_server()), "--port", "0", "--unixsocket", str(socket), "--appendonly", "no", "--save", ""],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    try:
        _, log = process.communicate(timeout=15)
    finally:
        process.kill()
        volatile.kill()
        volatile.wait()
    assert process.returncode == CONFIG
    assert "redis_unsafe" in log
