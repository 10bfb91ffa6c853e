"""A customer's encrypted file: its key in each encoding, its host, its size, its end after five minutes."""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from adapters.channel import Download
from adapters.errors import MediaLost
from adapters.http import MaybeSent, NotSent
from adapters.values import Media, Message
from adapters.wecom_aibot import media as fetching
from tests.adapters.aibot_kit import NEW_KEY, Desk, inner
from tests.adapters.wecom_platform import vector, vectors
from tests.contracts.channel_kit import NOWHERE
from tests.fakes import Answer, Call, RecordingServer

MEDIA = vectors("aibot-media")


class Store:
    """Where the files lie."""

    def __init__(self) -> None:
        self.answer = Answer()

    def __call__(self, call: Call) -> Answer:
        return self.answer


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def server(store: Store) -> Iterator[RecordingServer]:
    with RecordingServer(store) as server:
        yield server


def image(desk: Desk, url: str, *, aeskey: str = "") -> tuple[Media, Message]:
    fields = {"url": url, "aeskey": aeskey} if aeskey else {"url": url}
    message, _ = desk.message(inner("image", image=fields))
    (media,) = message.media
    return media, message


def fetched(server: RecordingServer, *, aeskey: str = "", **settings: Any) -> Download:
    desk = Desk(settings={"api_base": server.url, **settings})
    return desk.bot.fetch(*image(desk, f"{server.url}/i?sign=1", aeskey=aeskey))


@pytest.mark.parametrize("name", MEDIA)
def test_every_published_file_is_opened_with_its_key(name: str, store: Store, server: RecordingServer) -> None:
    found = vector(name)
    store.answer = Answer(body=base64.b64decode(found["ciphertext_b64"]))
    key = "" if name == "media_png_callback_key" else found["key"]["aeskey"]
    download = fetched(server, aeskey=key)
    assert hashlib.sha256(download.content).hexdigest() == found["expected"]["sha256"]
    assert download.mime == "image/png"


def test_a_file_from_before_the_rotation_is_opened_with_the_previous_key(
    store: Store, server: RecordingServer
) -> None:
    found = vector("media_png_callback_key")
    store.answer = Answer(body=base64.b64decode(found["ciphertext_b64"]))
    rotated = {"encoding_aes_key": NEW_KEY, "encoding_aes_key_previous": found["key"]["aeskey"]}
    assert fetched(server, **rotated).mime == "image/png"


def test_each_file_of_a_message_has_its_own_key(store: Store, server: RecordingServer) -> None:
    found = vector("media_png_perurl_hex")
    store.answer = Answer(body=base64.b64decode(found["ciphertext_b64"]))
    items = [
        {"msgtype": "image", "image": {"url": f"{server.url}/1", "aeskey": NEW_KEY}},
        {"msgtype": "image", "image": {"url": f"{server.url}/2", "aeskey": found["key"]["aeskey"]}},
    ]
    desk = Desk(settings={"api_base": server.url})
    message, _ = desk.message(inner("mixed", mixed={"msg_item": items}))
    assert desk.bot.fetch(message.media[1], message).mime == "image/png"
    with pytest.raises(MediaLost):
        desk.bot.fetch(message.media[0], message)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=403, body=b"<xml/>"),
        Answer(status=404),
        Answer(status=302, headers={"Location": "https://evil.example/"}),
        Answer(body=b""),
        Answer(body=b"x" * 15),
        Answer(body=b"x" * 32),
        Answer(body=b"<html>an edge's page</html>"),
    ],
)
def test_what_is_over_or_no_file_is_lost(answer: Answer, store: Store, server: RecordingServer) -> None:
    store.answer = answer
    with pytest.raises(MediaLost):
        fetched(server)


def test_a_file_beyond_the_cap_is_lost(
    store: Store, server: RecordingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "LARGEST", 1000)
    store.answer = Answer(body=b"x" * 1024)
    with pytest.raises(MediaLost, match="larger"):
        fetched(server)


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_store_in_trouble_is_asked_again_later(status: int, store: Store, server: RecordingServer) -> None:
    store.answer = Answer(status=status)
    with pytest.raises(MaybeSent):
        fetched(server)


def test_a_store_that_is_not_reached_is_asked_again_later() -> None:
    desk = Desk(settings={"api_base": NOWHERE})
    with pytest.raises(NotSent):
        desk.bot.fetch(*image(desk, f"{NOWHERE}/i"))


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/i",
        "http://169.254.169.254/latest/meta-data",
        "https://weixin.qq.com.evil.example/i",
        "https://a.weixin.qq.com@evil.example/i",
        "http://a.weixin.qq.com/i",
        "https://a.weixin.qq.com:8443/i",
        "file:///etc/passwd",
        "//a.weixin.qq.com/i",
    ],
)
def test_only_the_platforms_hosts_are_called(url: str) -> None:
    desk = Desk()
    with pytest.raises(MediaLost, match="media_hosts"):
        desk.bot.fetch(*image(desk, url))
