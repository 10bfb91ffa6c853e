"""What other bots got wrong with WeCom's AI bots (WeCom sheet §10, and the peers' bugs that §4 names)."""

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from adapters.errors import Unverified
from adapters.values import Delivered, Message, Refused, Unknown
from tests.adapters.aibot_kit import (
    CONSOLE,
    KEY,
    NEW_KEY,
    NEW_TOKEN,
    NOW,
    RESPONSE_CODE,
    RESPONSE_PATH,
    TOKEN,
    Console,
    Desk,
    event,
    inner,
    reply_to,
)
from tests.adapters.wecom_platform import request_of, vector
from tests.fakes import Answer, RecordingServer, html_answer, json_answer


def test_row_1_the_callback_is_answered_before_anything_is_known_of_the_answer() -> None:
    desk = Desk()
    begun = time.monotonic()
    _, stream = desk.say("hello")
    assert time.monotonic() - begun < 1
    assert stream["finish"] is False


def test_row_2_a_message_that_comes_twice_has_one_key_and_one_stream() -> None:
    desk = Desk()
    first, second = desk.say("hello"), desk.say("hello")
    assert first[0].key == second[0].key
    assert first[1]["id"] == second[1]["id"]


def test_row_3_messages_of_the_same_second_are_not_one() -> None:
    desk = Desk()
    keys = {desk.say("hello", message_id=each)[0].key for each in ("a", "b", "c")}
    assert len(keys) == 3


def test_row_4_the_url_check_is_the_plain_text_and_nothing_around_it() -> None:
    found = vector("get_aibot_ok")
    answer = Desk().bot.answer(request_of(found), ())
    assert answer.body == found["expected"]["plaintext"].encode()
    assert answer.content_type.startswith("text/plain")


def test_row_5_a_wrong_key_says_what_to_compare() -> None:
    request = Console(key=NEW_KEY).post(inner(text={"content": "x"}))
    with pytest.raises(Unverified, match="encoding_aes_key"):
        Desk().bot.verify(request)
    with pytest.raises(Unverified, match="token"):
        Desk().bot.verify(Console(token=NEW_TOKEN).post(inner(text={"content": "x"})))


def test_row_5_the_check_opens_what_it_sealed_itself() -> None:
    found = Desk().bot.check()[0]
    assert found.ok
    assert "callback" in found.what


def test_row_6_a_plus_that_became_a_space_is_read() -> None:
    found = vector("get_aibot_ok")
    request = request_of(found)
    spaced = {**request.query, "echostr": request.query["echostr"].replace("+", " ")}
    assert " " in spaced["echostr"]
    assert Desk().bot.answer(replace(request, query=spaced), ()).body == found["expected"]["plaintext"].encode()


def test_row_8_the_limit_is_counted_in_bytes() -> None:
    parts = Desk().bot.compose("字" * 20480)
    assert len(parts) == 4
    assert all(len(part.encode()) <= 20480 for part in parts)


@pytest.mark.parametrize("minutes", [5.5, 6, 30, 59])
def test_row_18_every_stream_ends_though_no_worker_ever_does(minutes: float) -> None:
    desk = Desk()
    _, stream = desk.say("hello")
    desk.clock.pass_(minutes=minutes)
    assert desk.see(stream["id"])["finish"] is True
    assert desk.see(stream["id"])["content"].strip()


def test_row_18_a_stream_ends_though_all_state_was_lost() -> None:
    _, stream = Desk().say("hello")
    shown = Desk().see(stream["id"])  # another desk: nothing of it is known there
    assert shown["finish"] is True
    assert "抱歉" in shown["content"]
    assert "Sorry" in shown["content"]


def test_row_19_no_blank_words_and_no_thoughts_are_ever_shown() -> None:
    desk = Desk()
    message, stream = desk.say("hello")
    writing = desk.bot.writing([message], "key")
    assert writing
    for text in ("", "  \n", "<think>the customer is", "<think>rude</think>", "<think>rude</think> "):
        writing.show(text)
        assert desk.see(stream["id"])["content"].startswith("One moment")
    assert isinstance(desk.bot.send(reply_to(message, parts=["  "]), 0), Refused)
    assert "One moment" in desk.see(stream["id"])["content"]


def test_row_20_what_the_stream_has_said_is_not_sent_a_second_time() -> None:
    with RecordingServer(lambda _call: json_answer({"errcode": 0})) as server:
        desk = Desk(settings={"api_base": server.url})
        message, _ = desk.say("hello")
        url = f"{server.url}{RESPONSE_PATH}?response_code=x"
        reply = reply_to(replace(message, route={**message.route, "response_url": url}))
        for minutes in (0, 3, 10):
            desk.clock.pass_(minutes=minutes)
            assert isinstance(desk.bot.send(reply, 0, again=minutes > 0), Delivered)
        assert server.calls == []


def test_row_21_a_timeout_is_not_a_failure() -> None:
    with RecordingServer(lambda _call: Answer(cut=True)) as server:
        desk = Desk(settings={"api_base": server.url})
        message, _ = desk.say("hello")
        desk.clock.pass_(minutes=7)
        url = f"{server.url}{RESPONSE_PATH}?response_code=x"
        reply = reply_to(replace(message, route={**message.route, "response_url": url}))
        assert isinstance(desk.bot.send(reply, 0), Unknown)
        assert len(server.calls) == 1


def test_row_23_no_answer_holds_an_exceptions_text() -> None:
    bad = CONSOLE.post("not json 4471")
    with pytest.raises(Exception, match="json") as caught:
        Desk().bot.parse(bad)
    assert "4471" not in str(caught.value)


def test_row_25_no_address_is_told(caplog: pytest.LogCaptureFixture) -> None:
    told = ""
    with caplog.at_level(logging.DEBUG), RecordingServer(lambda _call: html_answer(502)) as server:
        for base in (server.url, "http://127.0.0.1:9"):
            desk = Desk(settings={"api_base": base})
            message, _ = desk.say("hello")
            desk.clock.pass_(minutes=7)
            url = f"{base}{RESPONSE_PATH}?response_code={RESPONSE_CODE}"
            told += repr(desk.bot.send(reply_to(replace(message, route={**message.route, "response_url": url})), 0))
    for secret in (RESPONSE_CODE, TOKEN, KEY):
        assert secret not in told + caplog.text


def test_a_welcome_is_said_although_the_event_is_an_object() -> None:
    """AstrBot compares the `event` object with a string, and never welcomes anybody."""
    desk = Desk(settings={"welcome": "hello"})
    assert desk.deliver(event("enter_chat"))[1]["text"] == {"content": "hello"}
    request = request_of(vector("aibot_event_enter_chat"))
    assert CONSOLE.opened(desk.bot.answer(request, desk.bot.parse(request)), nonce=request.query["nonce"])


def test_an_answer_has_all_four_fields_and_the_nonce_of_the_url() -> None:
    """LangBot sends the ciphertext alone."""
    desk = Desk()
    request = CONSOLE.post(inner(text={"content": "x"}), nonce="the-urls-own")
    assert CONSOLE.opened(desk.bot.answer(request, desk.bot.parse(request)), nonce="the-urls-own")


def test_a_poll_without_news_repeats_the_last_words() -> None:
    """AstrBot answers with nothing, LangBot with empty words."""
    desk = Desk()
    message, stream = desk.say("hello")
    writing = desk.bot.writing([message], "key")
    assert writing
    writing.show("Until")
    assert [desk.see(stream["id"])["content"] for _ in range(3)] == ["Until"] * 3


def test_a_stream_is_kept_for_longer_than_a_minute() -> None:
    """LangBot forgets after 60 s, in memory."""
    desk = Desk()
    message, stream = desk.say("hello")
    desk.clock.pass_(minutes=5)
    assert "One moment" in desk.see(stream["id"])["content"]
    assert isinstance(desk.bot.send(reply_to(message), 0), Delivered)
    desk.clock.pass_(minutes=30)
    assert desk.see(stream["id"])["content"] == "Until six."


def test_concurrent_deliveries_of_one_message_open_one_stream() -> None:
    desk = Desk()
    request = CONSOLE.post(inner(text={"content": "hello"}), received_at=NOW)
    bots = [desk.process() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda bot: CONSOLE.opened(bot.answer(request, bot.parse(request))), bots))
    assert len({each["stream"]["id"] for each in answers}) == 1


def test_an_id_with_slashes_and_equals_signs_is_one_key() -> None:
    body = inner(text={"content": "x"}, message_id="CAIQ16HMjQYY/NGagIOAgAMgq4KM0AI=")
    message, stream = Desk().message(body)
    assert isinstance(message, Message)
    assert message.id == "CAIQ16HMjQYY/NGagIOAgAMgq4KM0AI="
    assert stream["id"].isalnum()
