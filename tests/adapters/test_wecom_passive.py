"""What a WeCom app answers in the exchange itself (WeCom sheet §1.6)."""

from datetime import timedelta
from typing import Any

import pytest

from adapters.crypto import Seal
from adapters.growth import MemoryGrowth
from adapters.throttle import MemoryThrottle
from adapters.values import Response
from adapters.wecom import WeComApp
from adapters.wecom.passive_xml import button_reply, cdata, envelope, text_reply
from tests.adapters.wecom_app import CONSOLE, app, services
from tests.adapters.wecom_platform import CORP, KEY, NEW_KEY, NEW_TOKEN, NOW, TOKEN, Console, vector, vectors


@pytest.mark.parametrize("name", vectors("app-reply"))
def test_a_published_reply_is_sealed_byte_for_byte(name: str) -> None:
    found = vector(name)
    config, given = found["config"], found["input"]
    seal = Seal(token=config["token"], encoding_aes_key=config["encoding_aes_key"], receive_id=config["receive_id"])
    salt = found["random16"].encode()
    sealed = seal.close(given["plaintext"], timestamp=given["timestamp"], nonce=given["nonce"], random16=salt)
    assert envelope(sealed) == found["response"]["body"]


def test_the_published_update_of_a_button_is_written_as_it_is() -> None:
    found = vector("reply_app_update_button")["expected"]["plaintext"]
    at = NOW.fromtimestamp(1795100301, NOW.tzinfo)
    assert button_reply("已处理", member="zhangsan", corp_id=CORP, at=at) == found


def entered(channel: WeComApp, *, user: str = "zhangsan", name: str = "enter_agent", time: int = 1) -> Response:
    request = CONSOLE.post(CONSOLE.inner("event", user=user, time=time, Event=name))
    return channel.answer(request, channel.parse(request))


@pytest.mark.parametrize("name", ["enter_agent", "subscribe"])
def test_a_member_who_opens_the_app_is_welcomed(name: str) -> None:
    """Without a call to anyone: the address answers nothing."""
    answer = entered(app(welcome="您好！", api_base="http://127.0.0.1:9"), name=name)
    inner = CONSOLE.opened(answer.body)
    assert (inner["MsgType"], inner["Content"]) == ("text", "您好！")
    assert (inner["ToUserName"], inner["FromUserName"]) == ("zhangsan", CORP)
    assert inner["CreateTime"] == str(int(NOW.timestamp()))


@pytest.mark.parametrize(
    "name", ["unsubscribe", "LOCATION", "click", "view", "pic_weixin", "change_contact", "kf_msg_or_event", "new"]
)
def test_no_other_event_is_answered(name: str) -> None:
    assert entered(app(welcome="您好！"), name=name) == Response()


def test_without_a_welcome_nothing_is_said() -> None:
    assert entered(app()) == Response()
    assert entered(app(welcome="您好！", passive=False)) == Response()


def test_row_20_a_text_is_not_answered_in_the_exchange_even_with_a_welcome() -> None:
    channel, request = app(welcome="您好！"), CONSOLE.text("hi")
    assert channel.answer(request, channel.parse(request)) == Response()


def test_a_member_is_welcomed_once_a_day_though_the_app_is_opened_often() -> None:
    now = [NOW]
    lent = services(now=lambda: now[0], **twins(lambda: now[0]))
    channel = app(welcome="您好！", lent=lent)
    assert entered(channel, time=1).body
    assert entered(channel, time=2).body == b""
    assert entered(channel, name="subscribe", time=2).body == b""
    assert entered(channel, user="ZHANGSAN", time=2).body == b""
    assert entered(channel, user="lisi", time=2).body
    now[0] += timedelta(hours=24)
    assert entered(channel, time=3).body


def test_a_welcome_whose_answer_was_lost_is_said_again() -> None:
    channel = app(welcome="您好！", lent=services(**twins(lambda: NOW)))
    assert entered(channel, time=1).body
    assert entered(channel, time=1).body


def twins(clock: Any) -> dict[str, Any]:
    return {"throttle": MemoryThrottle(clock), "growth": MemoryGrowth(clock)}


def test_a_long_welcome_is_cut_where_the_platform_would_cut_a_letter() -> None:
    inner = CONSOLE.opened(entered(app(welcome="你好。" * 1000)).body)
    assert 2000 < len(inner["Content"].encode()) <= 2048


@pytest.mark.parametrize("words", ["a ]]> b", "<b>&amp;</b>", "x\x00\x08y\ufffe\ud800z", "😀\n]]>]]>"])
def test_any_words_survive_the_xml(words: str) -> None:
    inner = text_reply(words, member="zhangsan", corp_id=CORP, at=NOW)
    kept = "".join(each for each in words if each not in "\x00\x08\ufffe\ud800")
    assert CONSOLE.read(inner)["Content"] == kept
    assert cdata(words).startswith("<![CDATA[")


def test_during_a_rotation_the_answer_is_sealed_as_the_question_was() -> None:
    rotated = app(
        welcome="hi",
        token=NEW_TOKEN,
        encoding_aes_key=NEW_KEY,
        token_previous=TOKEN,
        encoding_aes_key_previous=KEY,
    )
    for user, console in (("a", CONSOLE), ("b", Console(token=NEW_TOKEN, key=NEW_KEY))):
        request = console.post(console.inner("event", user=user, Event="enter_agent"))
        answer = rotated.answer(request, rotated.parse(request))
        assert console.opened(answer.body)["Content"] == "hi"


def test_each_answer_has_a_nonce_of_its_own() -> None:
    channel = app(welcome="hi")
    bodies = [entered(channel, user=user).body for user in ("a", "a")]
    nonces = {CONSOLE.read(body.decode())["Nonce"] for body in bodies}
    assert len(nonces) == 2


def test_a_member_s_name_in_the_answer_is_the_question_s() -> None:
    request = CONSOLE.post(CONSOLE.inner("event", user="李/雷&<x>", Event="enter_agent"))
    channel = app(welcome="hi")
    assert CONSOLE.opened(channel.answer(request, channel.parse(request)).body)["ToUserName"] == "李/雷&<x>"
