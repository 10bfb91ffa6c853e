"""What an AI bot hears: every published vector, every type and event, and who is meant by it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.crypto import BadContent, NotSealed
from adapters.errors import Malformed, Unverified
from adapters.values import ControlEvent, Event, Message, Response
from adapters.wecom_aibot import WeComAiBot, WeComAiBotSettings
from adapters.wecom_aibot.envelope import Callback
from tests.adapters.aibot_kit import (
    BOT,
    CONSOLE,
    KEY,
    NEW_KEY,
    NEW_TOKEN,
    SETTINGS,
    TOKEN,
    Console,
    Desk,
    event,
    inner,
)
from tests.adapters.wecom_platform import request_of, vector, vectors

JSON_VECTORS = vectors("aibot-json")
GOOD = [name for name in JSON_VECTORS if vector(name)["expected"]["error"] is None]
BAD = [name for name in JSON_VECTORS if vector(name)["expected"]["error"] is not None]
REPLIES = vectors("aibot-reply")


def heard(name: str) -> tuple[Event, ...]:
    desk, request = Desk(), request_of(vector(name))
    desk.bot.verify(request)
    return tuple(desk.bot.parse(request))


def message(name: str) -> Message:
    (found,) = heard(name)
    assert isinstance(found, Message)
    return found


def control(body: dict[str, Any], **settings: Any) -> ControlEvent:
    events, answer = Desk(settings=settings).deliver(body)
    assert answer is None
    (found,) = events
    assert isinstance(found, ControlEvent)
    return found


def test_the_url_check_is_answered_with_the_exact_bytes() -> None:
    found = vector("get_aibot_ok")
    desk, request = Desk(), request_of(found)
    desk.bot.verify(request)
    assert desk.bot.parse(request) == ()
    answer = desk.bot.answer(request, ())
    assert answer.body.hex() == found["expected"]["response_body_exact_bytes_hex"]
    assert answer.content_type.startswith("text/plain")


def test_there_are_vectors_of_both_kinds() -> None:
    assert len(GOOD) >= 12
    assert len(BAD) >= 3


@pytest.mark.parametrize("name", GOOD)
def test_every_published_callback_is_answered(name: str) -> None:
    desk, request = Desk(), request_of(vector(name))
    desk.bot.verify(request)
    answer = desk.bot.answer(request, desk.bot.parse(request))
    assert answer.status == 200
    CONSOLE.opened(answer, nonce=request.query["nonce"])


@pytest.mark.parametrize("name", BAD)
def test_every_published_bad_callback_is_refused(name: str) -> None:
    with pytest.raises((Unverified, Malformed)) as caught:
        heard(name)
    error = caught.value
    assert isinstance(error, NotSealed | BadContent)
    assert error.flaw.value == vector(name)["expected"]["error"]


def test_a_control_character_in_what_was_pasted_costs_no_message() -> None:
    raw = json.dumps(inner(text={"content": "from a PDF!"})).replace("PDF!", "\x0bPDF\x1f \\ud83d")
    desk, request = Desk(), CONSOLE.post(raw)
    desk.bot.verify(request)
    (event,) = desk.bot.parse(request)
    assert isinstance(event, Message)
    assert event.text == "from a \x0bPDF\x1f ?"
    assert CONSOLE.opened(desk.bot.answer(request, (event,)))["stream"]["finish"] is False


@pytest.mark.parametrize("name", REPLIES)
def test_every_published_reply_is_sealed_byte_for_byte(name: str) -> None:
    found = vector(name)
    given = found["input"]
    seal = Callback(WeComAiBotSettings(**SETTINGS)).seals[0]
    sealed = seal.close(
        given["plaintext"],
        timestamp=given["timestamp"],
        nonce=given["nonce"],
        random16=given["random16"].encode(),
    )
    outer = json.loads(found["response"]["body"])
    assert (sealed.encrypt, sealed.signature) == (outer["encrypt"], outer["msgsignature"])


@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("aibot_text_single", "text", "你好"),
        ("aibot_text_escaped_slash", "text", "你好"),
        ("aibot_text_group_quote", "text", "这个怎么处理 😀"),
        ("aibot_mixed", "mixed", "看这张图"),
        ("aibot_voice", "voice", "我要退货"),
        ("aibot_image", "image", ""),
        ("aibot_file", "file", ""),
        ("aibot_video", "video", ""),
    ],
)
def test_each_type_is_read(name: str, kind: str, text: str) -> None:
    found = message(name)
    assert (found.kind, found.text, found.sender) == (kind, text, "zhangsan")
    assert found.conversation.account == BOT


@pytest.mark.parametrize("name", ["aibot_mixed", "aibot_image", "aibot_file", "aibot_video"])
def test_attachments_are_kept_by_their_address(name: str) -> None:
    (media,) = message(name).media
    assert media.kind == name.removeprefix("aibot_").replace("mixed", "image")
    assert media.id.startswith("https://")


def test_the_name_behind_the_at_is_taken_off_in_groups_only() -> None:
    desk = Desk()
    assert desk.say("@客服机器人 你好 @小王", chat="g-1", message_id="1")[0].text == "你好 @小王"
    assert desk.say("@客服机器人\u2005你好", chat="g-1", message_id="2")[0].text == "你好"
    assert desk.say("a@b.example 是我", chat="g-1", message_id="3")[0].text == "a@b.example 是我"
    assert desk.say("@home is what?", message_id="4")[0].text == "@home is what?"


def test_a_name_of_two_words_is_taken_off_wherever_it_stands() -> None:
    desk = Desk(settings={"bot_name": "Front Desk"})
    assert desk.say("@Front Desk hello", chat="g-1", message_id="1")[0].text == "hello"
    assert desk.say("hello @Front Desk there", chat="g-1", message_id="2")[0].text == "hello there"


def test_members_of_a_group_have_conversations_of_their_own() -> None:
    desk = Desk()
    peers = {
        desk.say(chat=chat, user=user)[0].conversation.peer for chat in ("", "g-1", "g-2") for user in ("a", "b")
    }
    assert len(peers) == 6


def test_a_quote_is_read_with_what_is_attached_to_it() -> None:
    quote = {"msgtype": "mixed", "mixed": {"msg_item": [
        {"msgtype": "text", "text": {"content": "first"}},
        {"msgtype": "image", "image": {"url": "https://a.weixin.qq.com/i"}},
        {"msgtype": "text", "text": {"content": "second"}},
    ]}}  # fmt: skip
    found, _ = Desk().message(inner(text={"content": "what is that?"}, quote=quote))
    assert (found.text, found.quoted) == ("what is that?", "first\nsecond")
    assert [media.id for media in found.media] == ["https://a.weixin.qq.com/i"]


def test_an_image_is_found_under_either_name_of_its_address() -> None:
    found, _ = Desk().message(inner("image", image={"pic_url": "https://a.weixin.qq.com/i"}))
    assert [media.id for media in found.media] == ["https://a.weixin.qq.com/i"]


def test_a_poll_is_no_message() -> None:
    assert heard("aibot_stream_poll_unknown") == ()


def test_the_events_without_words_are_noted() -> None:
    (entered,) = heard("aibot_event_enter_chat")
    assert isinstance(entered, ControlEvent)
    assert entered.what == "enter_chat"
    assert entered.at == datetime.fromtimestamp(1795100200, UTC)
    (rated,) = heard("aibot_event_feedback")
    assert isinstance(rated, ControlEvent)
    assert rated.what == "feedback_event"
    assert rated.detail == {"rated": "inaccurate", "answer": "FEEDBACKID", "reasons": "2,4"}


def test_what_is_unknown_or_anothers_is_noted_and_answered_with_nothing() -> None:
    assert control(inner("hologram")).what == "unknown_message"
    assert control(inner("text", user="")).what == "unreadable_message"
    assert control(inner("text", message_id="")).what == "unreadable_message"
    assert control(inner(text={"content": "x"}) | {"aibotid": "other"}).what == "other_bot"
    assert control(event("dance_event")).detail["event"] == "dance_event"


def test_a_rating_is_answered_with_nothing() -> None:
    assert control(event("feedback_event", of={"id": "x", "type": 1})).detail["rated"] == "accurate"


def test_whoever_opens_the_chat_is_welcomed_if_there_is_a_welcome() -> None:
    events, said = Desk(settings={"welcome": "您好！"}).deliver(event("enter_chat"))
    assert said == {"msgtype": "text", "text": {"content": "您好！"}}
    assert len(events) == 1
    assert Desk().deliver(event("enter_chat"))[1] is None
    assert Desk(settings={"welcome": "  "}).deliver(event("enter_chat"))[1] is None


def test_the_answer_is_sealed_with_the_pair_that_opened_the_question() -> None:
    rotated = {
        "token": NEW_TOKEN,
        "encoding_aes_key": NEW_KEY,
        "token_previous": TOKEN,
        "encoding_aes_key_previous": KEY,
    }
    for token in (TOKEN, NEW_TOKEN):
        for key in (KEY, NEW_KEY):
            desk = Desk(settings=rotated, console=Console(token=token, key=key))
            assert desk.say("in between")[1]["content"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"token": None}, "needs token"),
        ({"encoding_aes_key": None, "token": None}, "needs token and encoding_aes_key"),
        ({"encoding_aes_key": KEY[:-1]}, "42 characters, not 43"),
        ({"token": ""}, "is empty"),
        ({"mode": "websocket"}, "needs secret"),
        ({"mode": "websocket", "secret": ""}, "is empty"),
        ({"mode": "carrier pigeon"}, "'url' or 'websocket'"),
        ({"ws_url": "https://x"}, "ws_url"),
    ],
)
def test_a_table_without_what_its_mode_needs_says_which_key(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        WeComAiBotSettings(**{**SETTINGS, **settings})


def test_a_long_connection_needs_no_callback_secrets_and_verifies_nothing() -> None:
    desk = Desk(settings={"mode": "websocket", "secret": "s", "token": None, "encoding_aes_key": None})
    with pytest.raises(Unverified):
        desk.bot.verify(CONSOLE.post(inner(text={"content": "x"})))


def test_nothing_of_a_request_or_a_secret_is_in_the_settings_text() -> None:
    assert TOKEN not in repr(WeComAiBot.settings_type(**SETTINGS))
    assert Response() == Desk().bot.answer(CONSOLE.post(inner("hologram")), ())
