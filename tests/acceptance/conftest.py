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
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from bot.sandbox.dingtalk import DingTalkPlatform
from bot.sandbox.model import ScriptedModelServer
from bot.sandbox.wecom import WeComPlatform
from bot.sandbox.whatsapp import WhatsAppPlatform

CONFIG = """
[server]
port = {port}
data_dir = "{folder}/var"

[sessions]
ttl = {ttl}

[model]
replicas = ["{model}"]
deadline = 20

[assistants.default]
company_name = "Test Shop"
{faq}
tools = [{tool_names}]
{tools}
[channels.wa]
platform = "whatsapp"
phone_number_id = "{wa.phone_number_id}"
access_token = "{wa.access_token}"
app_secret = "{wa.app_secret}"
verify_token = "{wa.verify_token}"
api_base = "{wa.url}"

[channels.corp]
platform = "wecom"
corp_id = "{corp.corp_id}"
agent_id = {corp.agent_id}
secret = "{corp.secret}"
token = "{corp.token}"
encoding_aes_key = "{corp.encoding_aes_key}"
api_base = "{corp.url}"

[channels.ding]
platform = "dingtalk"
client_id = "{ding.client_id}"
client_secret = "{ding.client_secret}"
robot_code = "{ding.robot_code}"
corp_id = "{ding.corp_id}"
api_base = "{ding.url}"
oapi_base = "{ding.url}"
"""

Platform = WhatsAppPlatform | WeComPlatform | DingTalkPlatform


@dataclass
class Town:
    """One Frontdesk under test, and everyone it talks to."""

    folder: Path
    model: ScriptedModelServer
    whatsapp: WhatsAppPlatform
    wecom: WeComPlatform
    dingtalk: DingTalkPlatform
    port: int
    process: subprocess.Popen[bytes] | None = None
    ttl: int = 3600
    tools: dict[str, str] = field(default_factory=dict)
    faq: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    started: list[int] = field(default_factory=list)

    @property
    def platforms(self) -> dict[str, Platform]:
        return {"wa": self.whatsapp, "corp": self.wecom, "ding": self.dingtalk}

    def configure(self) -> Path:
        """Writes this town's configuration, and tells the platforms where the webhooks are."""
        config = self.folder / "frontdesk.toml"
        if self.faq:
            (self.folder / "faq.csv").write_text(self.faq, "utf-8")
        config.write_text(
            CONFIG.format(
                port=self.port,
                folder=self.folder,
                ttl=self.ttl,
                faq='faq = "faq.csv"' if self.faq else "",
                tool_names=", ".join(f'"{name}"' for name in self.tools),
                tools="\n".join(f"[tools.{name}]\n{table}" for name, table in self.tools.items()),
                model=self.model.url,
                wa=self.whatsapp,
                corp=self.wecom,
                ding=self.dingtalk,
            )
        )
        for name, platform in self.platforms.items():
            platform.webhook_url = f"http://127.0.0.1:{self.port}/webhooks/{name}"
        return config

    def start(self) -> None:
        """`frontdesk run` with this town's configuration; returns when it is ready for webhooks."""
        config = self.configure()
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bot.cli", "--config", str(config), "run"],
                stdout=log,
                stderr=log,
                env={**environment(), **self.variables},
            )
        self.started.append(self.process.pid)
        self.wait_until_ready()

    def wait_until_ready(self, limit: float = 60) -> None:
        end = time.monotonic() + limit
        while time.monotonic() < end and self.process is not None and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.1)
        raise AssertionError(f"not ready after {limit} s:\n{self.log()[-4000:]}")

    def wait_for_log(self, action: str, limit: float = 10) -> None:
        end = time.monotonic() + limit
        while f'"action": "{action}"' not in self.log():
            assert time.monotonic() < end, f"no {action} within {limit} s:\n{self.log()[-4000:]}"
            time.sleep(0.05)

    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8")

    @property
    def processes(self) -> list[psutil.Process]:
        assert self.process is not None
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def find(self, word: str) -> list[psutil.Process]:
        """The processes of one kind: `worker`, `web` (gunicorn and its own workers) or `redis`."""
        signs = {"worker": r" worker$", "web": r"-m gunicorn ", "redis": r"(redis|valkey)-server\b"}
        return [each for each in self.processes if re.search(signs[word], " ".join(each.cmdline()).rstrip())]

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
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


def environment() -> dict[str, str]:
    """This process's environment without any configuration of Frontdesk."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FRONTDESK")}
    return {**kept, "PYTHONUNBUFFERED": "1"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A town whose Frontdesk is not started yet."""
    with (
        ScriptedModelServer() as model,
        WhatsAppPlatform() as whatsapp,
        WeComPlatform() as wecom,
        DingTalkPlatform() as dingtalk,
    ):
        built = Town(tmp_path, model, whatsapp, wecom, dingtalk, free_port())
        try:
            yield built
        finally:
            if built.process is not None and built.process.poll() is None:
                built.kill()
