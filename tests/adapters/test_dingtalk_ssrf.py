"""The session webhook is an address that whoever wrote the body chose: none but DingTalk's own is ever called."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from adapters.channel import Services
from adapters.dingtalk import DingTalk, DingTalkSettings
from adapters.dingtalk.webhook import Webhooks
from adapters.http import PlatformHttp
from adapters.tokens import MemoryTokenStore
from adapters.values import Delivered, Message, Part, Reply, reply_key
from tests.adapters import dingtalk_kit as kit
from tests.fakes import RecordingServer

GOOD = "/robot/sendBySession?session=x"
HOSTILE = [
    f"http://oapi.dingtalk.com{GOOD}",
    f"HTTPS://oapi.dingtalk.com{GOOD}",
    f"https://OAPI.DINGTALK.COM{GOOD}",
    f"https://oapi.dingtalk.com.evil.example{GOOD}",
    f"https://evil.example/oapi.dingtalk.com{GOOD}",
    f"https://evil.example?https://oapi.dingtalk.com{GOOD}",
    f"https://evil.example#https://oapi.dingtalk.com{GOOD}",
    f"https://oapi.dingtalk.com@169.254.169.254{GOOD}",
    f"https://oapi.dingtalk.com:443@127.0.0.1{GOOD}",
    f"https://user:pass@oapi.dingtalk.com{GOOD}",
    f"https://@oapi.dingtalk.com{GOOD}",
    f"https://oapi.dingtalk.com:8443{GOOD}",
    f"https://oapi.dingtalk.com:443{GOOD}",
    f"https://oapi.dingtalk.com:{GOOD}",
    f"https://oapi.dingtalk.com.{GOOD}",
    f"https://oapi。dingtalk。com{GOOD}",
    f"https://oapi.dingtаlk.com{GOOD}",  # a Cyrillic letter
    f"https://xn--oapi.dingtalk.com{GOOD}",
    f"https://evil-oapi.dingtalk.com{GOOD}",
    f"https://oapi.dingtalk.com\\@evil.example{GOOD}",
    f"https://oapi.dingtalk.com\\.evil.example{GOOD}",
    f"https:\\\\oapi.dingtalk.com{GOOD}",
    f"https:///oapi.dingtalk.com{GOOD}",
    f"https:oapi.dingtalk.com{GOOD}",
    f"//oapi.dingtalk.com{GOOD}",
    f" https://oapi.dingtalk.com{GOOD}",
    f"https://oapi.dingtalk.com{GOOD}\n",
    f"https://oapi.dingtalk.com{GOOD}\r\nHost: evil.example",
    f"https://oapi.dingtalk.com{GOOD} ",
    f"https://oapi.dingtalk.com{GOOD}#",
    f"https://oapi.dingtalk.com{GOOD}\x00",
    f"https://oapi.dingtalk.com{GOOD}é",
    "https://oapi.dingtalk.com/robot/sendBySession",
    "https://oapi.dingtalk.com/robot/sendBySession?session=",
    "https://oapi.dingtalk.com/robot/send?access_token=x",
    "https://oapi.dingtalk.com/robot/sendBySession/../send?session=x",
    "https://oapi.dingtalk.com/robot/sendBySession;x?session=x",
    "https://oapi.dingtalk.com//robot/sendBySession?session=x",
    f"https://127.0.0.1{GOOD}",
    f"http://localhost{GOOD}",
    f"http://[::1]{GOOD}",
    f"http://[::ffff:169.254.169.254]{GOOD}",
    f"http://0x7f000001{GOOD}",
    f"http://2130706433{GOOD}",
    f"http://0{GOOD}",
    "http://169.254.169.254/latest/meta-data/",
    f"file:///etc/passwd{GOOD}",
    f"gopher://127.0.0.1:6379/_{GOOD}",
    f"ftp://oapi.dingtalk.com{GOOD}",
    "javascript:alert(1)",
    f"https://oapi.dingtalk.com{GOOD}{'a' * 600}",
]
_watching: list[list[tuple[str, object]]] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event in ("socket.connect", "socket.getaddrinfo"):
        _watching[-1].append((event, arguments[1] if event == "socket.connect" else arguments[:2]))


sys.addaudithook(_watch)


@contextmanager
def contacts() -> Iterator[list[tuple[str, object]]]:
    """Every name that is asked for and every address that is connected to inside."""
    seen: list[tuple[str, object]] = []
    _watching.append(seen)
    try:
        yield seen
    finally:
        _watching.clear()


@pytest.fixture(scope="module")
def server() -> Iterator[RecordingServer]:
    with RecordingServer(kit.platform) as server:
        yield server


@pytest.fixture
def robot(server: RecordingServer) -> Iterator[DingTalk]:
    settings = DingTalkSettings(**kit.SETTINGS, api_base=server.url)
    http = PlatformHttp(total=timedelta(seconds=5))
    yield DingTalk("shop", settings, Services(http=http, tokens=MemoryTokenStore(), now=lambda: kit.NOW))
    http.close()


def port(server: RecordingServer) -> int:
    return int(server.url.rsplit(":", 1)[1])


@pytest.mark.parametrize("url", HOSTILE)
def test_a_hostile_session_webhook_is_never_called(robot: DingTalk, server: RecordingServer, url: str) -> None:
    """Not when it comes in a body, nor when it got into a stored route; the answer goes by the OpenAPI."""
    ends = kit.NOW + timedelta(minutes=90)
    body = kit.body(sessionWebhook=url, sessionWebhookExpiredTime=kit.milliseconds(ends))
    (message,) = robot.parse(kit.signed(body))
    assert isinstance(message, Message)
    assert "webhook" not in message.route
    stored = {**message.route, "webhook": url, "webhook_expires": ends.isoformat()}
    reply = Reply(key=reply_key(message), conversation=message.conversation, parts=(Part(text="hi"),), route=stored)
    server.calls.clear()
    with contacts() as seen:
        assert isinstance(robot.send(reply, 0), Delivered)
    assert [call.path for call in server.calls if call.path != kit.TOKEN_PATH] == [kit.ONE_TO_ONE]
    allowed = {("socket.connect", ("127.0.0.1", port(server))), ("socket.getaddrinfo", ("127.0.0.1", port(server)))}
    assert set(seen) <= allowed


def test_the_watch_sees_a_call(robot: DingTalk, server: RecordingServer) -> None:
    """Else the test above could not fail."""
    with contacts() as seen:
        robot.services.http.call("GET", server.url)
    assert ("socket.connect", ("127.0.0.1", port(server))) in seen


@pytest.mark.parametrize("url", [f"https://oapi.dingtalk.com{GOOD}", f"https://api.dingtalk.com{GOOD}_-.~%2B%3D"])
def test_dingtalks_own_webhooks_are_trusted(url: str) -> None:
    assert Webhooks("https://oapi.dingtalk.com").trusted(url)


def test_the_configured_host_is_trusted_with_its_scheme_and_port() -> None:
    webhooks = Webhooks("http://127.0.0.1:9001/dingtalk")
    assert webhooks.trusted(f"http://127.0.0.1:9001/dingtalk{GOOD}")
    assert webhooks.trusted(f"http://127.0.0.1:9001{GOOD}")
    for other in ("https://127.0.0.1:9001", "http://127.0.0.1:9002", "http://127.0.0.1", "http://127.0.0.1:90011"):
        assert not webhooks.trusted(f"{other}{GOOD}")
