"""The web edge as it is run: gunicorn with our settings, a real Redis, real sockets and signals."""

import hashlib
import hmac
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sessions.embedded import EmbeddedRedis

SECRET = "canary-app-secret"
COMMAND = [sys.executable, "-m", "gunicorn", "-c", "python:bot.edge.gunicorn_settings"]
PATIENCE = 0.3
"""Seconds within which the edge must say that its store is gone."""


class Web:
    """One running web process with two workers, and its own Redis."""

    def __init__(self, folder: Path) -> None:
        self.redis = EmbeddedRedis(folder / "data", fsync="no")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        channel = {
            "PLATFORM": "whatsapp", "PHONE_NUMBER_ID": "1065", "ACCESS_TOKEN": "canary-access-token",
            "APP_SECRET": SECRET, "VERIFY_TOKEN": "canary-verify-token",
        }  # fmt: skip
        self.environment = {
            **os.environ,
            "FRONTDESK__REDIS__URL": self.redis.start(),
            "FRONTDESK__REDIS__ALLOW_VOLATILE": "true",
            "FRONTDESK__SERVER__PORT": str(self.port),
            "FRONTDESK__SERVER__DATA_DIR": str(folder / "data"),
            "FRONTDESK__SERVER__WORKERS": "2",
            "FRONTDESK__LOG__LEVEL": "debug",
            **{f"FRONTDESK__CHANNELS__SHOP__{name}": value for name, value in channel.items()},
        }
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(COMMAND, env=self.environment, stderr=log)
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.ask("GET", "/readyz")[0] == 200:
                    return
            except OSError:
                time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        *,
        timeout: float = 10,
    ) -> tuple[int, bytes, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()

    def send(self, message_id: str, *, timeout: float = 10) -> int:
        body = webhook(message_id)
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": f"sha256={signature}"}
        return self.ask("POST", "/webhooks/shop", body, headers, timeout=timeout)[0]

    def metric(self, line: str) -> float:
        text = self.ask("GET", "/metrics")[1].decode()
        found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.redis.stop()


def webhook(message_id: str) -> bytes:
    message = {
        "from": "8613800000000", "id": message_id, "timestamp": str(int(time.time())), "type": "text",
        "text": {"body": "canary-customer-words"},
    }  # fmt: skip
    value = {
        "messaging_product": "whatsapp", "metadata": {"phone_number_id": "1065"},
        "contacts": [{"wa_id": "8613800000000"}], "messages": [message],
    }  # fmt: skip
    change = {"field": "messages", "value": value}
    return json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}).encode()


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    web = Web(tmp_path_factory.mktemp("web"))
    yield web
    web.close()


@pytest.fixture
def own_web(tmp_path: Path) -> Iterator[Web]:
    """A process of one test's own, to be harmed."""
    web = Web(tmp_path)
    yield web
    web.close()


def test_many_deliveries_at_once_over_two_workers_are_each_kept_once(web: Web) -> None:
    before = web.metric('frontdesk_webhooks_total{channel="shop",result="accepted"}')
    with ThreadPoolExecutor(16) as senders:
        statuses = list(senders.map(web.send, [f"wamid.{number % 50}" for number in range(150)]))

    assert statuses == [200] * 150
    assert web.metric('frontdesk_webhooks_total{channel="shop",result="accepted"}') == before + 50
    assert web.metric('frontdesk_webhooks_total{channel="shop",result="duplicate"}') >= 100
    assert web.metric('frontdesk_inbox_depth{place="ready"}') == 1


def test_the_url_check_is_answered_through_the_server(web: Web) -> None:
    query = "hub.mode=subscribe&hub.verify_token=canary-verify-token&hub.challenge=1158201444"

    assert web.ask("GET", f"/webhooks/shop?{query}")[:2] == (200, b"1158201444")


def test_no_answer_names_the_server_and_each_is_protected(web: Web) -> None:
    for method, path in (("GET", "/"), ("GET", "/healthz"), ("GET", "/nowhere"), ("POST", "/webhooks/shop")):
        _, _, headers = web.ask(method, path)
        assert "server" not in headers
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["x-content-type-options"] == "nosniff"


def raw(web: Web, request: bytes) -> bytes:
    """The first bytes that come back for *request*, byte for byte as given."""
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as connection:
        connection.sendall(request)
        return connection.recv(4096)


def test_a_chunked_body_over_the_limit_is_413(web: Web) -> None:
    head = b"POST /webhooks/shop HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"

    assert raw(web, head + chunk * 4 + b"0\r\n\r\n").startswith(b"HTTP/1.1 413")


def test_a_declared_length_over_the_limit_is_413_before_the_body_comes(web: Web) -> None:
    head = b"POST /webhooks/shop HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n"

    assert raw(web, head).startswith(b"HTTP/1.1 413")


SMUGGLED = {
    "two lengths": b"Content-Length: 1\r\nContent-Length: 2\r\n",
    "length and chunked": b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
    "a negative length": b"Content-Length: -1\r\n",
    "a signed length": b"Content-Length: +1\r\n",
    "an endless length": b"Content-Length: " + b"9" * 5000 + b"\r\n",
    "an unknown coding": b"Transfer-Encoding: xchunked\r\n",
    "a folded header": b"X-A: 1\r\n 2\r\n",
    "too many headers": b"".join(b"X-%d: 1\r\n" % number for number in range(200)),
    "an endless header": b"X-A: " + b"a" * 20000 + b"\r\n",
}


@pytest.mark.parametrize("case", SMUGGLED)
def test_an_ambiguous_or_excessive_head_is_refused(case: str, web: Web) -> None:
    answer = raw(web, b"POST /webhooks/shop HTTP/1.1\r\nHost: x\r\n" + SMUGGLED[case] + b"\r\n0")

    assert re.match(rb"HTTP/1\.1 (400|413|431|501)", answer)


def test_requests_that_are_never_finished_do_not_hold_their_threads(own_web: Web) -> None:
    head = b"POST /webhooks/shop HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"
    stuck = [socket.create_connection(("127.0.0.1", own_web.port)) for _ in range(48)]  # two workers of 16 threads
    for number, each in enumerate(stuck):
        each.sendall(head + (b"\r\nhalf" if number % 2 else b""))

    try:
        assert own_web.send("wamid.waited", timeout=30) == 200
    finally:
        for each in stuck:
            each.close()
    assert "Traceback" not in own_web.log.read_text()


def test_the_log_is_json_lines_without_queries_words_or_secrets(web: Web) -> None:
    web.send("wamid.logged")
    web.ask("GET", "/webhooks/shop?hub.verify_token=canary-guess")
    raw(web, b"GET /x?canary-query HTTP/9.9\r\n\r\n")

    lines = [json.loads(line) for line in web.log.read_text().splitlines()]
    actions = {line["action"] for line in lines}
    assert {"webhook_accepted", "webhook_unverified", "library"} <= actions
    assert "canary" not in web.log.read_text()


def test_a_stop_is_orderly_and_exits_0(own_web: Web) -> None:
    assert own_web.send("wamid.before-the-stop") == 200

    own_web.process.send_signal(signal.SIGTERM)

    assert own_web.process.wait(30) == 0
    assert all(json.loads(line) for line in own_web.log.read_text().splitlines())


def test_a_store_that_is_gone_or_hangs_is_503_in_time_and_comes_back(own_web: Web) -> None:
    assert own_web.send("wamid.warm") == 200
    server = own_web.redis.pid
    assert server is not None
    os.kill(server, signal.SIGSTOP)
    try:
        for path in ("/readyz", "/webhooks/shop"):
            started = time.monotonic()
            status = own_web.ask("GET", path)[0] if path == "/readyz" else own_web.send("wamid.meanwhile")
            assert status == 503
            assert time.monotonic() - started < PATIENCE + 0.3  # of slack for a busy machine
        assert own_web.ask("GET", "/healthz")[0] == 200
    finally:
        os.kill(server, signal.SIGCONT)

    deadline = time.monotonic() + 10
    while own_web.send("wamid.meanwhile") != 200:
        assert time.monotonic() < deadline
    assert own_web.metric('frontdesk_inbox_depth{place="ready"}') == 1
