"""The bot's own web server forwards the sandbox, live events included."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from bot.sandbox import mount
from bot.sandbox.server import Sandbox
from tests.fakes import RecordingServer
from tests.sandbox.bots import recording_bot


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002
        """The tests read what was answered."""


@contextmanager
def web(upstream: str) -> Iterator[str]:
    app = Flask("web", static_folder=None)
    app.register_blueprint(mount.blueprint(upstream))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def bot() -> Iterator[RecordingServer]:
    with recording_bot() as server:
        yield server


@pytest.fixture
def site(bot: RecordingServer) -> Iterator[str]:
    with Sandbox(bot.url) as sandbox, web(sandbox.url) as url:
        yield url


def test_the_page_comes_through_with_its_policy(site: str) -> None:
    answer = requests.get(f"{site}/sandbox", timeout=10)

    assert answer.url == f"{site}/sandbox/"
    assert "Frontdesk" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    style = requests.get(f"{site}/sandbox/phone.css", timeout=10)
    assert style.headers["content-type"] == "text/css; charset=utf-8"


def test_a_message_goes_through_to_the_bot(site: str, bot: RecordingServer) -> None:
    answer = requests.post(f"{site}/sandbox/_sim/wecom/say", json={"text": "发货了吗"}, timeout=10)

    assert answer.json()["status"] == 200
    assert bot.calls[0].path == "/webhooks/wecom"


def test_refusals_come_through_as_they_are(site: str) -> None:
    assert requests.get(f"{site}/sandbox/nothing", timeout=10).status_code == 404
    assert requests.post(f"{site}/sandbox/_sim/wecom/say", data="{}", timeout=10).status_code == 400


def test_live_events_arrive_while_the_stream_is_open(site: str) -> None:
    url = f"{site}/sandbox/_sim/whatsapp/events"
    with requests.get(url, stream=True, timeout=10) as stream:
        lines = stream.iter_lines(chunk_size=1, decode_unicode=True)
        assert next(line for line in lines if line.startswith("event: ")) == "event: reset"
        requests.post(f"{site}/sandbox/_sim/whatsapp/say", json={"text": "Hi"}, timeout=10)
        assert next(line for line in lines if line.startswith("event: ")) == "event: said"
        told = json.loads(next(lines).removeprefix("data: "))

    assert told["text"] == "Hi"
    assert stream.headers["content-type"] == "text/event-stream"


def test_nothing_beside_the_sandbox_is_forwarded(site: str) -> None:
    for path in ("/whatsapp/v26.0/1", "/_sim/", "/sandbox/../whatsapp/v26.0/1"):
        prepared = requests.Request("GET", site).prepare()
        prepared.url = f"{site}{path}"
        with requests.Session() as session:
            assert session.send(prepared, timeout=10).status_code == 404


def test_a_sandbox_that_is_away_is_a_502() -> None:
    with web("http://127.0.0.1:9") as url:
        assert requests.get(f"{url}/sandbox/", timeout=10).status_code == 502


def test_the_stream_ends_quietly_when_the_sandbox_stops(bot: RecordingServer) -> None:
    with (
        Sandbox(bot.url) as sandbox,
        web(sandbox.url) as url,
        requests.get(f"{url}/sandbox/_sim/whatsapp/events", stream=True, timeout=10) as stream,
    ):
        lines = stream.iter_lines(chunk_size=1)
        assert next(lines) == b"retry: 300"
        sandbox.stop()
        assert b"event: said" not in list(lines)
