"""The long connection (DingTalk sheet §4), against a real WebSocket server."""

import json
import logging
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.crypto import Seal
from adapters.dingtalk import stream
from adapters.dingtalk.settings import DingTalkSettings
from adapters.errors import NotKept, Unverified
from adapters.values import Control, ControlEvent, Delivered, DeliveryState, Message, Part, Reply, StatusUpdate
from tests.adapters import dingtalk_kit as kit
from tests.adapters.dingtalk_desk import Desk
from tests.adapters.dingtalk_gateway import CARD, OPEN, ROBOT, TICKET, Gateway, Running, frame
from tests.fakes import Answer


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(stream, "LOOK", 0.02)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as gateway:
        yield gateway


@pytest.fixture
def desk(gateway: Gateway) -> Iterator[Desk]:
    desk = Desk(gateway.http, mode="stream")
    yield desk
    desk.http.close()


@pytest.fixture
def running(desk: Desk) -> Iterator[Running]:
    connection = desk.robot.connection()
    assert connection is not None
    with Running(connection.run) as running:
        yield running


def until(holds: Any, *, within: float = 10) -> None:
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def messages(running: Running) -> list[Message]:
    return [event for event in running.received if isinstance(event, Message)]


def test_by_http_there_is_no_connection() -> None:
    with Desk.open() as desk:
        assert desk.robot.connection() is None


def test_a_connection_asks_for_messages_cards_and_events(gateway: Gateway, running: Running) -> None:
    gateway.line()
    (asked,) = gateway.asked()
    assert (asked.json["clientId"], asked.json["clientSecret"]) == (kit.ROBOT, kit.SECRET)
    assert {(each["type"], each["topic"]) for each in asked.json["subscriptions"]} == {
        ("EVENT", "*"),
        ("CALLBACK", ROBOT),
        ("CALLBACK", CARD),
    }
    assert not gateway.tickets, "the ticket was spent, as it was given"


def test_a_message_is_the_same_as_over_http_and_is_acknowledged(
    gateway: Gateway, desk: Desk, running: Running
) -> None:
    line = gateway.line()
    sent = line.say(frame(ROBOT, kit.group()))
    assert line.answer() == {
        "code": 200,
        "headers": {"messageId": sent, "contentType": "application/json"},
        "message": "OK",
        "data": '{"response": null}',
    }
    with Desk.open() as by_http:
        assert messages(running) == list(by_http.robot.parse(kit.signed(kit.group())))


def test_nothing_is_acknowledged_before_it_is_safe(gateway: Gateway, running: Running) -> None:
    line = gateway.line()
    running.hold.clear()
    sent = line.say(frame(ROBOT, kit.body()))
    time.sleep(0.3)
    assert line.heard.empty()
    running.hold.set()
    assert line.answer()["headers"]["messageId"] == sent
    assert len(messages(running)) == 1


def test_a_message_that_was_not_kept_is_not_acknowledged(gateway: Gateway, running: Running) -> None:
    line = gateway.line()
    running.raises = NotKept("the store is down")
    line.say(frame(ROBOT, kit.body()))
    line.say(frame("*", {}, kind="EVENT", eventType="user_add_org", eventId="e", eventCorpId=kit.CORP))
    later = line.answer()  # only the event has a word for it
    assert json.loads(later["data"])["status"] == "LATER"
    assert line.heard.empty()
    running.raises = None
    again = line.say(frame(ROBOT, kit.body()))
    assert line.answer()["headers"]["messageId"] == again


def test_a_message_that_comes_again_under_a_new_frame_has_the_same_key(gateway: Gateway, running: Running) -> None:
    line = gateway.line()
    for _ in range(2):
        line.say(frame(ROBOT, kit.body()))
        line.answer()
    first, second = messages(running)
    assert first.key == second.key


def test_messages_keep_their_order(gateway: Gateway, running: Running) -> None:
    running.pauses = lambda events: 0.05 if int(events[0].text) % 3 == 0 else 0
    line = gateway.line()
    for number in range(30):
        line.say(frame(ROBOT, kit.body(f"{number}", msgId=f"m{number}")))
    for _ in range(30):
        line.answer()
    assert [message.text for message in messages(running)] == [str(number) for number in range(30)]


def test_a_ping_is_answered_however_long_the_desk_takes(gateway: Gateway, running: Running) -> None:
    line = gateway.line()
    running.hold.clear()
    line.say(frame(ROBOT, kit.body()))
    sent = line.say(frame("ping", {"opaque": "1-x"}, kind="SYSTEM"))
    pong = line.answer()
    assert (pong["headers"]["messageId"], json.loads(pong["data"])) == (sent, {"opaque": "1-x"})


def test_an_event_is_acknowledged_in_its_own_words(gateway: Gateway, running: Running) -> None:
    line = gateway.line()
    data = {"CorpId": kit.CORP, "ProcessQueryKey": "pqk1=", "OperatTime": kit.milliseconds(kit.NOW)}
    line.say(frame("*", data, kind="EVENT", eventType="robot_msg_read", eventId="e1", eventCorpId=kit.CORP))
    assert json.loads(line.answer()["data"]) == {"status": "SUCCESS", "message": "success"}
    assert running.received == [
        StatusUpdate(channel="shop", platform_id="pqk1=", state=DeliveryState.READ, at=kit.NOW)
    ]


def test_a_tap_over_the_stream_is_answered_with_the_cards_new_look(gateway: Gateway, running: Running) -> None:
    line = gateway.line()
    content = {"cardPrivateData": {"actionIds": ["1"], "params": {"title": "红"}}}
    tap = {"corpId": kit.CORP, "outTrackId": "t", "userId": "staff01", "spaceId": "cid1", "spaceType": "IM_ROBOT"}
    line.say(frame(CARD, {**tap, "content": json.dumps(content)}))
    response = json.loads(line.answer()["data"])["response"]
    assert response["cardData"] == {"cardParamMap": {"chosen": "红"}}
    assert messages(running)[0].text == "红"


def test_frames_that_break_the_sdk_break_nothing(gateway: Gateway, running: Running) -> None:
    line = gateway.line()
    line.socket.send("no json")
    line.socket.send(b"\xff\xfe")
    line.socket.send("[]")
    line.say(frame("unknown", {}))
    assert line.answer()["code"] == 404
    line.say(frame(ROBOT, "not json"))
    assert line.answer()["code"] == 400
    line.say(frame(ROBOT, kit.body(text=None, errorCode=20001, errorMessage="超量")))
    line.say(frame(ROBOT, kit.body(text=None, content="你好", msgId="m2")))
    line.say(frame(ROBOT, kit.body(text=None, msgtype="picture", content='{"downloadCode":"d"}', msgId="m3")))
    for _ in range(3):
        assert line.answer()["code"] == 200
    assert isinstance(running.received[0], ControlEvent)
    assert running.received[0].what == Control.ACCOUNT_BLOCKED
    assert (messages(running)[0].text, messages(running)[1].media[0].id) == ("你好", "d")


def test_a_cut_connection_is_made_anew_for_ever(gateway: Gateway, running: Running) -> None:
    for number in range(8):
        line = gateway.line()
        line.say(frame(ROBOT, kit.body(msgId=f"m{number}")))
        line.answer()
        line.socket.close(1011, "keepalive ping timeout")
    gateway.line()
    assert len(messages(running)) == 8
    lost = [event for event in running.received if isinstance(event, ControlEvent)]
    assert {event.what for event in lost} == {"stream_lost"}


def test_a_gateway_that_refuses_is_asked_again(gateway: Gateway, running: Running) -> None:
    gateway.opening = [
        kit.api_error("invalidClientIdOrSecret"),
        Answer(status=503),
        Answer(cut=True),
        Answer(body=b"<html>"),
        Answer(body=b"{}"),
        Answer(body=b'{"endpoint":"javascript:1","ticket":"x"}'),
        Answer(body=b'{"endpoint":"ws://127.0.0.1:9/connect","ticket":"x"}'),
    ]
    gateway.line().socket.close()
    gateway.line()
    until(lambda: not gateway.opening)
    reasons = " ".join(event.detail["reason"] for event in running.received if isinstance(event, ControlEvent))
    assert kit.SECRET not in reasons
    assert TICKET not in reasons


def test_when_asked_to_leave_the_next_connection_comes_first(gateway: Gateway, running: Running) -> None:
    old = gateway.line()
    old.say({"type": "SYSTEM", "headers": {"topic": "disconnect"}, "data": '{"reason":"connection is expired"}'})
    new = gateway.line()
    assert not old.closed.is_set()
    assert old.heard.empty(), "a farewell wants no answer"
    old.say(frame(ROBOT, kit.body(msgId="late")))
    old.answer()
    old.socket.close()
    new.say(frame(ROBOT, kit.body(msgId="new")))
    new.answer()
    assert [message.id for message in messages(running)] == ["late", "new"]
    assert not [event for event in running.received if isinstance(event, ControlEvent)]


def test_it_ends_when_told_to(gateway: Gateway, desk: Desk) -> None:
    connection = desk.robot.connection()
    assert connection is not None
    begun = time.monotonic()
    with Running(connection.run) as running:
        line = gateway.line()
        running.stop.set()
        assert line.closed.wait(5)
    assert time.monotonic() - begun < 8


def test_it_ends_while_no_gateway_answers(desk: Desk, gateway: Gateway) -> None:
    connection = desk.robot.connection()
    assert connection is not None
    gateway.opening = [Answer(status=503)] * 1000
    with Running(connection.run):
        until(lambda: len(gateway.asked()) > 2)


def test_neither_ticket_nor_secret_nor_words_are_logged(
    gateway: Gateway, desk: Desk, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    connection = desk.robot.connection()
    assert connection is not None
    with caplog.at_level(logging.INFO), Running(connection.run):
        line = gateway.line()
        line.say(frame(ROBOT, kit.body("客户的话")))
        line.answer()
        line.say(frame(ROBOT, "{客户的话"))
        line.answer()
    told = caplog.text + "".join(capfd.readouterr())
    assert not [private for private in ("kit-ticket", kit.SECRET, "客户的话") if private in told]


def test_replies_go_their_usual_ways(gateway: Gateway, desk: Desk) -> None:
    (message,) = desk.robot._inbound.events(kit.body(), kit.NOW)
    assert isinstance(message, Message)
    reply = Reply(key="k" * 32, conversation=message.conversation, parts=(Part(text="好"),), route=message.route)
    assert isinstance(desk.robot.send(reply, 0), Delivered)
    assert desk.ways() == [kit.ONE_TO_ONE]


def test_events_may_come_by_http_though_messages_come_by_the_stream() -> None:
    key = "1234567890123456789012345678901234567890123"
    with Desk.open(mode="stream", token="KitToken", aes_key=key) as desk:
        sealed = Seal(token="KitToken", encoding_aes_key=key, receive_id=kit.ROBOT).close(
            json.dumps({"EventType": "check_url"}), timestamp=str(kit.milliseconds(kit.NOW)), nonce="n"
        )
        query = {"msg_signature": sealed.signature, "timestamp": sealed.timestamp, "nonce": sealed.nonce}
        raw = json.dumps({"encrypt": sealed.encrypt}).encode()
        request = replace(kit.request(raw, {}), query=query, endpoint="event")
        desk.robot.verify(request)
        assert desk.robot.answer(request, desk.robot.parse(request)).status == 200
        with pytest.raises(Unverified, match="stream"):
            desk.robot.verify(kit.signed(kit.body()))


@pytest.mark.parametrize("endpoint", ["", "card", "event"])
def test_a_webhook_is_refused_politely(desk: Desk, endpoint: str) -> None:
    with pytest.raises(Unverified, match="stream") as refused:
        desk.robot.verify(replace(kit.signed(kit.body()), endpoint=endpoint))
    assert refused.value.status == 403


def test_the_check_asks_the_gateway(gateway: Gateway, desk: Desk) -> None:
    assert [finding.ok for finding in desk.robot.check() if finding.what == "stream gateway"] == [True]
    gateway.opening = [kit.api_error("invalidClientIdOrSecret")]
    (finding,) = [finding for finding in desk.robot.check() if finding.what == "stream gateway"]
    assert "client_secret" in finding.next_step


def test_without_the_package_the_next_step_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dingtalk_stream", None)
    with pytest.raises(ValidationError, match=r"pip install frontdesk\[stream\]"):
        DingTalkSettings(**kit.SETTINGS, mode="stream")
    DingTalkSettings(**kit.SETTINGS, mode="http")


def test_many_frames_at_once_are_all_taken(gateway: Gateway, running: Running) -> None:
    line = gateway.line()
    sent = [line.say(frame(ROBOT, kit.body(msgId=f"m{number}"))) for number in range(250)]
    assert [line.answer()["headers"]["messageId"] for _ in sent] == sent
    assert threading.active_count() < 60
    assert OPEN in {call.path for call in gateway.http.calls}
