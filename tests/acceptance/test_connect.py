"""A long connection with real processes: held by one, answered through it, and let go of in time."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from bot.sandbox.model import ScriptedModelServer
from tests.acceptance.conftest import environment, free_port
from tests.adapters.aibot_kit import BOT, inner
from tests.adapters.aibot_socket import SECRET, Platform

pytestmark = pytest.mark.acceptance
CONFIG = """
[server]
port = {port}
data_dir = "{folder}/var"

[model]
replicas = ["{model}"]

[assistants.default]
company_name = "Test Shop"

[channels.shop]
platform = "wecom-aibot"
mode = "websocket"
bot_id = "{bot}"
secret = "{secret}"
ws_url = "{url}"
"""


class House:
    """`frontdesk run` with one channel that has a long connection."""

    def __init__(self, folder: Path, model: ScriptedModelServer, platform: Platform) -> None:
        self.folder = folder
        self.platform = platform
        self.config = folder / "frontdesk.toml"
        self.config.write_text(
            CONFIG.format(
                port=free_port(), folder=folder, model=model.url, bot=BOT, secret=SECRET, url=platform.url
            )
        )
        self.process = self.start("run")

    def start(self, command: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "bot.cli", "--config", str(self.config), command],
                stdout=log,
                stderr=log,
                env=environment(),
            )

    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8")

    def holder(self) -> psutil.Process:
        """The child that holds the connection."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        (found,) = [each for each in children if each.cmdline()[-1:] == ["connect"]]
        return found

    def answered(self, count: int) -> Callable[[], bool]:
        """Whether so many answers were finished."""
        return lambda: len([stream for stream in self.platform.streams() if stream["finish"]]) >= count

    def close(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            for each in psutil.Process(self.process.pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
        self.process.kill()
        self.process.wait(10)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with ScriptedModelServer() as model, Platform() as platform:
        model.reply = "We open at nine."
        built = House(tmp_path, model, platform)
        try:
            platform.until(lambda: platform.subscribed_at, seconds=40)
            yield built
        finally:
            built.close()


def test_a_message_over_the_connection_is_answered_over_it_and_all_ends_in_time(house: House) -> None:
    house.platform.call(inner(text={"content": "When do you open?"}, message_id="M1"), req_id="R-1")
    house.platform.until(house.answered(1), seconds=20)
    assert house.platform.streams()[-1]["content"] == "We open at nine."
    assert len(house.platform.subscribed_at) == 1
    house.process.send_signal(signal.SIGTERM)
    assert house.process.wait(30) == 0
    assert '"action": "connector_stopped"' in house.log()
    assert "When do you open" not in house.log()
    assert SECRET not in house.log()


def test_a_holder_that_is_killed_is_replaced_and_customers_are_answered_again(house: House) -> None:
    house.holder().kill()
    house.platform.until(lambda: len(house.platform.subscribed_at) == 2, seconds=40)
    house.platform.call(inner(text={"content": "When do you open?"}, message_id="M2"), req_id="R-2")
    house.platform.until(house.answered(1), seconds=30)


def test_a_second_process_stands_by_and_leaves_the_first_ones_connection_alone(house: House) -> None:
    second = house.start("connect")
    try:
        end = time.monotonic() + 30
        while '"action": "connection_standing_by"' not in house.log() and time.monotonic() < end:
            time.sleep(0.1)
        assert '"action": "connection_standing_by"' in house.log()
        assert len(house.platform.subscribed_at) == 1
        begun = time.monotonic()
        second.send_signal(signal.SIGTERM)
        assert second.wait(15) == 0
        assert time.monotonic() - begun < 10
    finally:
        second.kill()
        second.wait(5)
