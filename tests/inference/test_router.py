"""One address that is a router: a header keeps a conversation together, and backends may come and go behind it."""

import http.client
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from bot.sandbox.model import ScriptedModelServer
from inference.errors import ModelBusy
from inference.values import Completion
from inference.vllm import VllmModel
from tests.contracts.model import said
from tests.inference.conftest import Connect


class Router(ThreadingHTTPServer):
    """Hashes `X-Session-ID` over its backends, as nginx does with `hash $http_x_session_id`; without one that
    answers it says 502. It has neither /health nor a list of models."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, *backends: str) -> None:
        super().__init__(("127.0.0.1", 0), _Forwarding)
        self.backends = list(backends)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/models/v1"


class _Forwarding(BaseHTTPRequestHandler):
    server: Router

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self.send_error(404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        backends = self.server.backends
        chosen = urlsplit(backends[zlib.crc32(self.headers["X-Session-ID"].encode()) % len(backends)])
        backend = http.client.HTTPConnection(chosen.hostname or "", chosen.port, timeout=10)
        try:
            backend.request("POST", "/v1/chat/completions", body, dict(self.headers))
            answer = backend.getresponse()
        except OSError:
            return self.send_error(502)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.getheader("Content-Type", ""))
        self.end_headers()
        with suppress(OSError, http.client.HTTPException):  # either side may go away
            while chunk := answer.read1():
                self.wfile.write(chunk)
        backend.close()
        return None


@pytest.fixture
def backends() -> Iterator[tuple[ScriptedModelServer, ScriptedModelServer]]:
    with ScriptedModelServer() as one, ScriptedModelServer() as two:
        yield one, two


@pytest.fixture
def router(backends: tuple[ScriptedModelServer, ScriptedModelServer]) -> Iterator[Router]:
    with Router(*(backend.url for backend in backends)) as router:
        yield router
        router.shutdown()


def ask(model: VllmModel, conversation: str) -> Completion:
    return model.complete(
        [said(conversation)], conversation=conversation, deadline=timedelta(seconds=10), max_tokens=50
    )


def heard(server: ScriptedModelServer) -> set[str]:
    return {body["messages"][0]["content"] for body in server.requests}


def test_a_conversation_stays_on_one_backend_and_all_backends_have_some(
    backends: tuple[ScriptedModelServer, ScriptedModelServer], router: Router, connect: Connect
) -> None:
    model = connect(router.url)
    for _ in range(3):
        for number in range(20):
            ask(model, f"conversation {number}")
    one, two = (heard(backend) for backend in backends)
    assert one
    assert two
    assert not one & two
    assert len(one | two) == 20


@pytest.mark.parametrize("name", ["drains", "busy", "500", "cut before a token"])
def test_what_one_backend_cannot_do_now_is_asked_again_through_the_same_address(
    backends: tuple[ScriptedModelServer, ScriptedModelServer], router: Router, connect: Connect, name: str
) -> None:
    model = connect(router.url)
    for backend in backends:
        backend.script(name)
    for number in range(4):
        assert ask(model, f"conversation {number}").text
    assert sum(len(backend.requests) for backend in backends) == 6


def test_a_router_whose_backends_were_gone_is_used_again_when_they_are_back(
    backends: tuple[ScriptedModelServer, ScriptedModelServer], router: Router, connect: Connect
) -> None:
    model = connect(router.url)
    ask(model, "before")
    alive, router.backends = router.backends, ["http://127.0.0.1:9"]
    for _ in range(2):
        with pytest.raises(ModelBusy, match="502"):
            ask(model, "meanwhile")
    router.backends = alive
    until = time.monotonic() + 10
    while "after" not in heard(backends[0]) | heard(backends[1]) and time.monotonic() < until:
        with suppress(ModelBusy):
            assert ask(model, "after").text
    assert "after" in heard(backends[0]) | heard(backends[1])
