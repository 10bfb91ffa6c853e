"""An answer that grows, with real processes: two web processes, one worker, and one of them killed half-way."""

import contextlib
import http.client
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from adapters.values import Request, Response
from bot.sandbox.model import ScriptedModelServer
from sessions.embedded import EmbeddedRedis
from tests.acceptance.conftest import environment, free_port
from tests.adapters.aibot_kit import BOT, CONSOLE, KEY, TOKEN, inner

pytestmark = pytest.mark.acceptance
ANSWER = "".join(f"Sentence number {number} of the answer is here. " for number in range(40)).strip()
CONFIG = """
[server]
port = {port}
data_dir = "{folder}/var-{port}"

[redis]
url = "{redis}"
allow_volatile = true

[model]
replicas = ["{model}"]

[assistants.default]
company_name = "Test Shop"
max_reply_chars = 5000

[channels.shop]
platform = "wecom-aibot"
bot_id = "{bot}"
token = "{token}"
encoding_aes_key = "{key}"
"""


class Office:
    """Two web processes on ports of their own and a worker, all on one Redis."""

    def __init__(self, folder: Path, model: ScriptedModelServer, redis: str) -> None:
        self.folder = folder
        self.model = model
        self.redis = redis
        self.webs = [self._start("web", free_port()) for _ in range(2)]
        self.ports = [port for port, _ in self.webs]
        self.worker = self._start("worker", free_port())[1]
        for port in self.ports:
            self._wait_for(port)

    def _start(self, kind: str, port: int) -> tuple[int, subprocess.Popen[bytes]]:
        path = self.folder / f"{kind}-{port}.toml"
        path.write_text(
            CONFIG.format(
                port=port,
                folder=self.folder,
                redis=self.redis,
                model=self.model.url,
                bot=BOT,
                token=TOKEN,
                key=KEY,
            )
        )
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "bot.cli", "--config", str(path), kind],
                stdout=log,
                stderr=log,
                env=environment(),
                start_new_session=True,
            )
        return port, process

    def _wait_for(self, port: int) -> None:
        end = time.monotonic() + 40
        while time.monotonic() < end:
            with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2).close()
                return
            time.sleep(0.1)
        raise AssertionError((self.folder / "log").read_text("utf-8")[-4000:])

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """The whole group at once: gunicorn and its workers."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def close(self) -> None:
        for _, process in self.webs:
            self.kill(process)
        self.kill(self.worker)

    def post(self, port: int, body: dict[str, Any]) -> Any:
        """What WeCom reads in the answer of the web process at *port*; it asks again where that is unavailable."""
        sealed: Request = CONSOLE.post(body)
        for _ in range(10):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            with contextlib.closing(connection):
                path = f"{sealed.path}?{urlencode(sealed.query)}"
                connection.request("POST", path, sealed.body, dict(sealed.headers))
                answer = connection.getresponse()
                content = answer.read()
            if answer.status == http.HTTPStatus.OK:
                kind = answer.headers.get("Content-Type", "")
                return CONSOLE.opened(Response(body=content, content_type=kind))
            assert answer.status == http.HTTPStatus.SERVICE_UNAVAILABLE, content
            time.sleep(0.2)
        raise AssertionError("unavailable ten times in a row")

    def say(self, port: int, text: str, message_id: str = "m-1") -> str:
        """The id of the stream that the callback's answer opens."""
        stream_id: str = self.post(port, inner(text={"content": text}, message_id=message_id))["stream"]["id"]
        return stream_id

    def see(self, port: int, stream_id: str) -> dict[str, Any]:
        poll = {
            "msgid": "poll",
            "aibotid": BOT,
            "chattype": "single",
            "from": {"userid": "zhangsan"},
            "msgtype": "stream",
            "stream": {"id": stream_id},
        }
        stream: dict[str, Any] = self.post(port, poll)["stream"]
        return stream


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    redis = EmbeddedRedis(tmp_path / "redis", fsync="no")
    redis.start()
    try:
        with ScriptedModelServer() as model:
            model.reply = ANSWER
            model.token_delay = 0.02
            built = Office(tmp_path, model, redis.url)
            try:
                yield built
            finally:
                built.close()
    finally:
        redis.stop()


def shown(texts: list[str]) -> list[str]:
    """What stood there of the answer itself, poll by poll."""
    return [text for text in texts if text.startswith("Sentence")]


def test_a_web_process_that_is_killed_half_way_costs_nothing_of_the_answer(office: Office) -> None:
    first, second = office.ports
    stream_id = office.say(first, "Tell me everything.")
    seen: list[dict[str, Any]] = []
    end = time.monotonic() + 40
    killed = False
    while time.monotonic() < end and not (seen and seen[-1]["finish"]):
        port = second if killed or len(seen) % 2 else first
        seen.append(office.see(port, stream_id))
        if not killed and len(seen[-1]["content"]) > len(ANSWER) / 3 and not seen[-1]["finish"]:
            office.kill(office.webs[0][1])
            killed = True
        time.sleep(0.1)
    texts = [stream["content"] for stream in seen]
    assert killed, texts
    assert seen[-1]["finish"]
    assert texts[-1] == ANSWER
    growing = shown(texts)
    assert len(set(growing)) > 3, "the answer came at once"
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(growing))
    assert [stream["finish"] for stream in seen].count(True) == 1
    assert office.see(second, stream_id) == seen[-1]
    assert len(office.model.requests) == 1


def test_a_worker_that_is_killed_half_way_is_made_up_for_by_the_next(office: Office) -> None:
    stream_id = office.say(office.ports[0], "Tell me everything.")
    end = time.monotonic() + 20
    while time.monotonic() < end and not shown([office.see(office.ports[1], stream_id)["content"]]):
        time.sleep(0.1)
    office.kill(office.worker)
    office.worker = office._start("worker", free_port())[1]
    end = time.monotonic() + timedelta(seconds=60).total_seconds()
    stream = office.see(office.ports[0], stream_id)
    while time.monotonic() < end and not stream["finish"]:
        time.sleep(0.2)
        stream = office.see(office.ports[1], stream_id)
    assert stream["finish"]
    assert stream["content"] == ANSWER
    assert json.dumps(stream).count("Sentence number 39") == 1
