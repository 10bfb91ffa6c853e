"""`frontdesk run` as a newcomer starts it: no configuration, real processes, real signals."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import requests

from bot.cli.exits import CONFIG, INTERRUPTED, OK, UNAVAILABLE
from bot.cli.port import any_free
from sessions.embedded import EmbeddedRedis

pytestmark = pytest.mark.acceptance


class Shop:
    """`frontdesk run` without a configuration, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = any_free(0)
        self.process: subprocess.Popen[bytes] | None = None
        self._seen: set[psutil.Process] = set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def screen(self) -> str:
        return (self.folder / "screen").read_text()

    def start(self, **settings: str) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("FRONTDESK")}
        with (self.folder / "screen").open("wb") as screen, (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bot.cli", "run"],
                cwd=self.folder,
                stdout=screen,
                stderr=log,
                env={**clean, "FRONTDESK__SERVER__PORT": str(self.port), **settings},
                start_new_session=True,
            )

    def open(self) -> None:
        self.start()
        self.eventually(lambda: "is open" in self.screen, "the start screen did not come")
        assert len(self.children()) >= 4  # redis, sandbox, worker, web

    def children(self) -> list[psutil.Process]:
        assert self.process is not None
        found = psutil.Process(self.process.pid).children(recursive=True)
        self._seen.update(found)
        return found

    def child(self, word: str) -> psutil.Process:
        """The direct child whose command line has *word*."""
        assert self.process is not None
        direct = psutil.Process(self.process.pid).children()
        return next(child for child in direct if word in _words(child))

    def healthy(self) -> bool:
        try:
            return requests.get(f"{self.address}/readyz", timeout=1).status_code == 200
        except requests.RequestException:
            return False

    def eventually(self, holds: Callable[[], bool], otherwise: str, within: float = 30) -> None:
        end = time.monotonic() + within
        while not holds():
            assert time.monotonic() < end, f"{otherwise}\n{(self.folder / 'log').read_text()}"
            time.sleep(0.05)

    def nobody_left(self) -> bool:
        return not any(_alive(process) for process in self._seen)

    def clear(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(40)
        for process in filter(_alive, self._seen):
            process.kill()


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _words(process: psutil.Process) -> str:
    """Its command line; empty when it is gone."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    shop.clear()


def test_a_newcomer_is_told_where_to_go_and_what_answers(shop: Shop) -> None:
    shop.open()
    assert f"{shop.address}/sandbox/" in shop.screen
    for channel in ("whatsapp", "wecom", "dingtalk"):
        assert f"{shop.address}/webhooks/{channel}" in shop.screen
    assert "no model configured: answers come from the FAQ alone" in shop.screen
    page = requests.get(f"{shop.address}/sandbox/", timeout=5)
    assert page.status_code == 200
    assert "<html" in page.text


def test_a_newcomers_first_message_is_answered(shop: Shop) -> None:
    shop.open()
    platform = f"{shop.address}/sandbox/_sim/whatsapp"
    delivery = requests.post(f"{platform}/say", json={"text": "What are your opening hours?"}, timeout=10)
    assert delivery.json()["status"] == 200

    def answered() -> bool:
        return len(requests.get(f"{platform}/replies", timeout=5).json()) == 1

    shop.eventually(answered, "no reply came")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_everything_and_exits_0(shop: Shop, number: signal.Signals) -> None:
    shop.open()
    assert shop.process is not None
    shop.process.send_signal(number)
    assert shop.process.wait(30) == OK
    assert shop.nobody_left()


def test_ctrl_c_in_a_terminal_reaches_only_the_supervisor_which_stops_redis_last(shop: Shop) -> None:
    shop.open()
    assert shop.process is not None
    os.killpg(shop.process.pid, signal.SIGINT)
    assert shop.process.wait(30) == OK
    lines = [json.loads(line) for line in (shop.folder / "log").read_text().splitlines()]
    stopped = [line["service"] for line in lines if line["action"] == "service_stopped"]
    assert stopped == ["web", "worker", "sandbox", "redis"]
    assert not any(line["action"] in ("service_died", "store_down") for line in lines)


def test_a_killed_supervisor_leaves_nobody_and_the_next_run_starts_on_its_data(shop: Shop) -> None:
    shop.open()
    assert shop.process is not None
    shop.children()
    shop.process.kill()
    shop.process.wait()
    shop.eventually(shop.nobody_left, "a process was left behind", within=15)
    shop.open()
    assert shop.healthy()


def test_a_killed_redis_is_back_on_the_same_socket_with_its_data(shop: Shop) -> None:
    import redis

    shop.open()
    url = EmbeddedRedis(shop.folder / "var").url
    with redis.Redis.from_url(url) as client:
        client.set("witness", "here")
    server = shop.child(".sock")
    server.kill()
    shop.eventually(lambda: not _alive(server), "it did not die")
    shop.eventually(shop.healthy, "redis did not come back")
    with redis.Redis.from_url(url) as client:
        assert client.get("witness") == b"here"


@pytest.mark.parametrize("name", ["web", "worker", "sandbox"])
def test_a_killed_child_is_started_again(shop: Shop, name: str) -> None:
    shop.open()
    word = "gunicorn" if name == "web" else f"bot.cli {name}"
    before = shop.child(word)
    before.kill()

    def again() -> bool:
        return not _alive(before) and any(word in _words(child) for child in shop.children())

    shop.eventually(again, f"{name} did not come back")
    shop.eventually(shop.healthy, "not healthy again")


def test_a_second_run_on_the_same_data_is_refused(shop: Shop, tmp_path: Path) -> None:
    shop.open()
    second = Shop(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "bot.cli", "run"],
        cwd=tmp_path,
        env={**os.environ, "FRONTDESK__SERVER__PORT": str(second.port)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == UNAVAILABLE
    assert "server.data_dir" in done.stderr
    assert "Traceback" not in done.stderr
    assert shop.healthy()


def test_a_broken_question_table_ends_the_run_with_its_problems(shop: Shop) -> None:
    (shop.folder / "faq.csv").write_text("frage,antwort\na,b\n")
    shop.start(FRONTDESK__ASSISTANTS__DEFAULT__FAQ=str(shop.folder / "faq.csv"))
    assert shop.process is not None
    assert shop.process.wait(30) == CONFIG
    assert "configuration: assistants.default.faq" in (shop.folder / "log").read_text()


def test_a_second_signal_ends_everything_at_once(shop: Shop) -> None:
    shop.open()
    assert shop.process is not None
    worker = shop.child("bot.cli worker")
    worker.suspend()  # it cannot even hear SIGTERM
    shop.process.terminate()
    time.sleep(1)
    begun = time.monotonic()
    shop.process.terminate()
    assert shop.process.wait(10) == INTERRUPTED
    assert time.monotonic() - begun < 8
    assert shop.nobody_left()
