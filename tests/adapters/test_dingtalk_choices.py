"""Choices as buttons, and what a tap says (DingTalk sheet §3.3)."""

import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from hmac import digest
from typing import Any

import pytest

from adapters.dingtalk.choices import BUTTONS
from adapters.errors import Malformed, Unverified
from adapters.surface import Content
from adapters.values import Action, Choice, ControlEvent, Delivered, Message, Part, Refused, Reply, Request
from tests.adapters import dingtalk_kit as kit
from tests.adapters.dingtalk_desk import Desk
from tests.contracts.channel_kit import wrong_types
from tests.fakes import Answer, Call, RecordingServer

SECRET = "kit-card-secret"
BY_HTTP: dict[str, Any] = {"choice_template_id": "c-1.schema", "card_route_key": "kit", "card_secret": SECRET}
RED, BLUE = Choice(id="r", title="红"), Choice(id="b", title="蓝")
ASKED = Part(text="哪个颜色？", choices=(RED, BLUE))


@pytest.fixture
def desk() -> Iterator[Desk]:
    server = RecordingServer(kit.platform, lambda call: call.path == kit.CREATE)
    with Desk.open(server, **BY_HTTP) as desk:
        yield desk


def asking(desk: Desk, body: dict[str, Any] | None = None, *parts: Part) -> Reply:
    return replace(desk.reply(body or kit.body(), "x"), parts=parts or (ASKED,))


def tap(track: str, action: str, /, **fields: Any) -> dict[str, Any]:
    content = {"cardPrivateData": {"actionIds": [action], "params": {"action": action}}}
    whole = {
        "type": "actionCallback",
        "outTrackId": track,
        "corpId": kit.CORP,
        "userId": "staff01",
        "content": json.dumps(content),
    }
    return {**whole, **fields}


def callback(body: object, *, secret: str = SECRET, age: timedelta = timedelta()) -> Request:
    stamp = str(kit.milliseconds(kit.NOW - age))
    sign = b64encode(digest(secret.encode(), stamp.encode(), sha256)).decode()
    headers = {"x-ddpaas-signature-timestamp": stamp, "x-ddpaas-signature": sign}
    raw = json.dumps(body).encode()
    return replace(kit.request(raw, headers), path="/webhooks/shop/card", endpoint="card")


def tapped(desk: Desk, request: Request) -> Any:
    desk.robot.verify(request)
    (event,) = desk.robot.parse(request)
    return event


def asked(desk: Desk, body: dict[str, Any] | None = None) -> str:
    """Sends the choices; the card's number."""
    assert isinstance(desk.robot.send(asking(desk, body), 0), Delivered)
    track: str = desk.calls(kit.CREATE)[-1].json["outTrackId"]
    return track


def test_choices_are_a_card_whose_buttons_call_back(desk: Desk) -> None:
    asked(desk)
    sent = desk.calls(kit.CREATE)[0].json
    assert (sent["cardTemplateId"], sent["callbackType"], sent["callbackRouteKey"]) == ("c-1.schema", "HTTP", "kit")
    values = sent["cardData"]["cardParamMap"]
    assert (values["text"], values["choice1"], values["choice2"], values["choice3"]) == (
        "哪个颜色？",
        "红",
        "蓝",
        "",
    )
    assert desk.sends() == []


def test_a_tap_is_a_message_with_the_choices_title(desk: Desk) -> None:
    event = tapped(desk, callback(tap(asked(desk), "2")))
    (typed,) = desk.robot.parse(kit.signed(kit.body()))
    assert isinstance(event, Message)
    assert isinstance(typed, Message)
    assert (event.text, event.kind) == ("蓝", "actionCallback")
    assert event.conversation == typed.conversation
    assert {**event.route, "nick": "王芳"} == typed.route


def test_a_tap_in_a_group_belongs_to_who_tapped(desk: Desk) -> None:
    track = asked(desk, kit.group())
    events = [tapped(desk, callback(tap(track, "1", userId=user))) for user in ("staff01", "staff02")]
    assert [event.conversation.peer for event in events] == ["cidKit0001+/==:staff01", "cidKit0001+/==:staff02"]
    assert {event.route["type"] for event in events} == {"2"}


def test_a_tap_counts_once_however_often_it_is_delivered(desk: Desk) -> None:
    track = asked(desk)
    keys = [tapped(desk, callback(tap(track, action))).key for action in ("1", "1", "2")]
    assert keys[0] == keys[1] != keys[2]


def test_the_callback_is_answered_with_what_the_card_then_shows(desk: Desk) -> None:
    request = callback(tap(asked(desk), "1"))
    answer = desk.robot.answer(request, [tapped(desk, request)])
    assert json.loads(answer.body) == {
        "cardData": {"cardParamMap": {"chosen": "红"}},
        "cardUpdateOptions": {"updateCardDataByKey": True, "updatePrivateDataByKey": True},
    }


def test_another_process_understands_the_tap(desk: Desk) -> None:
    (event,) = desk.another().parse(callback(tap(asked(desk), "1")))
    assert isinstance(event, Message)


def test_a_tap_on_a_card_of_nobodys_is_only_noted(desk: Desk) -> None:
    for body in (tap("other", "1"), tap(asked(desk), "7"), tap(asked(desk), "1", userId=""), tap("", "")):
        event = tapped(desk, callback(body))
        assert isinstance(event, ControlEvent)
        assert event.what == "card_action"


def test_a_callback_that_says_enough_needs_nothing_kept(desk: Desk) -> None:
    params = {"cardPrivateData": {"actionIds": ["9"], "params": {"title": "红"}}}
    body = tap("old", "9", content=json.dumps(params), spaceId="cidKit0001+/==", spaceType="IM_ROBOT")
    event = tapped(desk, callback(body))
    assert isinstance(event, Message)
    assert (event.text, event.conversation.peer) == ("红", "cidKit0001+/==")


def test_a_callback_of_another_organisation_is_none_of_ours(desk: Desk) -> None:
    event = tapped(desk, callback(tap(asked(desk), "1", corpId="dingother")))
    assert isinstance(event, ControlEvent)
    assert event.what == "other_corp"


@pytest.mark.parametrize(
    "content", ["{", "\ud800", None, [], {"cardPrivateData": []}, '{"cardPrivateData":{"actionIds":[1]}}']
)
def test_an_odd_callback_is_noted_or_malformed(desk: Desk, content: Any) -> None:
    request = callback(tap(asked(desk), "1", content=content))
    try:
        (event,) = desk.robot.parse(request)
    except Malformed:
        return
    assert isinstance(event, ControlEvent)


def test_a_callback_without_a_valid_signature_is_refused(desk: Desk) -> None:
    good = callback(tap(asked(desk), "1"))
    desk.robot.verify(good)
    stamp = good.headers["x-ddpaas-signature-timestamp"]
    for headers in (
        {},
        {"x-ddpaas-signature-timestamp": stamp},
        {"x-ddpaas-signature": good.headers["x-ddpaas-signature"]},
        {"x-ddpaas-signature-timestamp": stamp, "x-ddpaas-signature": ""},
        {"x-ddpaas-signature-timestamp": stamp, "x-ddpaas-signature": "é"},
        kit.signed(kit.body()).headers,
    ):
        with pytest.raises(Unverified):
            desk.robot.verify(replace(good, headers=headers))
    for odd in (
        callback({}, secret="other"),
        callback({}, age=timedelta(hours=2)),
        callback({}, age=-timedelta(hours=2)),
    ):
        with pytest.raises(Unverified):
            desk.robot.verify(odd)


def test_the_secret_can_be_rotated() -> None:
    with Desk.open(**{**BY_HTTP, "card_secret": "new", "card_secret_previous": SECRET}) as desk:
        desk.robot.verify(callback({}))
        desk.robot.verify(callback({}, secret="new"))


def test_without_a_secret_no_callback_is_believed() -> None:
    with Desk.open() as desk, pytest.raises(Unverified):
        desk.robot.verify(callback({}, secret=""))


# ---- where there are no buttons ----


def test_without_a_template_choices_are_a_numbered_list() -> None:
    with Desk.open() as desk:
        (part,) = desk.robot.parts(Content(markdown="哪个？", choices=(RED, BLUE)))
        assert part.choices == ()
        assert "1. 红" in part.text


def test_with_a_template_choices_stay_choices(desk: Desk) -> None:
    (part,) = desk.robot.parts(Content(markdown="哪个？", choices=(RED, BLUE)))
    assert part.choices == (RED, BLUE)
    many = tuple(Choice(id=str(number), title=f"选项{number}") for number in range(BUTTONS.most + 1))
    assert all(not each.choices for each in desk.robot.parts(Content(markdown="哪个？", choices=many)))


def test_a_guest_whom_no_card_can_reach_gets_the_list(desk: Desk) -> None:
    body = desk.with_session(senderStaffId=None)
    assert isinstance(desk.robot.send(asking(desk, body), 0), Delivered)
    assert "2. 蓝" in kit.shown(desk.sends()[0])


@pytest.mark.parametrize("code", ["param.templateNotExist", "Forbidden.AccessDenied.AccessTokenPermissionDenied"])
def test_a_card_that_cannot_be_made_gives_way_to_the_list(desk: Desk, code: str) -> None:
    desk.server.faults.append(kit.api_error(code, status=403 if "Forbidden" in code else 400))
    assert isinstance(desk.robot.send(asking(desk), 0), Delivered)
    assert "1. 红\n2. 蓝" in kit.shown(desk.sends()[0])


def test_a_card_that_dingtalk_has_no_time_for_gives_way_to_the_list_in_the_end(desk: Desk) -> None:
    reply = asking(desk)
    for wait in (1, 4, 16, 60):
        desk.server.faults.append(kit.api_error("Forbidden.AccessDenied.QpsLimitForAppkeyAndApi", status=403))
        refused = desk.robot.send(reply, 0)
        assert isinstance(refused, Refused)
        assert (refused.action, refused.retry_after) == (Action.RETRY, timedelta(seconds=wait))
    desk.server.faults.append(kit.api_error("Forbidden.AccessDenied.QpsLimitForAppkeyAndApi", status=403))
    assert isinstance(desk.robot.send(reply, 0), Delivered)
    assert "1. 红\n2. 蓝" in kit.shown(desk.sends()[0])


@pytest.mark.parametrize("fault", [Answer(cut=True), Answer(status=504)])
def test_a_card_that_may_have_been_made_is_asked_for_again_by_its_own_number(desk: Desk, fault: Answer) -> None:
    desk.server.faults.append(fault)
    reply = asking(desk)
    refused = desk.robot.send(reply, 0)
    assert isinstance(refused, Refused)
    assert refused.action is Action.RETRY
    desk.server.faults.append(kit.api_error("param.cardAlreadyExist"))
    assert isinstance(desk.robot.send(reply, 0, again=True), Delivered)
    assert len({call.json["outTrackId"] for call in desk.calls(kit.CREATE)}) == 1
    assert desk.sends() == []


def test_choices_behind_a_grown_card_have_a_card_of_their_own() -> None:
    settings = {**BY_HTTP, "card_template_id": "t-1.schema", "card_key": "content"}

    def platform(call: Call) -> Answer:
        return kit.platform(call)

    with Desk.open(RecordingServer(platform), **settings) as desk:
        reply = asking(desk)
        (message,) = desk.robot.parse(kit.signed(kit.body()))
        assert isinstance(message, Message)
        growing = desk.robot.writing([message], reply.key)
        assert growing is not None
        growing.show("哪个")
        while not desk.calls(kit.STREAMING):
            pass
        growing.end()
        assert isinstance(desk.robot.send(reply, 0), Delivered)
        assert [call.json["outTrackId"] for call in desk.calls(kit.CREATE)] == [reply.key, f"{reply.key}-choice"]
        assert desk.sends() == []


def test_no_shape_of_a_callback_breaks_anything(desk: Desk) -> None:
    whole = {**tap(asked(desk), "1"), "spaceId": "cid", "spaceType": "IM_GROUP"}
    inside = json.loads(whole["content"])
    bodies = [*wrong_types(whole), *({**whole, "content": content} for content in wrong_types(inside))]
    for body in bodies:
        request = callback(body)
        try:
            events = desk.robot.parse(request)
        except Malformed:
            continue
        assert json.loads(desk.robot.answer(request, events).body)["cardUpdateOptions"]
