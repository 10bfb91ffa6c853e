"""The fake AI bot: streams that are polled until they end, cards, welcomes, files, and the long connection."""

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import requests
from websockets.sync.client import ClientConnection, connect
from wechatpy.crypto import PrpCrypto
from wechatpy.utils import to_binary

from bot.sandbox.simulator.media import PNG
from bot.sandbox.wecom import WeComAiBotPlatform
from tests.fakes import Answer, Call, RecordingServer
from tests.sandbox.bots import recording_bot, wait_until

CARD = {
    "card_type": "button_interaction",
    "main_title": {"title": "取消订单吗？"},
    "button_list": [{"text": "是", "key": "yes"}, {"text": "否", "key": "no"}],
    "task_id": "task-1",
}


class Bot:
    """A bot that answers callbacks with what `say` gives, sealed by wechatpy."""

    def __init__(self) -> None:
        self.platform: WeComAiBotPlatform | None = None
        self.heard: list[Any] = []
        self.say: Callable[[Any], Any] = lambda _: None
        self.nonce = ""

    def __call__(self, call: Call) -> Answer:
        platform = self.platform
        assert platform is not None
        crypto = PrpCrypto(base64.b64decode(platform.encoding_aes_key + "="))
        heard = json.loads(crypto.decrypt(to_binary(call.json["encrypt"]), ""))
        self.heard.append(heard)
        said = self.say(heard)
        if said is None:
            return Answer(body=b"")
        sealed = crypto.encrypt(json.dumps(said, ensure_ascii=False), "").decode()
        nonce = self.nonce or call.query["nonce"]
        parts = sorted([platform.token, "1795100300", nonce, sealed])
        signature = hashlib.sha1("".join(parts).encode()).hexdigest()  # noqa: S324 - the platform's own scheme
        answer = {"encrypt": sealed, "msgsignature": signature, "timestamp": 1795100300, "nonce": nonce}
        return Answer(body=json.dumps(answer).encode())


@pytest.fixture
def bot() -> Bot:
    return Bot()


@pytest.fixture
def server(bot: Bot) -> Iterator[RecordingServer]:
    with recording_bot(bot) as started:
        yield started


@pytest.fixture
def platform(bot: Bot, server: RecordingServer) -> Iterator[WeComAiBotPlatform]:
    with WeComAiBotPlatform(webhook_url=server.url, strangers=False) as fake:
        fake.poll_every = timedelta(seconds=0.02)
        bot.platform = fake
        yield fake


def stream(text: str, *, finish: bool, **more: Any) -> Any:
    return {"msgtype": "stream", "stream": {"id": "s1", "finish": finish, "content": text, **more}}


def growing(*texts: str) -> Callable[[Any], Any]:
    """Each answer is the next text; the last one ends the stream."""
    left = list(texts)

    def say(_: Any) -> Any:
        text = left.pop(0)
        return stream(text, finish=not left)

    return say


def rules(platform: WeComAiBotPlatform) -> list[str]:
    return [breach.rule for breach in platform.breaches]


def test_a_stream_is_polled_until_it_ends_and_shown_once(platform: WeComAiBotPlatform, bot: Bot) -> None:
    bot.say = growing("明", "明天", "明天发货")
    platform.say("发货了吗")
    [shown] = platform.wait_for_replies(1)
    assert (shown.to, shown.text, shown.platform_id) == ("ZhangWei", "明天发货", "s1")
    assert [heard["msgtype"] for heard in bot.heard] == ["text", "stream", "stream"]
    assert "response_url" in bot.heard[0]
    assert "response_url" not in bot.heard[1]
    grown = [entry.text for _, entry in platform.journal.after(0) if type(entry).__name__ == "Grown"]  # type: ignore[union-attr]
    assert grown == ["明", "明天", "明天发货"]
    assert rules(platform) == []


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        (None, "message_without_answer"),
        ({"msgtype": "text", "text": {"content": "hi"}}, "unknown_type"),
        (stream("长" * 7000, finish=True), "too_long"),
        ({"msgtype": "stream", "stream": {"finish": True, "content": "x"}}, "stream_id_missing"),
        (stream("  ", finish=True), "stream_ended_empty"),
        (stream("x", finish=False, msg_item=[{"msgtype": "image", "image": {}}]), "image_before_the_end"),
        ({"msgtype": "template_card", "template_card": {"card_type": "poll"}}, "card_wrong"),
    ],
)
def test_a_wrong_answer_is_a_red_line(platform: WeComAiBotPlatform, bot: Bot, answer: Any, rule: str) -> None:
    bot.say = lambda _: answer
    platform.say("你好")
    assert rules(platform) == [rule]


@pytest.mark.parametrize(
    ("texts", "broken"),
    [
        (("请稍等…", "我们明天", "我们明天发货", "我们明天发货，请放心"), []),
        (("请稍等…", "我们将于", "您的订单明天", "您的订单明天发货"), []),
        (("我们的", "订单明天", "就会发货", "请您放心"), ["stream_not_cumulative"]),
    ],
)
def test_a_stream_of_pieces_is_a_red_line_but_a_text_may_begin_anew(
    platform: WeComAiBotPlatform, bot: Bot, texts: tuple[str, ...], broken: list[str]
) -> None:
    bot.say = growing(*texts)
    platform.say("发货了吗")
    wait_until(lambda: len(bot.heard) == len(texts))
    wait_until(lambda: bool(platform.replies()) or bool(rules(platform)))
    assert rules(platform) == broken


def test_the_answer_bears_the_nonce_of_the_address(platform: WeComAiBotPlatform, bot: Bot) -> None:
    bot.nonce, bot.say = "another", growing("好的")
    platform.say("你好")
    assert rules(platform) == ["answer_signature"]


def test_a_stream_that_never_ends_is_a_red_line_after_six_minutes(platform: WeComAiBotPlatform, bot: Bot) -> None:
    bot.say = lambda _: stream("还在想", finish=False)
    platform.say("你好")
    platform.clock.advance(timedelta(minutes=6, seconds=1))
    wait_until(lambda: rules(platform) == ["stream_never_finished"])
    assert platform.replies() == []


def test_a_member_has_three_open_interactions_at_most(platform: WeComAiBotPlatform, bot: Bot) -> None:
    bot.say = lambda heard: {
        "msgtype": "stream",
        "stream": {"id": str(heard.get("msgid")), "finish": False, "content": "…"},
    }
    platform.poll_every = timedelta(minutes=1)
    assert [platform.say(str(number)).error for number in range(4)] == ["", "", "", "three are open already"]


def test_an_image_comes_with_the_end_and_is_checked(platform: WeComAiBotPlatform, bot: Bot) -> None:
    image = {
        "base64": base64.b64encode(PNG).decode(),
        "md5": hashlib.md5(PNG).hexdigest(),  # noqa: S324 - the platform's own check
    }
    bot.say = lambda _: stream("看图", finish=True, msg_item=[{"msgtype": "image", "image": image}])
    platform.say("平面图")
    assert [shown.media_kind for shown in platform.replies()] == ["", "image"]


def test_a_group_message_names_the_bot_and_the_chat(platform: WeComAiBotPlatform, bot: Bot) -> None:
    bot.say = growing("好的")
    platform.say("你好", group="wrk1")
    assert (bot.heard[0]["chattype"], bot.heard[0]["text"]["content"]) == ("group", "@Frontdesk 你好")
    assert platform.replies()[0].to == "wrk1"


def test_a_welcome_is_given_once_a_day(platform: WeComAiBotPlatform, bot: Bot) -> None:
    bot.say = lambda _: {"msgtype": "text", "text": {"content": "您好"}}
    platform.write("enter_chat")
    assert platform.write("enter_chat").error == "once a day"
    assert [shown.text for shown in platform.replies()] == ["您好"]
    platform.clock.advance(timedelta(days=1))
    platform.write("enter_chat")
    assert len(platform.replies()) == 2


def test_feedback_takes_only_an_empty_answer(platform: WeComAiBotPlatform, bot: Bot) -> None:
    platform.write("feedback")
    assert rules(platform) == []
    bot.say = growing("谢谢")
    platform.write("feedback")
    assert rules(platform) == ["answer_to_feedback"]


def test_a_card_is_tapped_once_and_can_be_changed(platform: WeComAiBotPlatform, bot: Bot) -> None:
    both = {**stream("取消吗？", finish=True), "msgtype": "stream_with_template_card", "template_card": CARD}
    bot.say = lambda heard: both if heard["msgtype"] == "text" else {"response_type": "update_template_card"}
    platform.say("取消订单")
    [shown] = platform.replies()
    assert [choice.title for choice in shown.choices] == ["是", "否"]
    platform.tap("s1", "yes")
    assert bot.heard[-1]["event"]["template_card_event"]["event_key"] == "yes"
    assert rules(platform) == []


def test_a_response_address_works_once_within_an_hour(platform: WeComAiBotPlatform, bot: Bot) -> None:
    bot.say = growing("请稍候")
    platform.say("你好")
    url = bot.heard[0]["response_url"]
    body = {"msgtype": "markdown", "markdown": {"content": "**好了**"}}
    assert requests.post(url, json=body, timeout=10).json()["errcode"] == 0
    assert requests.post(url, json=body, timeout=10).json()["errcode"] == 40058
    assert [shown.text for shown in platform.replies()] == ["请稍候", "**好了**"]


def test_a_file_is_served_encrypted_for_five_minutes(platform: WeComAiBotPlatform, bot: Bot) -> None:
    bot.say = growing("收到")
    platform.write("image")
    url = bot.heard[0]["image"]["url"]
    served = requests.get(url, timeout=10).content
    assert served != PNG
    crypto = PrpCrypto(base64.b64decode(platform.encoding_aes_key + "="))
    cipher = crypto.cipher
    opened = cipher.decrypt(served) if hasattr(cipher, "decrypt") else served
    assert opened[: len(PNG)] == PNG
    platform.clock.advance(timedelta(minutes=5))
    assert requests.get(url, timeout=10).status_code == 404


# ---- the long connection


@contextmanager
def subscribed(platform: WeComAiBotPlatform) -> Iterator[ClientConnection]:
    with connect(platform.socket.url) as connection:
        body = {"bot_id": platform.bot_id, "secret": platform.secret}
        connection.send(json.dumps({"cmd": "aibot_subscribe", "headers": {"req_id": "1"}, "body": body}))
        assert json.loads(connection.recv(timeout=5))["errcode"] == 0
        yield connection


def respond(connection: ClientConnection, req_id: str, body: Any, cmd: str = "aibot_respond_msg") -> int:
    connection.send(json.dumps({"cmd": cmd, "headers": {"req_id": req_id}, "body": body}))
    return int(json.loads(connection.recv(timeout=5))["errcode"])


def test_a_message_by_socket_is_answered_with_its_request_id(platform: WeComAiBotPlatform) -> None:
    platform.connects = True
    with subscribed(platform) as connection:
        platform.say("你好")
        frame = json.loads(connection.recv(timeout=5))
        assert (frame["cmd"], frame["body"]["text"]["content"]) == ("aibot_msg_callback", "你好")
        req_id = frame["headers"]["req_id"]
        assert respond(connection, "wrong", stream("x", finish=True)) == 846605
        assert respond(connection, req_id, stream("您", finish=False)) == 0
        assert respond(connection, req_id, stream("您好", finish=True)) == 0
        assert respond(connection, req_id, stream("您好！", finish=True)) == 846608
    assert [shown.text for shown in platform.replies()] == ["您好"]


def test_a_newer_connection_kicks_the_older_which_is_told(platform: WeComAiBotPlatform) -> None:
    with subscribed(platform) as first, subscribed(platform):
        told = json.loads(first.recv(timeout=5))
        assert told["body"]["event"]["eventtype"] == "disconnected_event"


def test_nothing_is_taken_before_the_subscription(platform: WeComAiBotPlatform) -> None:
    with connect(platform.socket.url) as connection:
        assert respond(connection, "1", {}, cmd="ping") == 846609


def test_a_stream_by_socket_lives_six_minutes(platform: WeComAiBotPlatform) -> None:
    platform.connects = True
    with subscribed(platform) as connection:
        platform.say("你好")
        req_id = json.loads(connection.recv(timeout=5))["headers"]["req_id"]
        assert respond(connection, req_id, stream("您", finish=False)) == 0
        platform.clock.advance(timedelta(minutes=6, seconds=1))
        assert respond(connection, req_id, stream("您好", finish=True)) == 846608


def test_thirty_messages_a_minute_go_to_one_chat(platform: WeComAiBotPlatform) -> None:
    platform.connects = platform.limits = True
    with subscribed(platform) as connection:
        platform.say("你好")
        req_id = json.loads(connection.recv(timeout=5))["headers"]["req_id"]
        codes = [respond(connection, req_id, stream("您" * number, finish=False)) for number in range(1, 32)]
    assert codes == [0] * 30 + [45009]


def test_an_acknowledgement_can_be_late(platform: WeComAiBotPlatform) -> None:
    platform.socket.late = timedelta(seconds=0.2)
    began = time.monotonic()
    with subscribed(platform):
        assert time.monotonic() - began >= 0.2
