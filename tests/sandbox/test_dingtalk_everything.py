"""The fake DingTalk beyond text: cards, events, files, the stream, quotas; others' packages as the other side."""

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect
from wechatpy.crypto import PrpCrypto
from wechatpy.utils import to_binary

from bot.sandbox.dingtalk import DingTalkPlatform
from bot.sandbox.dingtalk.inbound import KINDS
from bot.sandbox.simulator.envelope import Envelope
from bot.sandbox.simulator.media import PNG
from tests.fakes import Answer, Call, RecordingServer
from tests.sandbox.bots import recording_bot, wait_until

STAFF = "manager4220"
CARD = {
    "cardTemplateId": "template.schema",
    "outTrackId": "card-1",
    "callbackType": "HTTP",
    "cardData": {"cardParamMap": {"msgContent": ""}},
    "openSpaceId": f"dtv1.card//IM_ROBOT.{STAFF}",
}


@pytest.fixture
def bot() -> Iterator[RecordingServer]:
    with recording_bot() as server:
        yield server


@pytest.fixture
def platform(bot: RecordingServer) -> Iterator[DingTalkPlatform]:
    with DingTalkPlatform(webhook_url=bot.url, strangers=False) as fake:
        yield fake


def token(platform: DingTalkPlatform) -> str:
    body = {"appKey": platform.client_id, "appSecret": platform.client_secret}
    answer = requests.post(f"{platform.url}/v1.0/oauth2/accessToken", json=body, timeout=10)
    return str(answer.json()["accessToken"])


def call(platform: DingTalkPlatform, method: str, path: str, body: Any) -> requests.Response:
    headers = {"x-acs-dingtalk-access-token": token(platform)}
    return requests.request(method, f"{platform.url}{path}", json=body, headers=headers, timeout=10)


def create(platform: DingTalkPlatform, **changes: Any) -> requests.Response:
    platform.say("你好", user=STAFF)
    return call(platform, "POST", "/v1.0/card/instances/createAndDeliver", {**CARD, **changes})


def stream(platform: DingTalkPlatform, content: str, guid: str, **flags: bool) -> requests.Response:
    told = {"outTrackId": "card-1", "guid": guid, "key": "msgContent", "content": content, "isFull": True}
    return call(platform, "PUT", "/v1.0/card/streaming", {**told, "isFinalize": False, "isError": False, **flags})


# ---- cards


def test_a_card_grows_and_is_shown_whole_once(platform: DingTalkPlatform) -> None:
    created = create(platform).json()
    assert created["result"]["deliverResults"][0]["success"] is True
    assert stream(platform, "明天", "g1").json()["success"] is True
    assert stream(platform, "明天发货", "g2", isFinalize=True).status_code == 200
    assert [(shown.to, shown.text, shown.platform_id) for shown in platform.replies()] == [
        (STAFF, "明天发货", "card-1")
    ]
    assert platform.breaches == []


def test_the_same_guid_counts_once(platform: DingTalkPlatform) -> None:
    create(platform)
    stream(platform, "好的", "g1", isFinalize=True)
    assert stream(platform, "好的", "g1", isFinalize=True).status_code == 200
    assert len(platform.replies()) == 1


@pytest.mark.parametrize(
    ("flags", "rule"),
    [
        ({"isFull": False}, "stream_not_full"),
        ({"content": "x" * 3073}, "too_long"),
        ({"guid": ""}, "parameter_missing"),
    ],
)
def test_a_wrong_update_of_a_card_is_a_red_line(platform: DingTalkPlatform, flags: Any, rule: str) -> None:
    create(platform)
    told = {"outTrackId": "card-1", "guid": "g", "key": "msgContent", "content": "x", "isFull": True, **flags}
    assert call(platform, "PUT", "/v1.0/card/streaming", told).status_code == 400
    assert [breach.rule for breach in platform.breaches] == [rule]


def test_a_finished_card_takes_no_more_text(platform: DingTalkPlatform) -> None:
    create(platform)
    stream(platform, "好", "g1", isFinalize=True)
    assert stream(platform, "好的", "g2").status_code == 400
    assert platform.breaches[-1].rule == "stream_after_its_end"


def test_a_delivery_can_fail_inside_a_success(platform: DingTalkPlatform) -> None:
    platform.cards.fails_delivery = True
    answer = create(platform).json()
    assert (answer["success"], answer["result"]["deliverResults"][0]["success"]) == (True, False)


def test_card_values_are_strings_and_a_track_is_used_once(platform: DingTalkPlatform) -> None:
    wrong = create(platform, cardData={"cardParamMap": {"n": 1}})
    assert (wrong.status_code, platform.breaches[-1].rule) == (400, "card_value_not_a_string")
    create(platform)
    assert create(platform).json()["code"] == "param.cardAlreadyExist"


def test_the_final_update_can_meet_the_rate_limit(platform: DingTalkPlatform) -> None:
    create(platform)
    platform.cards.busy_finals = 1
    assert stream(platform, "好", "g1", isFinalize=True).status_code == 403
    assert stream(platform, "好", "g1", isFinalize=True).status_code == 200


def test_a_tap_is_posted_signed_to_the_card_address(platform: DingTalkPlatform, bot: RecordingServer) -> None:
    create(
        platform, cardData={"cardParamMap": {"text": "取消吗？", "choice1": "是", "choice2": "否", "choice3": ""}}
    )
    [shown] = platform.replies()
    assert [choice.title for choice in shown.choices] == ["是", "否"]
    platform.tap("card-1", "2", user=STAFF)
    tapped = bot.calls[-1]
    assert tapped.path == "/card"
    assert json.loads(tapped.json["content"])["cardPrivateData"]["actionIds"] == ["2"]
    assert tapped.headers["x-ddpaas-signature"]


# ---- events


def answering(platform_of: Callable[[], DingTalkPlatform], word: str = "success") -> Callable[[Call], Answer]:
    """A bot that answers events with wechatpy's crypto: somebody else's reading of the scheme."""

    def answer(_: Call) -> Answer:
        platform = platform_of()
        envelope = Envelope(token=platform.event_token, key=platform.event_aes_key, receive_id=platform.client_id)
        crypto = PrpCrypto(base64.b64decode(platform.event_aes_key + "="))
        encrypted = crypto.encrypt(word, platform.client_id).decode()
        signed = {"timeStamp": "1795140000000", "nonce": "n1", "encrypt": encrypted}
        signed["msg_signature"] = envelope.signature("1795140000000", "n1", encrypted)
        return Answer(body=json.dumps(signed).encode())

    return answer


@pytest.mark.parametrize(("word", "breaches"), [("success", []), ("fail", ["event_answer_wrong"])])
def test_an_event_wants_the_encrypted_word_success(word: str, breaches: list[str]) -> None:
    kept: list[DingTalkPlatform] = []
    with (
        recording_bot(answering(lambda: kept[0], word)) as bot,
        DingTalkPlatform(webhook_url=bot.url) as platform,
    ):
        kept.append(platform)
        platform.verify()
        assert [breach.rule for breach in platform.breaches] == breaches
        opened = PrpCrypto(base64.b64decode(platform.event_aes_key + "="))
        said = opened.decrypt(to_binary(bot.calls[0].json["encrypt"]), platform.client_id)
        assert json.loads(said) == {"EventType": "check_url"}


def test_a_plain_answer_to_an_event_is_a_red_line(platform: DingTalkPlatform) -> None:
    platform.event({"EventType": "robot_msg_recall", "eventId": "e1"})
    assert [breach.rule for breach in platform.breaches] == ["event_answer_wrong"]


# ---- what people send, and files


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_reaches_the_bot(platform: DingTalkPlatform, bot: RecordingServer, kind: str) -> None:
    assert platform.write(kind).status == 200
    assert bot.calls[-1].json["msgtype"]


def test_a_file_is_fetched_by_its_code_without_the_token(platform: DingTalkPlatform, bot: RecordingServer) -> None:
    platform.write("picture")
    code = bot.calls[0].json["content"]["downloadCode"]
    asked = {"downloadCode": code, "robotCode": platform.robot_code}
    url = call(platform, "POST", "/v1.0/robot/messageFiles/download", asked).json()["downloadUrl"]
    assert requests.get(url, timeout=10).content == PNG
    with_token = requests.get(url, headers={"x-acs-dingtalk-access-token": token(platform)}, timeout=10)
    assert (with_token.status_code, platform.breaches[-1].rule) == (403, "token_given_away")


def test_an_upload_is_checked_and_can_be_sent(platform: DingTalkPlatform) -> None:
    platform.say("你好", user=STAFF)
    url = f"{platform.url}/media/upload?access_token={token(platform)}&type=image"
    id_ = requests.post(url, files={"media": ("plan.png", PNG, "image/png")}, timeout=10).json()["media_id"]
    wrong = requests.post(url, files={"media": ("plan.exe", PNG)}, timeout=10).json()
    assert wrong["errcode"] == 40004
    sent = {
        "robotCode": platform.robot_code,
        "userIds": [STAFF],
        "msgKey": "sampleImageMsg",
        "msgParam": json.dumps({"photoURL": id_}),
    }
    assert call(platform, "POST", "/v1.0/robot/oToMessages/batchSend", sent).status_code == 200
    assert [(shown.media, shown.media_kind) for shown in platform.replies()] == [(id_, "image")]


# ---- quotas, punishment, custom robots


def test_a_month_s_calls_run_out_and_come_back(platform: DingTalkPlatform) -> None:
    platform.quotas.api_calls = 1
    create(platform)
    refused = stream(platform, "好", "g1")
    assert (refused.status_code, refused.json()["code"]) == (403, "Forbidden.AccessDenied.ApiCountLimitForOrg")
    platform.clock.advance(timedelta(days=31))
    assert stream(platform, "好", "g1").status_code == 200


def test_a_punished_address_is_refused_everything(platform: DingTalkPlatform) -> None:
    platform.quotas.punished = True
    assert create(platform).json()["status"] == 1111


def test_a_missing_permission_names_its_scope(platform: DingTalkPlatform) -> None:
    platform.quotas.missing_scope = "Card.Instance.Write"
    refused = create(platform)
    assert refused.json()["accessdenieddetail"]["requiredScopes"] == ["Card.Instance.Write"]


def test_a_custom_robot_is_silenced_after_twenty_messages_a_minute(platform: DingTalkPlatform) -> None:
    platform.custom_keyword = "订单"
    url = f"{platform.url}/robot/send?access_token=x"

    def send(words: str) -> int:
        body = {"msgtype": "text", "text": {"content": words}}
        return int(requests.post(url, json=body, timeout=10).json()["errcode"])

    assert send("hello") == 310000
    assert [send("订单") for _ in range(21)] == [0] * 20 + [410100]
    platform.clock.advance(timedelta(minutes=9))
    assert send("订单") == 410100
    platform.clock.advance(timedelta(minutes=2))
    assert send("订单") == 0


# ---- the stream, with the official SDK as the bot


Listen = Callable[[float], "subprocess.Popen[str]"]


@pytest.fixture
def listen(platform: DingTalkPlatform) -> Iterator[Listen]:
    started: list[subprocess.Popen[str]] = []

    def begin(late: float) -> "subprocess.Popen[str]":
        told = [platform.url, platform.client_id, platform.client_secret, str(late)]
        command = [sys.executable, "-m", "tests.sandbox.official_client", *told]
        client = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        started.append(client)
        wait_until(lambda: platform.gateway.connections > 0, within=20)
        return client

    platform.streams = True
    yield begin
    for client in started:
        client.kill()
        client.communicate()


def heard(client: "subprocess.Popen[str]") -> str:
    assert client.stdout is not None
    return client.stdout.readline().strip()


def test_the_official_client_hears_a_message_and_acknowledges_it(
    platform: DingTalkPlatform, listen: Listen
) -> None:
    client = listen(0.0)
    assert platform.say("发货了吗").status == 200
    assert heard(client) == "发货了吗"


def test_a_message_without_an_acknowledgement_comes_again(platform: DingTalkPlatform, listen: Listen) -> None:
    platform.gateway.again_after = timedelta(seconds=0.2)
    client = listen(0.5)
    platform.say("在吗")
    assert [heard(client), heard(client)] == ["在吗", "在吗"]


def test_without_a_connection_a_message_is_lost(platform: DingTalkPlatform) -> None:
    platform.streams = True
    assert platform.say("有人吗").error == "nobody is connected"


def test_a_ticket_opens_one_connection_within_ninety_seconds(platform: DingTalkPlatform) -> None:
    asked = {
        "clientId": platform.client_id,
        "clientSecret": platform.client_secret,
        "subscriptions": [{"type": "EVENT", "topic": "*"}],
    }
    opened = requests.post(f"{platform.url}/v1.0/gateway/connections/open", json=asked, timeout=10).json()
    address = f"{opened['endpoint']}?ticket={opened['ticket']}"
    with connect(address), connect(address) as second, pytest.raises(ConnectionClosedError):
        second.recv(timeout=5)
