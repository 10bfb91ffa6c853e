"""What goes out to WeCom (WeCom sheet §3.3)."""

import json
import time
from collections.abc import Iterator

import pytest

from adapters.values import (
    Delivered,
    Part,
    Promise,
)
from adapters.wecom import WeComApp
from adapters.wecom.app import APART
from tests.adapters.wecom_app import app
from tests.adapters.wecom_fake import SEND, Platform, refused, reply, sent
from tests.adapters.wecom_platform import ACCESS_TOKEN, AGENT
from tests.fakes import RecordingServer


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def server(platform: Platform) -> Iterator[RecordingServer]:
    with RecordingServer(platform) as server:
        yield server


def test_a_text_goes_to_the_member_of_the_conversation(server: RecordingServer) -> None:
    assert app(api_base=server.url).send(reply("你好"), 0) == Delivered(platform_id="MSGID1")
    assert sent(server) == [
        {
            "touser": "zhangsan",
            "msgtype": "text",
            "agentid": AGENT,
            "text": {"content": "你好"},
            "enable_duplicate_check": 1,
            "duplicate_check_interval": 1800,
        }
    ]
    send = server.calls[-1]
    assert send.query == {"access_token": f"{ACCESS_TOKEN}-1"}
    assert send.headers["content-type"] == "application/json; charset=utf-8"


def test_row_9_the_parts_of_an_answer_are_sent_a_moment_apart(server: RecordingServer) -> None:
    channel = app(api_base=server.url)
    for index in (0, 1, 2):
        before = time.monotonic()
        channel.send(reply("one", "two", "three"), index)
        assert (time.monotonic() - before >= APART.total_seconds()) or not index
    assert [body["text"]["content"] for body in sent(server)] == ["one", "two", "three"]


def test_nothing_is_escaped(server: RecordingServer) -> None:
    """Errcode 40033: no \\uxxxx in a request."""
    app(api_base=server.url).send(reply("你好 😀 é\u2028 \ud800"), 0)
    body = server.calls[-1].body
    assert "你好 😀 é\u2028 ?".encode() in body
    assert b"\\u" not in body


def test_words_repeated_on_purpose_are_not_swallowed(server: RecordingServer) -> None:
    app(api_base=server.url).send(reply(Part(text="好的", repeated=True)), 0)
    assert sent(server)[0]["enable_duplicate_check"] == 0


def test_a_resend_is_the_same_bytes_with_the_check_on(server: RecordingServer) -> None:
    assert WeComApp.promise is Promise.CONTENT_CHECKED
    app(api_base=server.url).send(reply("a", "b"), 1)
    app(api_base=server.url).send(reply("a", "b"), 1, again=True)
    first, second = (call.body for call in server.calls if call.path == SEND)
    assert first == second
    assert json.loads(first)["enable_duplicate_check"] == 1


@pytest.mark.parametrize("to", ["@all", "@ALL", "zhangsan|lisi", "|"])
def test_a_reply_never_goes_to_more_than_one_member(server: RecordingServer, to: str) -> None:
    assert refused(app(api_base=server.url).send(reply("x", to=to), 0)).permanent
    assert server.calls == []


@pytest.mark.parametrize("text", ["", " ", "\n\t　"])
def test_empty_text_is_never_sent(server: RecordingServer, text: str) -> None:
    assert refused(app(api_base=server.url).send(reply(text), 0)).code == "44004"
    assert server.calls == []
    assert app().compose(text) == ()


def test_row_11_markdown_is_plain_text_unless_it_is_asked_for() -> None:
    words = "# Hours\n\n**open** until *six*, `9–18`, [map](https://example.com)"
    (plain,) = app().compose(words)
    assert not set("#*`[") & set(plain)
    assert app(markdown=True).compose(words) == (
        "# Hours\n\n**open** until six, `9–18`, [map](https://example.com)",
    )


def test_markdown_goes_out_as_markdown(server: RecordingServer) -> None:
    app(api_base=server.url, markdown=True).send(reply("**x**"), 0)
    assert sent(server)[0]["msgtype"] == "markdown"
    assert sent(server)[0]["markdown"] == {"content": "**x**"}


def test_row_8_two_thousand_bytes_are_counted_not_two_thousand_letters() -> None:
    parts = app().compose("长" * 2048)
    assert [len(part.encode()) for part in parts] == [2046, 2046, 2046, 6]
    assert "".join(parts) == "长" * 2048


def test_row_9_a_long_reply_goes_out_one_part_after_the_other(server: RecordingServer) -> None:
    channel = app(api_base=server.url)
    long = reply(*channel.compose("".join(f"第{number}句。" for number in range(600))))
    for index in range(len(long.parts)):
        assert isinstance(channel.send(long, index), Delivered)
        assert len(sent(server)) == index + 1
    assert "".join(body["text"]["content"] for body in sent(server)) == "".join(part.text for part in long.parts)
    assert len(long.parts) > 3
