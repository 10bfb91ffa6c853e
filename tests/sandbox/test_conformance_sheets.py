"""What the fact sheets ask of the simulators beyond each platform's own tests, and the switches that set it off."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from bot.sandbox.dingtalk import DingTalkPlatform
from bot.sandbox.simulator import switches
from bot.sandbox.wecom import WeComAiBotPlatform, WeComKfPlatform, WeComPlatform
from bot.sandbox.wecom.callbacks import GARBAGE
from bot.sandbox.whatsapp import WhatsAppPlatform
from tests.fakes import Answer, Call, RecordingServer
from tests.sandbox.bots import recording_bot, wait_until


@pytest.fixture
def bot() -> Iterator[RecordingServer]:
    with recording_bot() as server:
        yield server


# ---------------------------------------------------------------------- WhatsApp §7.3


def graph(platform: WhatsAppPlatform, path: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {platform.access_token}"}
    return requests.get(f"{platform.url}/v25.0/{path}", headers=headers, timeout=10)


def test_a_second_app_may_be_subscribed_to_the_same_account() -> None:
    with WhatsAppPlatform() as platform:
        platform.second_app = "Another bot"
        told = graph(platform, f"{platform.waba_id}/subscribed_apps").json()["data"]
    assert [app["whatsapp_business_api_data"]["name"] for app in told] == ["Frontdesk sandbox", "Another bot"]


def test_a_download_can_be_slow_within_its_body(bot: RecordingServer) -> None:
    with WhatsAppPlatform(webhook_url=bot.url) as platform:
        platform.media.slow = timedelta(seconds=0.4)
        platform.write("image")
        id_ = json.loads(bot.calls[0].body)["entry"][0]["changes"][0]["value"]["messages"][0]["image"]["id"]
        url, began = graph(platform, id_).json()["url"], time.monotonic()
        answer = requests.get(url, headers={"Authorization": f"Bearer {platform.access_token}"}, timeout=10)
        file = platform.shelf.get(id_)
    assert file is not None
    assert answer.content == file.content
    assert time.monotonic() - began >= 0.4


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user_preferences", {"wa_id": "14155550123", "category": "marketing_messages", "value": "stop"}),
        ("a_field_of_next_year", {"anything": [1, 2]}),
    ],
)
def test_any_field_can_be_reported(bot: RecordingServer, field: str, value: dict[str, Any]) -> None:
    with WhatsAppPlatform(webhook_url=bot.url) as platform:
        platform.report(field, value)
    assert json.loads(bot.calls[0].body)["entry"][0]["changes"] == [{"field": field, "value": value}]


@pytest.mark.parametrize(
    ("input_", "other"),
    [("5215512345678", "525512345678"), ("5491123456789", "541123456789"), ("5511987654321", "551187654321")],
)
def test_a_number_of_two_forms_is_one_customer(bot: RecordingServer, input_: str, other: str) -> None:
    with WhatsAppPlatform(webhook_url=bot.url, strangers=False) as platform:
        platform.say("Hello", user=input_)
        body = {"messaging_product": "whatsapp", "to": other, "type": "text", "text": {"body": "Hi"}}
        headers = {"Authorization": f"Bearer {platform.access_token}"}
        url = f"{platform.url}/v25.0/{platform.phone_number_id}/messages"
        contact = requests.post(url, json=body, headers=headers, timeout=10).json()["contacts"][0]
    assert (contact["input"], contact["wa_id"]) == (other, input_)


# ---------------------------------------------------------------------- WeCom §9


def wecom_token(platform: WeComPlatform) -> Any:
    query = {"corpid": platform.corp_id, "corpsecret": platform.secret}
    return requests.get(f"{platform.url}/cgi-bin/gettoken", params=query, timeout=10).json()


def test_two_fetches_of_a_token_at_once_are_one_too_many() -> None:
    with WeComPlatform() as platform:
        platform.access.latency = timedelta(seconds=0.5)
        with ThreadPoolExecutor(2) as pool:
            told = list(pool.map(lambda _: wecom_token(platform)["errcode"], range(2)))
        assert sorted(told) == [0, 45033]
        platform.access.latency = timedelta()
        assert wecom_token(platform)["errcode"] == 0


def appchat(platform: WeComPlatform, call: str, body: Any) -> Any:
    query = {"access_token": wecom_token(platform)["access_token"]}
    return requests.post(f"{platform.url}/cgi-bin/appchat/{call}", params=query, json=body, timeout=10).json()


def test_an_app_makes_a_chat_and_writes_into_it() -> None:
    with WeComPlatform() as platform:
        made = appchat(platform, "create", {"name": "售后", "userlist": ["ZhangWei", "LiNa"], "chatid": "sales1"})
        text = {"chatid": "sales1", "msgtype": "text", "text": {"content": "大家好"}}
        assert (made["errcode"], appchat(platform, "send", text)["errcode"]) == (0, 0)
        assert [message.text for message in platform.replies("sales1")] == ["大家好"]


@pytest.mark.parametrize(
    ("call", "body", "code"),
    [
        ("create", {"userlist": ["one"]}, 40031),
        ("create", {"userlist": ["one", "two"], "chatid": "not allowed!"}, 40050),
        ("send", {"chatid": "nowhere", "msgtype": "text", "text": {"content": "x"}}, 86001),
    ],
)
def test_a_wrong_chat_is_a_red_line(call: str, body: Any, code: int) -> None:
    with WeComPlatform() as platform:
        assert appchat(platform, call, body)["errcode"] == code
        assert len(platform.breaches) == 1


def test_an_app_that_not_all_may_see_makes_no_chats() -> None:
    with WeComPlatform() as platform:
        platform.appchats.root_visible = False
        assert appchat(platform, "create", {"userlist": ["one", "two"]})["errcode"] == 48002


@pytest.mark.parametrize("kind", GARBAGE)
@pytest.mark.parametrize(("status", "breaches"), [(200, []), (400, []), (500, ["broken_webhook_crashed"])])
def test_garbage_may_be_refused_but_must_not_break_the_bot(kind: str, status: int, breaches: list[str]) -> None:
    with recording_bot(lambda _: Answer(status=status)) as bot, WeComPlatform(webhook_url=bot.url) as platform:
        assert platform.garbage(kind).status == status
        assert [breach.rule for breach in platform.breaches] == breaches


def test_messages_fetched_without_a_token_are_few() -> None:
    with WeComKfPlatform() as platform:
        platform.limits = True
        query = {"corpid": platform.corp_id, "corpsecret": platform.secret}
        token = requests.get(f"{platform.url}/cgi-bin/gettoken", params=query, timeout=10).json()["access_token"]
        url, body = f"{platform.url}/cgi-bin/kf/sync_msg?access_token={token}", {"open_kfid": platform.open_kfid}
        codes = [requests.post(url, json=body, timeout=10).json()["errcode"] for _ in range(11)]
    assert codes == [0] * 10 + [45009]


# ---------------------------------------------------------------------- the AI bot's socket §4.7, §9.8


@pytest.fixture
def socket() -> Iterator[tuple[WeComAiBotPlatform, ClientConnection]]:
    with WeComAiBotPlatform() as platform:
        platform.connects = True
        with connect(platform.socket.url) as connection:
            asked(connection, "aibot_subscribe", bot_id=platform.bot_id, secret=platform.secret)
            yield platform, connection


def asked(connection: ClientConnection, cmd: str, **body: Any) -> Any:
    connection.send(json.dumps({"cmd": cmd, "headers": {"req_id": "r"}, "body": body}))
    return json.loads(connection.recv(timeout=10))


def upload(connection: ClientConnection, content: bytes, *, md5: str = "", pieces: int = 2) -> Any:
    """The answer to the last frame."""
    digest = md5 or hashlib.md5(content).hexdigest()  # noqa: S324 - as the platform wants it
    begun = asked(
        connection,
        "aibot_upload_media_init",
        type="file",
        filename="a.pdf",
        total_size=len(content),
        total_chunks=pieces,
        md5=digest,
    )
    id_, size = begun["body"]["upload_id"], -(-len(content) // pieces)
    for index in range(pieces):
        piece = base64.b64encode(content[index * size : (index + 1) * size]).decode()
        told = asked(connection, "aibot_upload_media_chunk", upload_id=id_, chunk_index=index, base64_data=piece)
        if told["errcode"]:
            return told
    return asked(connection, "aibot_upload_media_finish", upload_id=id_)


def test_a_file_goes_up_in_pieces_and_out_by_its_id(socket: tuple[WeComAiBotPlatform, ClientConnection]) -> None:
    platform, connection = socket
    id_ = upload(connection, b"%PDF-1.4 example")["body"]["media_id"]
    sent = asked(connection, "aibot_send_msg", chatid="ZhangWei", msgtype="file", file={"media_id": id_})
    [shown] = platform.replies("ZhangWei")
    file = platform.shelf.get(shown.media)
    assert file is not None
    assert (sent["errcode"], file.content, file.name) == (0, b"%PDF-1.4 example", "a.pdf")
    assert platform.breaches == []


def test_an_upload_that_is_not_what_was_announced_is_a_red_line(
    socket: tuple[WeComAiBotPlatform, ClientConnection],
) -> None:
    platform, connection = socket
    assert upload(connection, b"content", md5="0" * 32)["errcode"] == 40058
    assert upload(connection, b"x" * (512 * 1024 + 1), pieces=1)["errcode"] == 40058
    assert [breach.rule for breach in platform.breaches] == ["parameter_invalid", "media_too_large"]


def test_a_connection_without_a_ping_is_closed() -> None:
    with WeComAiBotPlatform() as platform:
        platform.connects = True
        platform.socket.ping_within = timedelta(seconds=0.3)
        with connect(platform.socket.url) as connection:
            asked(connection, "aibot_subscribe", bot_id=platform.bot_id, secret=platform.secret)
            with pytest.raises(ConnectionClosed):
                connection.recv(timeout=5)


def test_who_subscribes_in_a_loop_is_slowed_down() -> None:
    with WeComAiBotPlatform() as platform:
        platform.connects = platform.limits = True
        with connect(platform.socket.url) as connection:
            codes = [
                asked(connection, "aibot_subscribe", bot_id=platform.bot_id, secret=platform.secret)["errcode"]
                for _ in range(11)
            ]
    assert codes == [0] * 10 + [45009]


# ---------------------------------------------------------------------- DingTalk §9.6, §9.7


def test_an_event_comes_again_after_ten_and_thirty_seconds_of_the_platform() -> None:
    def refuse(_: Call) -> Answer:
        return Answer(status=500)

    with recording_bot(refuse) as bot, DingTalkPlatform(webhook_url=bot.url) as platform:
        platform.redelivers, platform.speed = True, 50.0
        began = time.monotonic()
        platform.event({"EventType": "robot_msg_read", "eventId": "e1"})
        wait_until(lambda: len(bot.calls) == 3)
        assert time.monotonic() - began >= 40 / 50
        time.sleep(0.5)
        assert len(bot.calls) == 3


def test_a_frame_goes_to_one_of_the_connections_at_random() -> None:
    with DingTalkPlatform() as platform:
        platform.streams = True
        platform.patience = timedelta(seconds=0)  # type: ignore[misc]
        heard: list[list[str]] = [[], []]
        threads = [threading.Thread(target=_listen, args=(platform, each)) for each in heard]
        for thread in threads:
            thread.start()
        wait_until(lambda: platform.gateway.connections == 2)
        for number in range(40):
            platform.say(f"Message {number}")
        wait_until(lambda: sum(map(len, heard)) == 40)
        platform.gateway.cut()
        for thread in threads:
            thread.join()
    assert min(map(len, heard)) > 5


def _listen(platform: DingTalkPlatform, heard: list[str]) -> None:
    body = {
        "clientId": platform.client_id,
        "clientSecret": platform.client_secret,
        "subscriptions": [{"type": "CALLBACK", "topic": "/v1.0/im/bot/messages/get"}],
    }
    told = requests.post(f"{platform.url}/v1.0/gateway/connections/open", json=body, timeout=10).json()
    with connect(f"{told['endpoint']}?ticket={told['ticket']}") as connection:
        try:
            while True:
                frame = json.loads(connection.recv(timeout=20))
                heard.append(frame["data"])
                acknowledged = {"code": 200, "headers": {"messageId": frame["headers"]["messageId"]}, "data": "{}"}
                connection.send(json.dumps(acknowledged))
        except ConnectionClosed:
            return


# ---------------------------------------------------------------------- switches and acts


def sim(platform: Any, method: str, name: str, body: Any = None) -> requests.Response:
    return requests.request(method, f"{platform.url}/_sim/{name}", json=body, timeout=10)


def test_switches_of_a_platform_s_parts_are_seen_and_turned() -> None:
    with WhatsAppPlatform() as platform:
        assert sim(platform, "GET", "switches").json()["habits.early"] is False
        changed = sim(platform, "POST", "switches", {"habits.early": True, "mischief.late": 0.5}).json()
        assert (changed["habits.early"], changed["mischief.late"]) == (True, 0.5)
        assert platform.mischief.late == timedelta(seconds=0.5)


@pytest.mark.parametrize(
    "wrong", [{"habits.late": True}, {"quotas.api_calls": 1}, {"habits.early": 1}, {"__class__": 1}]
)
def test_a_switch_that_is_not_there_or_a_wrong_value_changes_nothing(wrong: dict[str, Any]) -> None:
    with WhatsAppPlatform() as platform:
        assert sim(platform, "POST", "switches", {"habits.skips": True, **wrong}).status_code == 400
        assert platform.habits.skips is False


def test_a_colleague_answers_by_the_control_interface(bot: RecordingServer) -> None:
    with WhatsAppPlatform(webhook_url=bot.url) as platform:
        assert sim(platform, "POST", "act", {"what": "echo", "text": "I am here"}).json()["status"] == 200
        assert sim(platform, "POST", "act", {"what": "stop"}).status_code == 400
        assert sim(platform, "POST", "act", {"what": "echo", "words": "x"}).status_code == 400
    assert b"smb_message_echoes" in bot.calls[0].body


def test_every_switch_and_act_belongs_to_some_platform() -> None:
    platforms = (WhatsAppPlatform(), WeComPlatform(), WeComAiBotPlatform(), DingTalkPlatform(), WeComKfPlatform())
    held = {name for platform in platforms for name in switches.switches(platform)}
    assert held == set(switches.SWITCHES)
    for act in switches.ACTS:
        assert [platform for platform in platforms if switches._find(platform, act)], act
