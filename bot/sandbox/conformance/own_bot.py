"""A bot of our own for the journeys: `frontdesk run` with the operator's channels and a model that we play.

Beside it runs a second worker, so that what processes must share is really shared.
"""

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from bot.sandbox import against
from bot.sandbox.conformance.stage import AT_LENGTH, SLOWLY
from bot.sandbox.example import toml_of
from bot.sandbox.model import ScriptedModelServer
from bot.sandbox.model_parts import words
from bot.sandbox.server import Sandbox
from bot.sandbox.simulator.platform import Platform

ANSWER = "We ship within two working days, and tell you the tracking number by e-mail."
LONG = "我们会在两到四个工作日内发货，请放心。" * 110
READY = 60
LEAVES = 45
"""Seconds."""


class NotReady(Exception):
    """The bot did not come up; the text is the end of its log."""


def answer(body: dict[str, Any]) -> str:
    """The model's answer to a request: slow or long where the customer's words ask for it."""
    asked = words(body["messages"][-1])
    if SLOWLY in asked:
        time.sleep(3)
    return LONG if AT_LENGTH in asked else ANSWER


@contextmanager
def played(
    channels: Mapping[str, Mapping[str, Any]], *, host: str = "127.0.0.1", port: int = 0, code: str = ""
) -> Iterator[Mapping[str, Platform[Any]]]:
    """The platforms of *channels* at *host* and *port*, and a bot of our own before them, as long as the context
    lasts. *code* as in `own_bot`, which this raises :class:`NotReady` of."""
    own = free_port()
    address = f"http://127.0.0.1:{own}"
    platforms = against.platforms(channels, address)
    with (
        tempfile.TemporaryDirectory(prefix="frontdesk-") as folder,
        Sandbox(address, platforms).at(host, port) as sandbox,
        own_bot(against.led_here(channels, sandbox.url, platforms), Path(folder), port=own, code=code),
    ):
        yield platforms


@contextmanager
def own_bot(
    channels: Mapping[str, Mapping[str, Any]], folder: Path, *, port: int, code: str = ""
) -> Iterator[None]:
    """Starts it at *port*, waits until it is ready, stops it. *channels* as in the configuration, addresses too;
    *code*: the folder of the bot's code, if it is another than ours. Raises :class:`NotReady`."""
    with ScriptedModelServer(reply=answer) as model:
        tables = {
            "server": {"": {"port": port, "data_dir": str(folder / "var"), "workers": 2}},
            "model": {"": {"replicas": [model.url], "deadline": 20}},
            "assistants": {"default": {"company_name": "Conformance Shop", "max_reply_chars": 20000}},
            "channels": channels,
        }
        config = folder / "frontdesk.toml"
        config.write_text(toml_of(tables), "utf-8")
        config.chmod(0o600)
        with (folder / "log").open("wb") as log, _started(["run"], config, log, code) as process:
            _wait(process, port, folder / "log")
            with _started(["worker"], config, log, code) as second:
                _wait_for_workers(second, folder / "log")
                yield


@contextmanager
def _started(
    command: Sequence[str], config: Path, log: IO[bytes], code: str
) -> "Iterator[subprocess.Popen[bytes]]":
    """A process of the bot's, stopped in the end."""
    whole = [sys.executable, "-m", "bot.cli", "--config", str(config), *command]
    process = subprocess.Popen(whole, stdout=log, stderr=log, env=_environment(code), cwd=code or None)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=LEAVES)
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _environment(code: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FRONTDESK")}
    return {**kept, "PYTHONPATH": code} if code else kept


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    ends = time.monotonic() + READY
    while time.monotonic() < ends and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except (OSError, http.client.HTTPException):
            time.sleep(0.2)
        finally:
            connection.close()
    raise NotReady(_end(log))


def _wait_for_workers(second: "subprocess.Popen[bytes]", log: Path) -> None:
    """Until both have said so."""
    ends = time.monotonic() + READY
    while log.read_bytes().count(b'"worker_started"') < 2:
        if time.monotonic() > ends or second.poll() is not None:
            raise NotReady(_end(log))
        time.sleep(0.1)


def _end(log: Path) -> str:
    return log.read_text("utf-8", "replace")[-2000:]
