"""Bugs that were seen in other DingTalk bots (DingTalk sheet §10), each as what ours does instead.

Here are those of messages. Those of cards (stuck at "thinking", unchecked `deliverResults`, values that are no
strings, the last update not tried again) are named in `test_dingtalk_cards`; those of the stream (late
acknowledgements, an SDK that breaks on quota frames, a connection given up, tickets in logs) in
`test_dingtalk_stream`; deduplication that is not atomic is in the inbox's contract.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.dingtalk.outbound import LARGEST_BODY, LONGEST_TITLE
from adapters.errors import Unverified
from adapters.values import Action, Control, ControlEvent, Delivered, Message, Refused
from tests.adapters import dingtalk_kit as kit
from tests.adapters.dingtalk_desk import Desk, saying
from tests.fakes import Answer, json_answer

SESSION_KEY = "00112233445566778899aabbccddeeff"


@pytest.fixture
def desk() -> Iterator[Desk]:
    with Desk.open() as desk:
        yield desk


def only(desk: Desk, body: dict[str, object]) -> Message:
    (message,) = desk.robot.parse(kit.signed(body))
    assert isinstance(message, Message)
    return message


def test_an_expired_webhook_does_not_lose_the_answer(desk: Desk) -> None:
    reply = desk.reply(desk.with_session(), "好的")
    desk.clock += timedelta(minutes=88)
    assert isinstance(desk.robot.send(reply, 0), Delivered)
    desk.clock = kit.NOW
    desk.server.faults.append(kit.old_error(300001))
    assert isinstance(desk.send(desk.with_session()), Delivered)
    assert desk.ways() == [kit.ONE_TO_ONE, kit.SESSION, kit.ONE_TO_ONE]


def test_an_errcode_inside_http_200_is_no_success(desk: Desk) -> None:
    for errcode in (430102, "430102"):
        desk.server.faults.append(kit.old_error(errcode))
        assert desk.refused(desk.with_session()).code == "430102"


def test_a_late_second_delivery_has_the_same_key_and_another_signature(desk: Desk) -> None:
    first = kit.signed(kit.body())
    again = kit.signed(kit.body(), at=kit.NOW + timedelta(seconds=61))
    assert first.headers != again.headers
    keys = {
        event.key for request in (first, again) for event in desk.robot.parse(request) if isinstance(event, Message)
    }
    assert len(keys) == 1
    assert desk.robot.dedupe_horizon >= timedelta(minutes=10)


def test_a_webhooks_address_does_not_grow_with_every_send(desk: Desk) -> None:
    body = desk.with_session()
    for _ in range(3):
        desk.send(body)
    assert {tuple(call.query.items()) for call in desk.sends()} == {(("session", SESSION_KEY),)}


def test_a_robots_own_words_start_no_conversation_with_itself(desk: Desk) -> None:
    (event,) = desk.robot.parse(kit.signed(kit.body(senderId=kit.BOT)))
    assert isinstance(event, ControlEvent)
    assert event.what == "own_message"


def test_a_rate_limit_that_comes_as_403_is_not_taken_for_a_missing_permission(desk: Desk) -> None:
    for code, action in (("QpsLimitForAppkeyAndApi", Action.RETRY), ("AccessTokenPermissionDenied", Action.ALERT)):
        desk.server.faults.append(kit.api_error(f"Forbidden.AccessDenied.{code}", status=403))
        assert desk.refused(kit.body()).action is action


def test_the_sign_header_is_raw_base64_and_never_percent_encoded(desk: Desk) -> None:
    request = kit.signed(kit.body())
    desk.robot.verify(request)
    encoded = request.headers["sign"].replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    with pytest.raises(Unverified):
        desk.robot.verify(kit.request(kit.body(), {**request.headers, "sign": encoded}))


def test_people_without_a_staff_id_do_not_share_a_session(desk: Desk) -> None:
    guests = [only(desk, kit.group(senderStaffId="", senderId=f"$:LWCP_v1:$g{n}")) for n in (1, 2)]
    assert guests[0].conversation != guests[1].conversation


def test_a_group_is_never_answered_through_the_api_for_persons(desk: Desk) -> None:
    desk.send(kit.group())
    desk.server.faults.append(kit.old_error(300001))
    desk.send(desk.group_with_session())
    assert kit.ONE_TO_ONE not in desk.ways()


def test_the_space_that_a_mention_leaves_breaks_no_command(desk: Desk) -> None:
    assert [only(desk, kit.group(words)).text for words in (" /new", "/new ", " /new\n")] == ["/new"] * 3


def test_a_mention_stands_in_the_text_so_that_it_has_an_effect(desk: Desk) -> None:
    desk.send(desk.group_with_session(), "**好的**")
    (call,) = desk.sends()
    assert call.json["msgtype"] == "markdown"
    assert "@staff01" in kit.shown(call)
    assert call.json["at"]["atUserIds"] == ["staff01"]


def test_a_voice_message_without_a_transcript_is_a_message(desk: Desk) -> None:
    voice = only(desk, kit.body(msgtype="audio", text=None, content={"duration": 1200, "downloadCode": "a"}))
    assert (voice.text, voice.media[0].seconds) == ("", 1.2)


def test_a_quota_frame_without_text_is_no_crash(desk: Desk) -> None:
    (event,) = desk.robot.parse(kit.signed(kit.body(text=None, errorCode=20001, errorMessage="超量")))
    assert isinstance(event, ControlEvent)
    assert event.what == Control.ACCOUNT_BLOCKED
    assert "20001" in event.detail["reason"]


def test_the_token_is_read_from_where_dingtalk_puts_it() -> None:
    nested = json_answer({"data": {"data": {"accessToken": "x", "expireIn": 7200}}})
    with Desk.open(saying(nested)) as desk:
        outcome = desk.send(kit.body())
    assert isinstance(outcome, Refused)
    assert desk.sends() == []


def test_a_title_is_never_the_whole_answer(desk: Desk) -> None:
    desk.send(desk.with_session(), "**" + "很长的一句话" * 100 + "**")
    (call,) = desk.sends()
    assert 0 < len(call.json["markdown"]["title"]) <= LONGEST_TITLE


def test_a_long_answer_is_cut_by_the_bytes_of_the_final_body(desk: Desk) -> None:
    parts = desk.robot.compose("## 标题\n\n" + '他说："好的\\吗？"\n\n' * 3_000)
    for index in range(len(parts)):
        assert isinstance(desk.send(desk.group_with_session(), *parts, index=index), Delivered)
        assert isinstance(desk.send(kit.group(), *parts, index=index), Delivered)
    assert max(len(call.body) for call in desk.sends()) <= LARGEST_BODY


def test_a_conversation_id_keeps_its_case(desk: Desk) -> None:
    upper, lower = (only(desk, kit.body(conversationId=name)) for name in ("cidAbC==", "cidabc=="))
    assert upper.conversation.peer == upper.route["conversation"] == "cidAbC=="
    assert upper.conversation != lower.conversation


def test_no_secret_token_or_webhook_is_logged(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for fault in (
        Answer(cut=True),
        kit.old_error(300001),
        Answer(status=500),
        kit.api_error("InvalidAuthentication"),
    ):
        desk.server.faults.append(fault)
        outcome = desk.send(desk.with_session())
        told = caplog.text + repr(outcome) + repr(desk.robot.settings)
        assert not [secret for secret in (SESSION_KEY, kit.SECRET, kit.TOKEN) if secret in told]


@pytest.mark.parametrize("endpoint", ["card", "event"])
def test_an_absent_signature_is_a_rejection_at_every_door(endpoint: str) -> None:
    keys: dict[str, Any] = {"card_secret": "s", "token": "t", "aes_key": "1" * 43}
    with Desk.open(**keys) as desk, pytest.raises(Unverified):
        desk.robot.verify(replace(kit.request(b'{"encrypt":"AAAA"}', {}), endpoint=endpoint))


@pytest.mark.parametrize("missing", ["timestamp", "sign"])
def test_an_absent_signature_header_is_a_rejection(desk: Desk, missing: str) -> None:
    request = kit.signed(kit.body())
    headers = {name: value for name, value in request.headers.items() if name != missing}
    with pytest.raises(Unverified):
        desk.robot.verify(kit.request(kit.body(), headers))
