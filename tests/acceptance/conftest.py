"""Frontdesk as an operator runs it: real processes, real signals, the platforms and the model played beside it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from bot.sandbox import example
from bot.sandbox.dingtalk import DingTalkPlatform
from bot.sandbox.feishu import FeishuPlatform
from bot.sandbox.model import ScriptedModelServer
from bot.sandbox.simulator import platform as simulator
from bot.sandbox.simulator.journal import Grown
from bot.sandbox.telegram import TelegramPlatform
from bot.sandbox.wecom import WeComAiBotPlatform, WeComKfPlatform, WeComPlatform
from bot.sandbox.whatsapp import WhatsAppPlatform

Platform = simulator.Platform[Any]
Tables = dict[str, dict[str, Any]]
Kind = TypeVar("Kind")

KINDS: Mapping[str, type[Platform]] = {
    "wa": WhatsAppPlatform,
    "corp": WeComPlatform,
    "aibot": WeComAiBotPlatform,
    "kf": WeComKfPlatform,
    "ding": DingTalkPlatform,
    "feishu": FeishuPlatform,
    "telegram": TelegramPlatform,
}
"""Every channel of the town, and who plays its platform."""
NAMES = tuple(KINDS)
SOON = timedelta(seconds=20)
LATER = timedelta(seconds=60)
"""Where a lease has to end before somebody else goes on."""


@dataclass
class Town:
    """One Frontdesk under test, and everyone it talks to. *names* are the channels that it serves; *more* is added
    to its tables, those of a channel by the channel's name."""

    folder: Path
    model: ScriptedModelServer
    platforms: dict[str, Platform]
    port: int
    names: tuple[str, ...] = NAMES
    process: subprocess.Popen[bytes] | None = None
    ttl: int = 3600
    tools: dict[str, str] = field(default_factory=dict)
    faq: str = ""
    more: Tables = field(default_factory=dict)
    started: list[int] = field(default_factory=list)

    @property
    def whatsapp(self) -> WhatsAppPlatform:
        return self._played(WhatsAppPlatform)

    @property
    def wecom(self) -> WeComPlatform:
        return self._played(WeComPlatform)

    @property
    def aibot(self) -> WeComAiBotPlatform:
        return self._played(WeComAiBotPlatform)

    @property
    def kf(self) -> WeComKfPlatform:
        return self._played(WeComKfPlatform)

    @property
    def dingtalk(self) -> DingTalkPlatform:
        return self._played(DingTalkPlatform)

    @property
    def feishu(self) -> FeishuPlatform:
        return self._played(FeishuPlatform)

    @property
    def telegram(self) -> TelegramPlatform:
        return self._played(TelegramPlatform)

    def _played(self, kind: type[Kind]) -> Kind:
        return next(each for each in self.platforms.values() if isinstance(each, kind))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def configure(self, port: int | None = None) -> Path:
        """Writes this town's configuration, and tells the platforms where the webhooks are. *port*: that of a
        second web process, which no platform is told of."""
        config = self.folder / ("frontdesk.toml" if port is None else f"frontdesk-{port}.toml")
        if self.faq:
            (self.folder / "faq.csv").write_text(self.faq, "utf-8")
        written = example.toml_of(self._tables(port or self.port))
        tools = "\n".join(f"[tools.{name}]\n{table}" for name, table in self.tools.items())
        config.write_text(f"{written}\n{tools}", "utf-8")
        if port is None:
            for name, platform in self.platforms.items():
                platform.webhook_url = f"{self.url}/webhooks/{name}"
        return config

    def _tables(self, port: int) -> dict[str, Tables]:
        assistant: dict[str, Any] = {"company_name": "Test Shop", "tools": list(self.tools)}
        if self.faq:
            assistant["faq"] = str(self.folder / "faq.csv")
        own: Tables = {
            "server": {"port": port, "data_dir": f"{self.folder}/var"},
            "sessions": {"ttl": self.ttl},
            "model": {"replicas": [self.model.url], "deadline": 20},
            "worker": {},
            "assistant": assistant,
        }
        merged = {name: {**table, **self.more.get(name, {})} for name, table in own.items()}
        return {
            **{name: {"": merged[name]} for name in own if name != "assistant"},
            "assistants": {"default": merged["assistant"]},
            "channels": {name: {**self._channel(name), **self.more.get(name, {})} for name in self.names},
        }

    def _channel(self, name: str) -> dict[str, Any]:
        """As a newcomer has it, but for the address."""
        platform = self.platforms[name]
        table: dict[str, Any] = example.config("")["channels"][platform.name]
        return {**table, **{key: platform.url for key in ("api_base", "oapi_base") if key in table}}

    def start(self) -> None:
        """`frontdesk run` with this town's configuration; returns when it is ready for webhooks."""
        self.process = self.launch("run", self.configure())
        self.started.append(self.process.pid)
        self.wait_until_ready()

    def launch(self, command: str, config: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """A process of its own group, which the caller ends."""
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "bot.cli", "--config", str(config), command],
                stdout=log,
                stderr=log,
                env={**environment(), **(env or {})},
                start_new_session=True,
            )

    def wait_until_ready(self, limit: float = 60) -> None:
        end = time.monotonic() + limit
        while time.monotonic() < end and (self.process is None or self.process.poll() is None):
            if answers(self.url):
                return
            time.sleep(0.1)
        raise AssertionError(f"not ready after {limit} s:\n{self.log()[-4000:]}")

    def wait_for_log(self, action: str, limit: float = 10) -> None:
        until(lambda: f'"action": "{action}"' in self.log(), limit, lambda: f"no {action}:\n{self.log()[-4000:]}")

    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8")

    @property
    def processes(self) -> list[psutil.Process]:
        assert self.process is not None
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def find(self, word: str) -> list[psutil.Process]:
        """The processes of one kind: `worker`, `connect`, `web` (gunicorn and its own workers) or `redis`."""
        signs = {
            "worker": r" worker$",
            "connect": r" connect$",
            "web": r"-m gunicorn ",
            "redis": r"(redis|valkey)-server\b",
        }
        return [each for each in self.processes if re.search(signs[word], _command(each))]

    def web_workers(self) -> list[psutil.Process]:
        """Gunicorn's own."""
        servers = {each.pid for each in self.find("web")}
        return [each for each in self.find("web") if each.ppid() in servers]

    def kill(self, *kinds: str) -> None:
        """SIGKILL for every process of the *kinds*; for all if none is named."""
        doomed = [each for kind in kinds for each in self.find(kind)] if kinds else self.processes
        assert doomed, f"no process of kind {kinds}: {[each.cmdline() for each in self.processes]}"
        for each in doomed:
            with_suppressed_kill(each)
        if not kinds and self.process is not None:
            self.process.wait(timeout=10)

    def frontdesk(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Another command on the same configuration."""
        command = [sys.executable, "-m", "bot.cli", "--config", str(self.folder / "frontdesk.toml"), *words]
        return subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=60, check=False)

    def stop(self) -> int:
        """SIGTERM, as an operator's service manager sends it; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=45)


def with_suppressed_kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()


def _command(process: psutil.Process) -> str:
    """What it was started with; a zombie has nothing to say."""
    try:
        return " ".join(process.cmdline()).rstrip()
    except psutil.NoSuchProcess:
        return ""


def environment() -> dict[str, str]:
    """This process's environment without any configuration of Frontdesk."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FRONTDESK")}
    return {**kept, "PYTHONUNBUFFERED": "1"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    """Whether the web process at *url* is ready for webhooks."""
    with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
        urllib.request.urlopen(f"{url}/readyz", timeout=2).close()  # noqa: S310 - ours
        return True
    return False


def until(holds: Callable[[], object], limit: float = 40, why: Callable[[], object] = str) -> None:
    """Waits; *why* tells what is there instead."""
    end = time.monotonic() + limit
    while not holds():
        assert time.monotonic() < end, why()
        time.sleep(0.02)


def customer(name: str, number: int) -> str:
    """A customer of the channel *name* who is nobody else's."""
    shapes = {"wa": "4477009{:05d}", "telegram": "52000{:05d}", "feishu": "ou_guest{:05d}", "kf": "wmGuest{:05d}"}
    return shapes.get(name, "member{:05d}").format(number)


def grown(platform: Platform, platform_id: str | None = None) -> list[Grown]:
    """What stood there of the answers that grow, step by step."""
    told = [entry for _, entry in platform.journal.after(0) if isinstance(entry, Grown)]
    return [entry for entry in told if platform_id in (None, entry.platform_id)]


@contextmanager
def built(folder: Path, names: tuple[str, ...] = NAMES) -> Iterator[Town]:
    """A town whose Frontdesk is not started yet; whatever runs of it at the end is killed."""
    with ExitStack() as opened:
        model = opened.enter_context(ScriptedModelServer())
        platforms = {name: opened.enter_context(KINDS[name]()) for name in names}
        town = Town(folder, model, platforms, free_port(), names)
        try:
            yield town
        finally:
            if town.process is not None and town.process.poll() is None:
                town.kill()


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A town whose Frontdesk is not started yet."""
    with built(tmp_path) as found:
        yield found
