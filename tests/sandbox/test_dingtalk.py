"""The fake DingTalk verifies a bot as the real one does."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from bot.sandbox.dingtalk import DingTalkPlatform
from bot.sandbox.dingtalk.robot import sign
from bot.sandbox.simulator.faults import Fault
from tests.fakes import RecordingServer
from tests.sandbox.bots import recording_bot

STAFF = "manager4220"
GROUP = "cidGroup01=="
ONE_TO_ONE = "/v1.0/robot/oToMessages/batchSend"
TO_GROUP = "/v1.0/robot/groupMessages/send"


@pytest.fixture
def bot() -> Iterator[RecordingServer]:
    with recording_bot() as server:
        yield server


@pytest.fixture
def platform(bot: RecordingServer) -> Iterator[DingTalkPlatform]:
    with DingTalkPlatform(webhook_url=f"{bot.url}/webhooks/ding", strangers=False) as fake:
        yield fake


def token(platform: DingTalkPlatform) -> str:
    body = {"appKey": platform.client_id, "appSecret": platform.client_secret}
    answer = requests.post(f"{platform.url}/v1.0/oauth2/accessToken", json=body, timeout=10)
    return str(answer.json()["accessToken"])


def call(
    platform: DingTalkPlatform, path: str, body: Any, access_token: str | None = None
) -> tuple[int, dict[str, Any]]:
    answer = requests.post(
        f"{platform.url}{path}",
        json=body,
        headers={"x-acs-dingtalk-access-token": token(platform) if access_token is None else access_token},
        timeout=10,
    )
    return answer.status_code, answer.json()


def robot_message(platform: DingTalkPlatform, **changes: Any) -> dict[str, Any]:
    parameter = json.dumps({"title": "回复", "text": "**好的**"}, ensure_ascii=False)
    return {
        "robotCode": platform.robot_code,
        "userIds": [STAFF],
        "msgKey": "sampleMarkdown",
        "msgParam": parameter,
        **changes,
    }


def reply(url: str, body: Any) -> Any:
    return requests.post(url, json=body, timeout=10).json()


TEXT = {"msgtype": "text", "text": {"content": "好的"}}


def test_the_signature_is_an_hmac_of_the_time_alone(platform: DingTalkPlatform, bot: RecordingServer) -> None:
    platform.say("发货了吗")

    [webhook] = bot.calls
    told = f"{webhook.headers['timestamp']}\n{platform.client_secret}".encode()
    digest = hmac.new(platform.client_secret.encode(), told, hashlib.sha256).digest()
    assert webhook.headers["sign"] == base64.b64encode(digest).decode()


def test_the_signature_meets_the_official_known_answer() -> None:
    assert sign("this is a secret", "1577262236757") == "DJrE6qdyVGCQz9z5r2MDuNcNAhwYnuAkyj13cx169CA="


def test_a_direct_message_names_robot_corporation_and_staff(
    platform: DingTalkPlatform, bot: RecordingServer
) -> None:
    delivery = platform.say("发货了吗", user=STAFF)

    body = bot.calls[0].json
    assert body["text"]["content"] == "发货了吗"
    assert (body["conversationType"], body["senderStaffId"]) == ("1", STAFF)
    assert (body["robotCode"], body["chatbotCorpId"]) == (platform.robot_code, platform.corp_id)
    assert body["msgId"] == delivery.message_id


def test_a_mention_in_a_group_keeps_its_leading_space(platform: DingTalkPlatform, bot: RecordingServer) -> None:
    platform.say("发货了吗", group=GROUP)

    body = bot.calls[0].json
    assert body["text"]["content"] == " 发货了吗"
    assert (body["conversationType"], body["conversationId"], body["isInAtList"]) == ("2", GROUP, True)


def test_a_guest_has_no_staff_id(platform: DingTalkPlatform, bot: RecordingServer) -> None:
    platform.say("你好", user="guest1", guest=True)

    assert bot.calls[0].json["senderStaffId"] == ""
    assert bot.calls[0].json["senderId"].startswith("$:LWCP_v1:$")


def test_the_session_webhook_shows_a_reply(platform: DingTalkPlatform, bot: RecordingServer) -> None:
    platform.say("你好", user=STAFF)
    url = bot.calls[0].json["sessionWebhook"]

    assert reply(url, TEXT) == {"errcode": 0, "errmsg": "ok"}
    assert [(shown.to, shown.text) for shown in platform.replies()] == [(STAFF, "好的")]


def test_the_session_webhook_lives_ninety_minutes_and_each_message_moves_that(
    platform: DingTalkPlatform, bot: RecordingServer
) -> None:
    platform.say("你好")
    platform.clock.advance(timedelta(minutes=89))
    platform.say("在吗")
    first, second = (webhook.json for webhook in bot.calls)
    assert first["sessionWebhook"] == second["sessionWebhook"]
    assert second["sessionWebhookExpiredTime"] - second["createAt"] == 90 * 60 * 1000

    platform.clock.advance(timedelta(minutes=89))
    assert reply(first["sessionWebhook"], TEXT)["errcode"] == 0
    platform.clock.advance(timedelta(minutes=2))
    assert reply(first["sessionWebhook"], TEXT)["errcode"] == 300001


def test_an_expired_or_unknown_session_is_300001_inside_http_200(
    platform: DingTalkPlatform, bot: RecordingServer
) -> None:
    platform.say("你好")
    platform.expire_sessions()

    assert reply(bot.calls[0].json["sessionWebhook"], TEXT)["errcode"] == 300001
    assert platform.replies() == []


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({"msgtype": "text", "text": {"content": "好" * 7000}}, 460101),
        ({"msgtype": "text", "text": {"content": ""}}, 40035),
        ({"msgtype": "markdown", "markdown": {"text": "**好**"}}, 40035),
        ({"msgtype": "image"}, 400105),
        ([], 400105),
    ],
)
def test_a_wrong_session_reply_is_refused(
    platform: DingTalkPlatform, bot: RecordingServer, body: Any, errcode: int
) -> None:
    platform.say("你好")
    answer = requests.post(
        bot.calls[0].json["sessionWebhook"], data=json.dumps(body, ensure_ascii=False).encode(), timeout=10
    )

    assert (answer.status_code, answer.json()["errcode"]) == (200, errcode)
    assert platform.replies() == []


def test_the_robot_sends_to_a_member_and_to_a_group(platform: DingTalkPlatform) -> None:
    platform.say("你好", user=STAFF)
    platform.say("你好", group=GROUP)
    status, answer = call(platform, ONE_TO_ONE, robot_message(platform))
    assert (status, answer["invalidStaffIdList"]) == (200, [])
    assert answer["processQueryKey"]

    message = robot_message(platform, openConversationId=GROUP, userIds=None)
    assert call(platform, TO_GROUP, message)[0] == 200
    assert [(shown.to, shown.text) for shown in platform.replies()] == [(STAFF, "**好的**"), (GROUP, "**好的**")]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"robotCode": "other"}, "robotCode.notExsit"),
        ({"msgKey": "sampleWhatever"}, "invalidParameter.msgKey.notSupport"),
        ({"msgParam": {"title": "t", "text": "x"}}, "invalidParameter.msgParam.invalid"),
        ({"msgParam": "{"}, "invalidParameter.msgParam.invalid"),
        ({"msgParam": '{"text": "no title"}'}, "invalidParameter.msgParam.invalid"),
        (
            {"msgParam": json.dumps({"title": "t", "text": "x" * 15000})},
            "invalidParameter.msgParam.tooLong",
        ),
        ({"userIds": []}, "invalidParameter.userIds.empty"),
        ({"userIds": ["u"] * 21}, "invalidParameter.userIds.tooLong"),
        ({"userIds": ["nobody"]}, "staffId.notExisted"),
    ],
)
def test_a_wrong_robot_message_is_400_with_a_code(
    platform: DingTalkPlatform, changes: dict[str, Any], code: str
) -> None:
    platform.say("你好", user=STAFF)
    status, answer = call(platform, ONE_TO_ONE, robot_message(platform, **changes))

    assert (status, answer["code"]) == (400, code)
    assert platform.replies() == []


def test_an_unknown_member_beside_a_known_one_is_listed(platform: DingTalkPlatform) -> None:
    platform.say("你好", user=STAFF)
    status, answer = call(platform, ONE_TO_ONE, robot_message(platform, userIds=[STAFF, "nobody"]))

    assert (status, answer["invalidStaffIdList"]) == (200, ["nobody"])


def test_an_unknown_group_is_refused(platform: DingTalkPlatform) -> None:
    status, answer = call(platform, TO_GROUP, robot_message(platform, openConversationId="cidNone=="))

    assert (status, answer["code"]) == (400, "invalid.openConversationId")


def test_a_wrong_token_is_400_and_one_is_the_same_within_its_validity(platform: DingTalkPlatform) -> None:
    platform.say("你好", user=STAFF)
    assert call(platform, ONE_TO_ONE, robot_message(platform), "stolen") == (
        400,
        {"code": "InvalidAuthentication", "message": "不合法的access_token", **_requestid(platform)},
    )
    first = token(platform)
    assert token(platform) == first

    platform.clock.advance(timedelta(seconds=7201))
    assert call(platform, ONE_TO_ONE, robot_message(platform), first)[1]["code"] == "InvalidAuthentication"
    assert token(platform) != first


def _requestid(platform: DingTalkPlatform) -> dict[str, str]:
    return {"requestid": json.loads(platform.calls[-1].answer)["requestid"]}


def test_all_three_token_calls_give_the_same_token(platform: DingTalkPlatform) -> None:
    old = requests.get(
        f"{platform.url}/gettoken",
        params={"appkey": platform.client_id, "appsecret": platform.client_secret},
        timeout=10,
    ).json()
    unified = requests.post(
        f"{platform.url}/v1.0/oauth2/{platform.corp_id}/token",
        json={"client_id": platform.client_id, "client_secret": platform.client_secret},
        timeout=10,
    ).json()

    assert old["access_token"] == unified["access_token"] == token(platform)


def test_wrong_credentials_are_400(platform: DingTalkPlatform) -> None:
    answer = requests.post(
        f"{platform.url}/v1.0/oauth2/accessToken", json={"appKey": "x", "appSecret": "y"}, timeout=10
    )

    assert (answer.status_code, answer.json()["code"]) == (400, "invalidClientIdOrSecret")


def test_calls_over_the_rate_are_403(platform: DingTalkPlatform) -> None:
    platform.limits = True
    platform.say("你好", user=STAFF)
    access_token = token(platform)
    answers = [call(platform, ONE_TO_ONE, robot_message(platform), access_token) for _ in range(60)]

    refused = [answer["code"] for status, answer in answers if status == 403]
    assert refused
    assert set(refused) == {"Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"}


def test_a_gateway_time_out_may_come_after_the_message_was_shown(platform: DingTalkPlatform) -> None:
    platform.say("你好", user=STAFF)
    platform.faults.add("send", Fault(status=504, text="<html>gateway</html>", accept=True))
    access_token = token(platform)
    answer = requests.post(
        f"{platform.url}{ONE_TO_ONE}",
        json=robot_message(platform),
        headers={"x-acs-dingtalk-access-token": access_token},
        timeout=10,
    )

    assert (answer.status_code, len(platform.replies())) == (504, 1)
