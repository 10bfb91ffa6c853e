"""When it takes too long: the stream ends in time, and the answer follows by the message's own address."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from adapters.files import MemoryFiles
from adapters.values import Action, Attachment, Delivered, Message, Part, Refused, Unknown
from tests.adapters.aibot_kit import (
    CHOICES,
    PNG,
    RESPONSE_CODE,
    Desk,
    at_home,
    inner,
    reply_to,
    said_late,
    with_url,
)
from tests.fakes import Answer, Call, RecordingServer, json_answer


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    with RecordingServer(lambda _call: json_answer({"errcode": 0})) as server:
        yield server


def test_a_poll_after_five_and_a_half_minutes_ends_the_stream_and_the_answer_follows(
    server: RecordingServer,
) -> None:
    desk = at_home(Desk(), server)
    message, stream = desk.say("hello")
    writing = desk.bot.writing([message], "key")
    assert writing
    writing.show("Let me see")
    desk.clock.pass_(minutes=5, seconds=29)
    assert desk.see(stream["id"])["finish"] is False
    desk.clock.pass_(seconds=1)
    ended = desk.see(stream["id"])
    assert ended["finish"] is True
    assert ended["content"].startswith("Let me see\n\n")
    assert "answer follows" in ended["content"]
    reply = reply_to(with_url(message, server))
    assert isinstance(desk.bot.send(reply, 0), Delivered)
    assert said_late(server) == ["Until six."]
    assert desk.see(stream["id"])["content"] == ended["content"]


def test_a_late_answer_with_choices_and_images_has_them_as_lines(server: RecordingServer) -> None:
    desk = at_home(Desk(files=MemoryFiles({"map.png": PNG})), server)
    message, stream = desk.say("hello")
    desk.clock.pass_(minutes=5, seconds=30)
    desk.poll(stream["id"])
    image = Part(text="", attachment=Attachment(kind="image", file="map.png", name="the way"))
    reply = reply_to(with_url(message, server), parts=[image, Part(text="Sure?", choices=CHOICES)])
    assert isinstance(desk.bot.send(reply, 0), Delivered)
    (text,) = said_late(server)
    assert text == "Sure?\n\n1. 是的\n2. 不用了\n\n📎 the way"


def test_a_stream_that_nobody_asks_for_any_more_is_not_answered_into(server: RecordingServer) -> None:
    desk = at_home(Desk(), server)
    message, stream = desk.say("hello")
    desk.clock.pass_(minutes=5, seconds=50)
    assert isinstance(desk.bot.send(reply_to(with_url(message, server)), 0), Delivered)
    assert said_late(server) == ["Until six."]
    assert desk.see(stream["id"])["content"] == "Answered below"


def test_a_stream_that_the_platform_never_heard_of_is_not_answered_into(server: RecordingServer) -> None:
    desk = at_home(Desk(), server)
    message, stream = desk.say("hello")  # this answer got lost on its way
    desk.clock.pass_(seconds=20)
    assert isinstance(desk.bot.send(reply_to(with_url(message, server)), 0), Delivered)
    assert said_late(server) == ["Until six."]
    assert desk.say("hello")[1]["content"] == desk.see(stream["id"])["content"] == "Answered below"


def test_a_stream_that_the_platform_has_stopped_asking_for_keeps_what_it_shows(server: RecordingServer) -> None:
    desk = at_home(Desk(), server)
    message, stream = desk.say("hello")
    writing = desk.bot.writing([message], "key")
    assert writing
    writing.show("Let me see")
    desk.clock.pass_(seconds=15)
    desk.poll(stream["id"])
    desk.clock.pass_(seconds=20)
    assert isinstance(desk.bot.send(reply_to(with_url(message, server)), 0), Delivered)
    assert said_late(server) == ["Until six."]
    assert desk.see(stream["id"])["content"] == "Let me see\n\nAnswered below"


def test_a_stream_that_is_asked_for_is_answered_into_however_long_it_took(server: RecordingServer) -> None:
    desk = at_home(Desk(), server)
    message, stream = desk.say("hello")
    for _ in range(20):
        desk.clock.pass_(seconds=15)
        desk.poll(stream["id"])
    assert isinstance(desk.bot.send(reply_to(with_url(message, server)), 0), Delivered)
    assert said_late(server) == []
    assert desk.see(stream["id"])["content"] == "Until six."


def test_a_stream_that_is_asked_for_again_is_answered_into_where_the_address_fails(
    server: RecordingServer,
) -> None:
    desk = at_home(Desk(), server)
    message, stream = desk.say("hello")
    desk.clock.pass_(seconds=25)
    server.faults.append(json_answer({"errcode": -1}))
    reply = reply_to(with_url(message, server))
    refused = desk.bot.send(reply, 0)
    assert isinstance(refused, Refused)
    assert refused.action is Action.RETRY
    assert desk.see(stream["id"])["finish"] is False
    assert isinstance(desk.bot.send(reply, 0), Delivered)
    assert desk.see(stream["id"])["content"] == "Until six."
    assert isinstance(desk.bot.send(reply, 0, again=True), Delivered)  # whose record got lost
    assert len(said_late(server)) == 1  # the refused one


def test_what_may_have_arrived_by_the_address_is_not_shown_in_the_stream_too(server: RecordingServer) -> None:
    desk = at_home(Desk(), server)
    message, stream = desk.say("hello")
    desk.clock.pass_(seconds=25)
    server.faults.append(Answer(cut=True))
    reply = reply_to(with_url(message, server))
    assert isinstance(desk.bot.send(reply, 0), Unknown)
    assert desk.see(stream["id"])["finish"] is False
    assert isinstance(desk.bot.send(reply, 0, again=True), Delivered)
    assert desk.see(stream["id"])["content"] == "Answered below"
    assert len(said_late(server)) == 2


def test_a_stream_that_nobody_asks_for_is_hoped_for_where_there_is_no_other_way() -> None:
    desk = Desk()
    message, stream = desk.say("hello")
    desk.clock.pass_(minutes=2)
    bare = replace(message, route={name: each for name, each in message.route.items() if name != "response_url"})
    assert isinstance(desk.bot.send(reply_to(bare), 0), Delivered)
    assert desk.see(stream["id"])["content"] == "Until six."


def test_a_callback_that_comes_again_after_the_answer_opens_an_ended_stream(server: RecordingServer) -> None:
    desk = at_home(Desk(), server)
    request = desk.console.post(inner(text={"content": "hello"}), received_at=desk.clock.now)
    (message,) = desk.bot.parse(request)  # accepted; but the store went down before a stream was opened
    assert isinstance(message, Message)
    desk.clock.pass_(seconds=10)
    assert isinstance(desk.bot.send(reply_to(with_url(message, server)), 0), Delivered)
    _, stream = desk.say("hello")
    assert (stream["finish"], stream["content"]) == (True, "Answered below")


def test_a_response_url_is_used_for_one_reply_only(server: RecordingServer) -> None:
    desk = at_home(Desk(), server)
    message = with_url(desk.say("hello")[0], server)
    desk.clock.pass_(minutes=7)
    assert isinstance(desk.bot.send(reply_to(message), 0), Delivered)
    reminder = replace(reply_to(message, parts=["⏰"]), key="another")
    outcome = desk.bot.send(reminder, 0)
    assert isinstance(outcome, Refused)
    assert outcome.action is Action.WINDOW
    assert "websocket" in outcome.reason
    assert len(said_late(server)) == 1


@pytest.mark.parametrize(
    ("minutes", "route", "action"),
    [
        (60, {}, Action.WINDOW),
        (7, {"response_url": ""}, Action.WINDOW),
        (7, {"response_url": "https://evil.example/cgi-bin/aibot/response"}, Action.ALERT),
        (7, {"response_url": "http://qyapi.weixin.qq.com/cgi-bin/aibot/response"}, Action.ALERT),
        (7, {"response_url": "https://qyapi.weixin.qq.com@evil.example/"}, Action.ALERT),
    ],
)
def test_without_a_way_left_the_reason_names_the_next_step(
    minutes: int, route: dict[str, str], action: Action
) -> None:
    desk = Desk()
    message, _ = desk.say("hello")
    desk.clock.pass_(minutes=minutes)
    outcome = desk.bot.send(reply_to(replace(message, route={**message.route, **route})), 0)
    assert isinstance(outcome, Refused)
    assert outcome.action is action
    assert outcome.reason
    assert RESPONSE_CODE not in outcome.reason
    assert "evil" not in outcome.reason


def test_a_second_try_that_is_refused_says_that_the_first_may_have_arrived() -> None:
    def used_up(call: Call) -> Answer:
        return json_answer({"errcode": 40058, "errmsg": "no"})

    with RecordingServer(used_up) as server:
        desk = at_home(Desk(), server)
        message = with_url(desk.say("hello")[0], server)
        desk.clock.pass_(minutes=7)
        server.faults.append(Answer(cut=True))
        assert isinstance(desk.bot.send(reply_to(message), 0), Unknown)
        outcome = desk.bot.send(reply_to(message), 0, again=True)
        assert isinstance(outcome, Refused)
        assert "may have arrived" in outcome.reason
