"""How DingTalk's customers get their answers, and what becomes of those that they do not get."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from adapters.values import Action, Delivered, Message, Part, Refused, Reply, Unknown, reply_key
from tests.adapters import dingtalk_kit as kit
from tests.adapters.dingtalk_desk import Desk, saying
from tests.fakes import Answer, Call, RecordingServer, html_answer, json_answer

SECOND = timedelta(seconds=1)
CLOSED = kit.old_error(300001)


@pytest.fixture
def desk() -> Iterator[Desk]:
    with Desk.open() as desk:
        yield desk


# ---- the way ----


def test_an_open_session_webhook_is_used_without_a_token(desk: Desk) -> None:
    assert desk.send(desk.with_session()) == Delivered()
    assert desk.ways() == [kit.SESSION]
    assert desk.tokens_asked() == 0
    assert "x-acs-dingtalk-access-token" not in desk.sends()[0].headers


def test_a_webhook_that_ends_within_five_minutes_is_left_alone(desk: Desk) -> None:
    """Five minutes before its end, the answer goes by the OpenAPI."""
    body = desk.with_session()
    for minutes, way in ((84.9, kit.SESSION), (85, kit.ONE_TO_ONE), (200, kit.ONE_TO_ONE)):
        desk.server.calls.clear()
        (message,) = desk.robot.parse(kit.signed(body))
        assert isinstance(message, Message)
        desk.clock = kit.NOW + timedelta(minutes=minutes)
        parts = (Part(text="x"),)
        reply = Reply(key=reply_key(message), conversation=message.conversation, parts=parts, route=message.route)
        assert isinstance(desk.robot.send(reply, 0), Delivered)
        assert desk.ways() == [way]


@pytest.mark.parametrize(
    "closing",
    [
        CLOSED,
        kit.old_error("300001"),
        kit.old_error(90030),
        kit.api_error("session.expired"),
        kit.api_error("session.notExisted"),
        Answer(status=404),
        Answer(status=410, body=b"gone"),
    ],
)
@pytest.mark.parametrize("kind", ["person", "group"])
def test_a_closed_webhook_leads_to_the_openapi_in_the_same_send(desk: Desk, closing: Answer, kind: str) -> None:
    desk.server.faults.append(closing)
    body = desk.with_session() if kind == "person" else desk.group_with_session()
    assert isinstance(desk.send(body), Delivered)
    assert desk.ways() == [kit.SESSION, kit.ONE_TO_ONE if kind == "person" else kit.TO_GROUP]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(cut=True),
        html_answer(502),
        kit.old_error(430102),
        kit.old_error(460101),
        kit.old_error(-1),
        kit.old_error(90018),
    ],
    ids=["cut", "502", "unsafe", "long", "busy", "fast"],
)
def test_no_other_answer_of_a_webhook_leads_to_a_second_send(desk: Desk, answer: Answer) -> None:
    desk.server.faults.append(answer)
    assert not isinstance(desk.send(desk.with_session()), Delivered)
    assert desk.ways() == [kit.SESSION]


def test_a_guest_without_staff_id_can_only_be_answered_by_the_webhook(desk: Desk) -> None:
    assert desk.send(desk.with_session(senderStaffId="")) == Delivered()
    desk.server.faults.append(CLOSED)
    refused = desk.refused(desk.with_session(senderStaffId=""))
    assert refused.action is Action.WINDOW
    assert desk.ways() == [kit.SESSION, kit.SESSION]
    assert desk.refused(kit.body(senderStaffId="")).action is Action.WINDOW


def test_a_person_is_written_to_by_their_staff_id(desk: Desk) -> None:
    assert desk.send(kit.body()) == Delivered(platform_id="pqkKit0001=")
    (call,) = desk.sends()
    assert call.path == kit.ONE_TO_ONE
    assert call.json == {
        "robotCode": kit.ROBOT,
        "userIds": ["staff01"],
        "msgKey": "sampleText",
        "msgParam": '{"content":"好的"}',
    }


def test_a_group_is_written_to_by_its_conversation(desk: Desk) -> None:
    assert desk.send(kit.group()) == Delivered(platform_id="pqkKit0002=")
    (call,) = desk.sends()
    assert call.path == kit.TO_GROUP
    assert call.json["openConversationId"] == "cidKit0001+/=="
    assert "userIds" not in call.json


# ---- tokens ----


def test_one_token_serves_all_processes_and_sends(desk: Desk) -> None:
    desk.send(kit.body())
    desk.send(kit.group())
    desk.robot = desk.another()
    desk.send(kit.body())
    assert desk.tokens_asked() == 1
    assert len({call.headers["x-acs-dingtalk-access-token"] for call in desk.sends()}) == 1


@pytest.mark.parametrize("code", ["InvalidAuthentication", 40014, 42001, 40001])
def test_a_rejected_token_is_replaced_and_the_send_repeated_once(desk: Desk, code: Any) -> None:
    rejected = kit.api_error(code) if isinstance(code, str) else kit.old_error(code)
    desk.server.faults.append(rejected)
    assert isinstance(desk.send(kit.body()), Delivered)
    first, second = desk.sends()
    assert first.body == second.body
    assert first.headers["x-acs-dingtalk-access-token"] != second.headers["x-acs-dingtalk-access-token"]
    assert desk.tokens_asked() == 2


def test_a_token_that_is_rejected_again_is_a_refusal(desk: Desk) -> None:
    desk.server.faults.extend([kit.api_error("InvalidAuthentication")] * 2)
    assert desk.refused(kit.body()).code == "InvalidAuthentication"
    assert len(desk.sends()) == 2


@pytest.mark.parametrize(
    ("answer", "action", "code"),
    [
        (kit.api_error("invalidClientIdOrSecret"), Action.ALERT, "invalidClientIdOrSecret"),
        (kit.api_error("Forbidden.AccessDenied.QpsLimitForApi", status=403), Action.RETRY, "QpsLimitForApi"),
        (html_answer(502), Action.RETRY, ""),
        (json_answer({}), Action.RETRY, ""),
        (json_answer({"data": {"data": {"accessToken": "x"}}}), Action.RETRY, ""),
        (Answer(cut=True), Action.RETRY, ""),
    ],
)
def test_without_a_token_nothing_was_sent(answer: Answer, action: Action, code: str) -> None:
    with Desk.open(saying(answer)) as desk:
        refused = desk.refused(kit.body())
    assert refused.action is action
    assert refused.code.endswith(code)
    assert kit.SECRET not in refused.reason
    assert desk.sends() == []


# ---- what DingTalk says ----


@pytest.mark.parametrize("errcode", [0, "0"])
def test_success_is_a_number_or_a_string(desk: Desk, errcode: Any) -> None:
    desk.server.faults.append(json_answer({"errcode": errcode, "errmsg": "ok"}))
    assert desk.send(desk.with_session()) == Delivered()


@pytest.mark.parametrize("body", [{}, {"ok": True}, {"errcode": None}, {"errcode": [0]}])
def test_a_webhooks_answer_without_errcode_is_unknown(desk: Desk, body: dict[str, Any]) -> None:
    desk.server.faults.append(json_answer(body))
    assert isinstance(desk.send(desk.with_session()), Unknown)


def test_an_openapi_answer_without_key_is_unknown(desk: Desk) -> None:
    desk.server.faults.append(json_answer({"invalidStaffIdList": []}))
    assert isinstance(desk.send(kit.body()), Unknown)


@pytest.mark.parametrize(
    ("field", "action"),
    [
        ("invalidStaffIdList", Action.GIVE_UP),
        ("filteredStaffIdList", Action.GIVE_UP),
        ("flowControlledStaffIdList", Action.RETRY),
    ],
)
def test_an_accepted_send_may_name_those_who_get_nothing(desk: Desk, field: str, action: Action) -> None:
    desk.server.faults.append(json_answer({"processQueryKey": "x", field: ["staff01"]}))
    assert desk.refused(kit.body()).action is action


DENIED = "Forbidden.AccessDenied."


@pytest.mark.parametrize(
    ("answer", "action", "wait"),
    [
        (kit.api_error(f"{DENIED}QpsLimitForAppkeyAndApi", status=403), Action.RETRY, SECOND),
        (kit.api_error(f"{DENIED}QpsLimitForApi", status=403), Action.RETRY, SECOND),
        (kit.api_error(f"{DENIED}QpmLimitForAppkeyAndApi", status=403), Action.RETRY, 60 * SECOND),
        (kit.api_error(f"{DENIED}IpNotInWhiteList", status=403), Action.ALERT, None),
        (kit.api_error(f"{DENIED}ApiCountLimitForOrg", status=403), Action.ALERT, None),
        (kit.api_error("invalidParameter.anything.new"), Action.GIVE_UP, None),
        (kit.api_error("contain.notAllowed.word"), Action.GIVE_UP, None),
        (kit.api_error("invalidParameter.msgParam.tooLong"), Action.SPLIT, None),
        (kit.api_error("system.error", status=500), Action.RETRY, 2 * SECOND),
        (kit.api_error("system.busy", status=503), Action.RETRY, 2 * SECOND),
        (kit.old_error(88), Action.RETRY, 2 * SECOND),
        (kit.old_error(88, sub_code="60020"), Action.ALERT, None),
        (json_answer({"errcode": 88, "errmsg": "ding talk error[subcode=60011,submsg=x]"}), Action.ALERT, None),
        (kit.old_error(88, sub_code="12345"), Action.ALERT, None),
        (kit.old_error(410100), Action.RETRY, 600 * SECOND),
    ],
)
def test_a_code_asks_for_its_action(desk: Desk, answer: Answer, action: Action, wait: timedelta | None) -> None:
    desk.server.faults.append(answer)
    refused = desk.refused(kit.body())
    assert (refused.action, refused.retry_after) == (action, wait)


@pytest.mark.parametrize(
    ("answer", "waits"),
    [
        (kit.api_error(f"{DENIED}QpsLimitForAppkeyAndApi", status=403), [1, 4, 16, 60]),
        (kit.api_error(f"{DENIED}QpsLimitForApi", status=403), [1, 4, 16, 60]),
        (kit.api_error("system.busy", status=500), [2, 10, 60]),
        (kit.old_error(-1), [2, 10, 60]),
        (kit.old_error("15"), [2, 10, 60]),
        (kit.old_error(88), [2, 10, 60]),
    ],
)
def test_what_may_pass_is_tried_as_often_as_dingtalk_asks(desk: Desk, answer: Answer, waits: list[int]) -> None:
    for wait in waits:
        desk.server.faults.append(answer)
        refused = desk.refused(kit.body())
        assert (refused.action, refused.retry_after) == (Action.RETRY, wait * SECOND)
    desk.server.faults.append(answer)
    assert desk.refused(kit.body()).action is Action.GIVE_UP


def test_a_success_ends_the_count_of_refusals(desk: Desk) -> None:
    for _ in range(2):
        desk.server.faults.append(kit.api_error("system.busy", status=500))
        assert desk.refused(kit.body()).retry_after == 2 * SECOND
        assert isinstance(desk.send(kit.body()), Delivered)


LONG = "".join(f"第{number}句话说得很长很长很长很长。" for number in range(150))


@pytest.mark.parametrize("answer", [kit.old_error(460101), kit.old_error("101002")])
def test_what_the_webhook_finds_too_long_goes_out_in_pieces(desk: Desk, answer: Answer) -> None:
    desk.server.faults.append(answer)
    assert isinstance(desk.send(desk.with_session(), LONG), Delivered)
    whole, *pieces = [kit.shown(call) for call in desk.sends()]
    assert whole == "".join(pieces) == LONG
    assert len(pieces) == 2


def test_what_the_openapi_finds_too_long_goes_out_in_pieces(desk: Desk) -> None:
    desk.server.faults.append(kit.api_error("invalidParameter.msgParam.tooLong"))
    assert isinstance(desk.send(kit.body(), LONG), Delivered)
    assert "".join(kit.shown(call) for call in desk.sends()[1:]) == LONG


def test_what_is_always_too_long_is_not_cut_for_ever(desk: Desk) -> None:
    desk.server.faults.extend([kit.old_error(460101)] * 50)
    outcome = desk.send(desk.with_session(), LONG)
    assert isinstance(outcome, Refused)
    assert outcome.action is Action.SPLIT
    assert len(desk.sends()) < 8


@pytest.mark.parametrize("fault", [kit.old_error(-1), Answer(cut=True), Answer(status=504)])
def test_the_beginning_of_a_long_answer_is_never_said_again(desk: Desk, fault: Answer) -> None:
    desk.server.faults.extend([kit.old_error(460101), json_answer(kit.GOOD[kit.SESSION]), fault])
    outcome = desk.send(desk.with_session(), LONG)
    assert isinstance(outcome, Refused)
    assert outcome.action is Action.GIVE_UP
    assert "only the beginning" in outcome.reason


def test_a_spent_quota_of_webhooks_is_told_where_no_other_way_leads_to_a_guest(desk: Desk) -> None:
    desk.server.faults.append(kit.old_error(90030))
    refused = desk.refused(desk.with_session(senderStaffId=None))
    assert (refused.action, refused.code) == (Action.ALERT, "90030")


def test_a_missing_permission_is_named(desk: Desk) -> None:
    detail = {"accessdenieddetail": {"requiredScopes": ["qyapi_robot_sendmsg", "Card.Instance.Write"]}}
    desk.server.faults.append(kit.api_error(f"{DENIED}AccessTokenPermissionDenied", status=403, **detail))
    refused = desk.refused(kit.body())
    assert refused.action is Action.ALERT
    assert "qyapi_robot_sendmsg, Card.Instance.Write" in refused.reason


def test_a_gateway_that_timed_out_may_have_delivered(desk: Desk) -> None:
    desk.server.faults.append(kit.api_error("system.busy", status=504))
    assert isinstance(desk.send(kit.body()), Unknown)


@pytest.mark.parametrize(
    "page",
    [
        json_answer({"status": 1111, "wait": 5, "source": "x5", "punish": "deny"}),
        json_answer({"status": "1111"}, status=403),
        html_answer(403),
        html_answer(405),
        Answer(body=b'<html><script src="/_____tmd_____/punish?x5step=1"></script></html>'),
    ],
)
@pytest.mark.parametrize("way", ["webhook", "openapi"])
def test_a_punished_address_makes_no_call_for_five_minutes(desk: Desk, page: Answer, way: str) -> None:
    body = desk.with_session() if way == "webhook" else kit.body()
    desk.server.faults.append(page)
    first = desk.refused(body)
    assert (first.action, first.code, first.retry_after) == (Action.RETRY, "1111", 300 * SECOND)
    desk.clock += 100 * SECOND
    calls = len(desk.server.calls)
    assert desk.refused(body).retry_after == 200 * SECOND
    assert len(desk.server.calls) == calls
    desk.clock += 200 * SECOND
    assert isinstance(desk.send(body), Delivered)


# ---- the operator ----


def test_a_working_robot_is_found_without_sending_anything(desk: Desk) -> None:
    assert [(finding.what, finding.ok) for finding in desk.robot.check()] == [
        ("access token", True),
        ("robot", True),
        ("1 api calls in 2026-11, of 5000", True),
        ("0 webhook messages in 2026-11, of 3000", True),
    ]
    assert desk.sends() == []


@pytest.mark.parametrize(
    ("answer", "step"),
    [
        (kit.api_error("robotCode.notExsit"), "robot_code"),
        (kit.api_error("invalidParameter.robotCode.notExsit"), "robot_code"),
        (
            kit.api_error(
                f"{DENIED}AccessTokenPermissionDenied",
                status=403,
                accessdenieddetail={"requiredScopes": ["qyapi_robot_sendmsg"]},
            ),
            "qyapi_robot_sendmsg",
        ),
        (kit.api_error(f"{DENIED}IpNotInWhiteList", status=403), "IP"),
        (Answer(cut=True), "network"),
    ],
)
def test_what_a_robot_lacks_is_a_finding_with_the_next_step(answer: Answer, step: str) -> None:
    def platform(call: Call) -> Answer:
        return kit.platform(call) if call.path == kit.TOKEN_PATH else answer

    with Desk.open(RecordingServer(platform)) as desk:
        token, robot, *_ = desk.robot.check()
    assert token.ok
    assert not robot.ok
    assert step in robot.next_step


def test_a_wrong_secret_is_a_finding_with_the_next_step() -> None:
    with Desk.open(saying(kit.api_error("invalidClientIdOrSecret"))) as desk:
        (finding,) = desk.robot.check()
    assert not finding.ok
    assert "client_secret" in finding.next_step
    assert kit.SECRET not in finding.next_step
