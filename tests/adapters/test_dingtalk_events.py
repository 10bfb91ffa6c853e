"""Subscribed events: sealed over HTTP (DingTalk sheet §5), told once."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from adapters.crypto import Seal, Sealed
from adapters.dingtalk.settings import DingTalkSettings
from adapters.errors import Malformed, Unverified
from adapters.values import Control, ControlEvent, DeliveryState, Event, Request, StatusUpdate
from tests.adapters import dingtalk_kit as kit
from tests.adapters.dingtalk_desk import Desk
from tests.contracts.channel_kit import wrong_types

KEY = "1234567890123456789012345678901234567890123"
OTHER_KEY = "abcdefghijabcdefghijabcdefghijabcdefghijabc"
EVENTS: dict[str, Any] = {"token": "KitToken", "aes_key": KEY}
READ = {
    "EventType": "robot_msg_read",
    "CorpId": kit.CORP,
    "RobotCode": kit.ROBOT,
    "ProcessQueryKey": "pqk1=",
    "OperatTime": kit.milliseconds(kit.NOW),
    "eventId": "e-1",
}


@pytest.fixture
def desk() -> Iterator[Desk]:
    with Desk.open(**EVENTS) as desk:
        yield desk


TOKEN = "KitToken"


def seal(token: str = TOKEN, key: str = KEY, owner: str = kit.ROBOT) -> Seal:
    return Seal(token=token, encoding_aes_key=key, receive_id=owner)


def pushed(body: object, by: Seal | None = None, *, name: str = "msg_signature") -> Request:
    plain = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    sealed = (by or seal()).close(plain, timestamp=str(kit.milliseconds(kit.NOW)), nonce="n0nce")
    query = {name: sealed.signature, "timestamp": sealed.timestamp, "nonce": sealed.nonce}
    raw = json.dumps({"encrypt": sealed.encrypt}).encode()
    return replace(kit.request(raw, {}), query=query, endpoint="event", path="/webhooks/shop/event")


def told(desk: Desk, body: object) -> list[Event]:
    request = pushed(body)
    desk.robot.verify(request)
    return list(desk.robot.parse(request))


def test_a_message_that_was_read_is_a_status(desk: Desk) -> None:
    for moment in (READ["OperatTime"], str(READ["OperatTime"])):  # the types differ between pages
        assert told(desk, {**READ, "OperatTime": moment}) == [
            StatusUpdate(channel="shop", platform_id="pqk1=", state=DeliveryState.READ, at=kit.NOW)
        ]


def test_a_recalled_message_is_told_once(desk: Desk) -> None:
    recalled = {**READ, "EventType": "robot_msg_recall", "eventId": "e-2"}
    (event,) = told(desk, recalled)
    assert isinstance(event, ControlEvent)
    assert (event.what, event.detail) == ("message_recalled", {"platform_id": "pqk1="})
    assert told(desk, recalled) == []
    assert list(desk.another().parse(pushed(recalled))) == [], "other processes know of it"
    assert len(told(desk, {**recalled, "eventId": "e-3"})) == 1


def test_checking_the_address_says_nothing_but_is_answered(desk: Desk) -> None:
    request = pushed({"EventType": "check_url"})
    desk.robot.verify(request)
    assert desk.robot.parse(request) == ()
    assert opened(desk.robot.answer(request, ()).body) == "success"


def opened(body: bytes, by: Seal | None = None) -> str:
    given = json.loads(body)
    assert set(given) == {"msg_signature", "timeStamp", "nonce", "encrypt"}
    sealed = Sealed(
        encrypt=given["encrypt"],
        signature=given["msg_signature"],
        timestamp=given["timeStamp"],
        nonce=given["nonce"],
    )
    return (by or seal()).open(sealed)


@pytest.mark.parametrize("owner", [kit.ROBOT, kit.CORP])
def test_the_owner_is_the_app_or_the_organisation_and_is_answered_alike(desk: Desk, owner: str) -> None:
    by = seal(owner=owner)
    request = pushed(READ, by)
    desk.robot.verify(request)
    assert opened(desk.robot.answer(request, ()).body, by) == "success"


def test_an_older_sender_names_the_signature_otherwise(desk: Desk) -> None:
    desk.robot.verify(pushed(READ, name="signature"))


def test_token_and_key_can_be_rotated_each_by_itself() -> None:
    settings: dict[str, Any] = {
        "token": "NewToken",
        "token_previous": "KitToken",
        "aes_key": OTHER_KEY,
        "aes_key_previous": KEY,
    }
    with Desk.open(**settings) as desk:
        for token in ("NewToken", "KitToken"):
            for key in (OTHER_KEY, KEY):
                by = seal(token, key)
                request = pushed(READ, by)
                desk.robot.verify(request)
                assert opened(desk.robot.answer(request, ()).body, by) == "success"


def test_a_forged_event_is_refused(desk: Desk) -> None:
    good = pushed(READ)
    forged = [
        pushed(READ, seal("OtherToken")),
        pushed(READ, seal(owner="dingother")),
        replace(good, query={}),
        replace(good, query={**good.query, "msg_signature": ""}),
        replace(good, query={**good.query, "msg_signature": "é"}),
        replace(good, query={**good.query, "nonce": "other"}),
    ]
    for request in forged:
        with pytest.raises(Unverified):
            desk.robot.verify(request)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"encrypt":""}', b'{"encrypt":[1]}', b'{"EventType":"check_url"}']
)
def test_a_body_without_an_envelope_is_malformed(desk: Desk, body: bytes) -> None:
    with pytest.raises(Malformed):
        desk.robot.verify(replace(pushed(READ), body=body))


@pytest.mark.parametrize("plain", ["success", "[]", "", '"x"'])
def test_an_authentic_envelope_around_no_event_is_malformed(desk: Desk, plain: str) -> None:
    with pytest.raises(Malformed):
        desk.robot.verify(pushed(plain))


def test_a_robots_signature_does_not_open_the_events(desk: Desk) -> None:
    with pytest.raises((Unverified, Malformed)):
        desk.robot.verify(replace(kit.signed(kit.body()), endpoint="event"))


def test_without_keys_no_event_is_believed() -> None:
    with Desk.open() as desk, pytest.raises(Unverified, match="aes_key"):
        desk.robot.verify(pushed(READ))


@pytest.mark.parametrize("fields", [{"CorpId": "dingother"}, {"RobotCode": "dingother"}])
def test_an_event_of_another_robot_changes_nothing(desk: Desk, fields: dict[str, str]) -> None:
    (event,) = told(desk, {**READ, **fields})
    assert isinstance(event, ControlEvent)
    assert event.what == "other_robot"


def test_an_exceeded_quota_blocks_the_account(desk: Desk) -> None:
    for field in ("errCode", "errorCode"):
        (event,) = told(desk, {field: 20001, "errMsg": "超量"})
        assert isinstance(event, ControlEvent)
        assert event.what == Control.ACCOUNT_BLOCKED
        assert event.detail["reason"]


@pytest.mark.parametrize("value", [None, 7, [], {}, "x" * 5000])
def test_odd_fields_of_an_event_break_nothing(desk: Desk, value: Any) -> None:
    for field in READ:
        told(desk, {**READ, field: value})


def test_every_event_of_another_kind_is_noted_by_its_name(desk: Desk) -> None:
    (event,) = told(desk, {"EventType": "user_add_org", "CorpId": kit.CORP, "eventId": "e-9"})
    assert isinstance(event, ControlEvent)
    assert (event.what, event.detail) == ("platform_event", {"type": "user_add_org"})


def test_a_key_whose_last_character_carries_unused_bits_is_taken() -> None:
    DingTalkSettings(**kit.SETTINGS, token="t", aes_key="1234567890123456789012345678901234567890123")


def test_no_shape_of_an_event_breaks_anything(desk: Desk) -> None:
    for body in wrong_types({**READ, "errCode": "0", "EventTime": 1}):
        request = pushed(body)
        try:
            events = desk.robot.parse(request)
        except Malformed:
            continue
        assert opened(desk.robot.answer(request, events).body) == "success"
