"""The published vectors: callbacks with their outcome, and calls with what their answer asks of us."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from adapters.channel import Services
from adapters.crypto import Seal, Sealed
from adapters.dingtalk import DingTalk, DingTalkSettings
from adapters.dingtalk.cards import Card
from adapters.dingtalk.frames import Desk, read_frame
from adapters.dingtalk.gateway import CARD
from adapters.dingtalk.route import Route
from adapters.dingtalk.signature import sign
from adapters.errors import Malformed, Unverified
from adapters.http import PlatformHttp
from adapters.tokens import MemoryTokenStore
from adapters.values import (
    Action,
    ControlEvent,
    ConversationId,
    Delivered,
    DeliveryState,
    Event,
    Message,
    Outcome,
    Part,
    Refused,
    Reply,
    Request,
    StatusUpdate,
)
from tests.adapters import dingtalk_kit as kit
from tests.fakes import Answer, Call, RecordingServer, json_answer

FOLDER = Path(__file__).parent.parent / "vectors" / "dingtalk"
INDEX = json.loads((FOLDER / "index.json").read_text("utf-8"))
APP = INDEX["app"]
ENDPOINTS = ("card_http", "event_http")
NOT_A_SEND = ("/card/", "/robot/send?", "/media/", "/gettoken", "/accessToken", "/recall")
"""Calls of later surfaces, and of the custom robot which we do not play; the table knows their codes as well."""


def vectors(*kinds: str) -> list[Any]:
    named = [entry for entry in INDEX["vectors"] if entry["kind"] in kinds]
    loaded = [json.loads((FOLDER / entry["file"]).read_text("utf-8")) for entry in named]
    return [pytest.param(vector, id=vector["id"]) for vector in loaded]


def api_vectors(*, sends: bool) -> list[Any]:
    found = vectors("api")
    return [each for each in found if sends != any(part in each.values[0]["request"]["url"] for part in NOT_A_SEND)]


def channel(vector: Any = None, url: str = "http://127.0.0.1:9", **settings: Any) -> DingTalk:
    vector = vector or {}
    values = DingTalkSettings(
        platform="dingtalk",
        client_id=APP["client_id"],
        client_secret=vector.get("app_secret", APP["app_secret"]),
        corp_id=APP["corp_id"],
        api_base=url,
        oapi_base=url,
        outgoing_token=vector.get("outgoing_token"),
        card_secret=vector.get("api_secret"),
        token=vector.get("token"),
        aes_key=vector.get("aes_key"),
        **settings,
    )
    now = moment(vector.get("now_ms", INDEX["now_ms"]))
    services = Services(http=PlatformHttp(), tokens=MemoryTokenStore(), now=lambda: now)
    return DingTalk("ding", values, services)


def moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def request(vector: Any) -> Request:
    sent = vector["request"]
    return Request(
        method=sent["method"],
        path=sent["path"],
        query=sent.get("query", {}),
        endpoint=sent["path"].removeprefix("/channels/dingtalk").lstrip("/") if vector["kind"] in ENDPOINTS else "",
        headers={name.lower(): value for name, value in sent["headers"].items()},
        body=sent["body"].encode(),
        received_at=moment(vector.get("now_ms", INDEX["now_ms"])),
    )


def judged(vector: Any) -> tuple[int, list[Event]]:
    """The HTTP status, and the events."""
    robot, received = channel(vector), request(vector)
    try:
        robot.verify(received)
        events = list(robot.parse(received))
    except Unverified:
        return 401, []
    except Malformed:
        return 400, []
    return robot.answer(received, events).status, events


def test_each_vector_of_the_index_is_here() -> None:
    assert len(INDEX["vectors"]) == INDEX["count"] == len(list(FOLDER.glob("*.json"))) - 1
    judged_kinds = {"robot_http", "outgoing_http", "sign", "api", "card_http", "event_http", "stream_frame"}
    assert {entry["kind"] for entry in INDEX["vectors"]} == judged_kinds


@pytest.mark.parametrize("vector", vectors("robot_http", "outgoing_http"))
def test_a_callback_has_its_outcome(vector: Any) -> None:
    status, events = judged(vector)
    assert status == vector["expect_status"]
    outcome = vector["outcome"]
    if outcome.startswith("reject"):
        assert events == []
    elif outcome.startswith("ignore"):
        (event,) = events
        assert isinstance(event, ControlEvent)
        assert event.what == {"ignore:robot_code": "other_robot", "ignore:corp_id": "other_corp"}[outcome]
    else:
        (event,) = events
        check(event, vector["expect"], outcome)


def check(event: Event, expect: Any, outcome: str) -> None:
    if "platform_error" in expect:
        assert isinstance(event, ControlEvent)
        assert (event.what, event.detail["code"]) == ("account_blocked", str(expect["platform_error"]))
        return
    if not expect["text"] and not expect["attachments"] and "unsupported" not in expect:
        assert isinstance(event, ControlEvent)
        assert event.what == "blank_message"
        return
    assert isinstance(event, Message)
    user = expect["user_id"] or expect["sender_id"]
    group = expect["chat_type"] == "group"
    peer = f"{expect['conversation_id']}:{user}" if group else expect["conversation_id"]
    assert event.conversation == ConversationId(channel="ding", account=APP["robot_code"], peer=peer)
    assert (event.id, event.sender, event.text) == (expect["msg_id"], user, expect["text"])
    assert event.quoted == expect.get("quote", {}).get("text", "")
    assert [attachment(media) for media in event.media] == [
        {name: value for name, value in each.items() if name != "video_type"} for each in expect["attachments"]
    ]
    assert ("webhook" in event.route) == (outcome != "accept_without_webhook")


def attachment(media: Any) -> dict[str, Any]:
    found = {"kind": media.kind, "download_code": media.id}
    if media.seconds is not None:
        found["duration_ms"] = media.seconds * 1000
    if media.filename:
        found["name"] = media.filename
    return found


def test_a_redelivery_has_the_key_of_the_first() -> None:
    first, again = (
        judged(json.loads((FOLDER / f"{name}.json").read_text("utf-8")))[1]
        for name in ("robot_text_single", "robot_redelivery")
    )
    assert isinstance(first[0], Message)
    assert isinstance(again[0], Message)
    assert first[0].key == again[0].key


@pytest.mark.parametrize("vector", vectors("sign"))
def test_a_signature_is_the_known_one(vector: Any) -> None:
    assert sign(vector["timestamp"], vector["secret"]) == vector["sign_raw"]


ACTIONS = {
    "retry_later": Action.RETRY,
    "retry_backoff": Action.RETRY,
    "give_up": Action.GIVE_UP,
    "give_up+alert (name the scope)": Action.ALERT,
    "give_up (configuration)": Action.ALERT,
    "split_and_resend": Action.SPLIT,
    "fallback_openapi or give_up+alert": Action.REROUTE,
    "pause_robot_10min": Action.RETRY,
    "by sub code; empty sub code = timeout, retry": Action.ALERT,
}


@pytest.mark.parametrize("vector", api_vectors(sends=True))
def test_an_answer_asks_what_the_vector_says(vector: Any) -> None:
    outcome, sends = exchange(vector)
    if vector["action"] == "ok":
        assert outcome == Delivered(platform_id=vector["response"]["json"].get("processQueryKey", ""))
    else:
        assert isinstance(outcome, Refused)
        assert outcome.action is ACTIONS[vector["action"]]
    asked = vector["request"]
    path = urlsplit(asked["url"]).path
    assert sends[0].path == path
    if path != kit.SESSION:
        assert sends[0].headers["x-acs-dingtalk-access-token"].startswith(kit.TOKEN)
        given = {**sends[0].json, "msgParam": json.loads(sends[0].json["msgParam"])}
        wanted = {**asked["json"], "msgParam": json.loads(asked["json"]["msgParam"])}
        assert {**given, "msgParam": dict(given["msgParam"], title="回复")} == {
            **wanted,
            "msgParam": dict(wanted["msgParam"], title="回复"),
        }
    else:
        assert sends[0].query == {"session": "00112233445566778899aabbccddeeff"}
        assert sends[0].json["at"] == asked["json"]["at"]
        assert "@manager0001" in kit.shown(sends[0])


def exchange(vector: Any) -> tuple[Outcome, list[Call]]:
    """Sends what the vector's request says, and answers as its response does, however often it is asked."""
    response = vector["response"]

    def platform(call: Call) -> Answer:
        good = kit.platform(call)
        return json_answer(response["json"], status=response["status"]) if call.path in kit.SENDS else good

    with RecordingServer(platform) as server:
        robot = channel(url=server.url)
        outcome = robot.send(reply(vector["request"], robot), 0)
        robot.services.http.close()
        return outcome, [call for call in server.calls if call.path in kit.SENDS]


def reply(asked: Any, robot: DingTalk) -> Reply:
    path, sent = urlsplit(asked["url"]).path, asked["json"]
    route = {"type": "1" if path == kit.ONE_TO_ONE else "2", "staff": "manager0001"}
    route["conversation"] = sent.get("openConversationId", "cidKefuGroup0001QrStUvWx+/YzAbCdEf0==")
    if path == kit.SESSION:
        ends = robot.services.now() + timedelta(minutes=90)
        url = robot.settings.oapi_base + path + "?" + urlsplit(asked["url"]).query
        route |= {"webhook": url, "webhook_expires": ends.isoformat()}
        text = "**您好**"
    else:
        param = json.loads(sent["msgParam"])
        text = param.get("text") or param["content"]
    where = ConversationId(channel="ding", account=APP["robot_code"], peer="x")
    return Reply(key="k" * 32, conversation=where, parts=(Part(text=text),), route=route)


def listed() -> list[Any]:
    """Cards and tokens have outcomes of their own."""
    return [each for each in api_vectors(sends=False) if each.values[0]["action"] in ACTIONS]


@pytest.mark.parametrize("vector", listed())
def test_the_table_knows_the_codes_of_other_calls(vector: Any) -> None:
    """Asked as if a session webhook or a send had answered so."""
    response, action = vector["response"], vector["action"]
    sent = {"msgtype": "text", "text": {"content": "x"}}
    asked = {"url": f"https://oapi.dingtalk.com{kit.SESSION}?session=1", "json": sent}
    outcome, _ = exchange({"request": asked, "response": response})
    assert isinstance(outcome, Refused)
    assert outcome.action is ACTIONS[action]
    if action == "pause_robot_10min":
        assert outcome.retry_after == timedelta(minutes=10)


def test_the_documented_token_answer_is_read() -> None:
    vector = json.loads((FOLDER / "api_token_ok.json").read_text("utf-8"))
    given = vector["response"]["json"]
    with RecordingServer(lambda _: json_answer(given)) as server:
        robot = channel(url=server.url)
        token = robot._api.fetch()
        robot.services.http.close()
        (call,) = server.calls
    assert call.path == urlsplit(vector["request"]["url"]).path
    assert call.json == vector["request"]["json"]
    assert token.value == given["accessToken"]
    assert token.expires_at == moment(INDEX["now_ms"]) + timedelta(seconds=given["expireIn"])


@pytest.mark.parametrize("vector", vectors("card_http"))
def test_a_card_callback_has_its_outcome(vector: Any) -> None:
    status, events = judged(vector)
    assert status == vector["expect_status"]
    if vector["expect"] is None:
        assert events == []
        return
    (event,) = events
    assert isinstance(event, ControlEvent)  # nobody here knows that card
    wanted = vector["expect"]
    assert event.detail == {"card": wanted["out_track_id"], "action": wanted["action_ids"][0]}
    answer = json.loads(channel(vector).answer(request(vector), events).body)
    assert set(answer) <= set(vector["response_example"])


@pytest.mark.parametrize("vector", vectors("event_http"))
def test_an_event_has_its_outcome_and_the_sealed_answer(vector: Any) -> None:
    status, events = judged(vector)
    assert status == vector["expect_status"]
    if status != 200:
        assert events == []
        return
    plain = json.loads(vector["plaintext"])
    assert [summary(event) for event in events] == EVENTS.get(
        plain["EventType"], [("platform_event", plain["EventType"])]
    )
    answer = json.loads(channel(vector).answer(request(vector), events).body)
    assert set(answer) == {name for name in vector["reply_example"] if not name.startswith("_")}
    seal = Seal(token=vector["token"], encoding_aes_key=vector["aes_key"], receive_id=vector["owner_key"])
    for given in (answer, vector["reply_example"]):
        sealed = Sealed(
            encrypt=given["encrypt"],
            signature=given["msg_signature"],
            timestamp=given["timeStamp"],
            nonce=given["nonce"],
        )
        assert seal.open(sealed) == "success"


EVENTS: dict[str, list[Any]] = {
    "check_url": [],
    "check_update_suite_url": [],
    "robot_msg_read": [(DeliveryState.READ, "pqkKefuTest0001=")],
    "robot_msg_recall": [("message_recalled", "pqkKefuTest0002=")],
}


def summary(event: Event) -> tuple[str, str]:
    if isinstance(event, StatusUpdate):
        assert event.at == moment(1795139999400)
        return event.state, event.platform_id
    assert isinstance(event, ControlEvent)
    return event.what, event.detail.get("platform_id") or event.detail["type"]


@pytest.mark.parametrize("vector", vectors("stream_frame"))
def test_a_frame_has_its_acknowledgement(vector: Any) -> None:
    robot = channel(mode="stream")
    desk = Desk(robot._inbound, robot._events, robot._choices, robot.services.now)
    received: list[Event] = []
    answer = desk.answer(read_frame(json.dumps(vector["frame"])), received.extend)
    wanted = vector["expect_ack"]
    if wanted is None:
        assert answer is None
        return
    given = json.loads(answer or "")
    assert {**given, "data": ""} == {**wanted, "data": ""}
    if vector["frame"]["headers"]["topic"] == CARD:  # what the card then shows is each bot's own
        assert set(json.loads(given["data"])["response"]) == set(json.loads(wanted["data"])["response"])
    else:
        assert json.loads(given["data"]) == json.loads(wanted["data"])
    assert len(received) == (0 if vector["frame"]["type"] == "SYSTEM" else 1)


def test_a_frame_is_the_same_message_as_a_callback() -> None:
    vector = json.loads((FOLDER / "stream_robot_text.json").read_text("utf-8"))
    robot = channel(mode="stream")
    received: list[Event] = []
    desk = Desk(robot._inbound, robot._events, robot._choices, robot.services.now)
    desk.answer(read_frame(json.dumps(vector["frame"])), received.extend)
    by_http = channel().parse(replace(kit.request(vector["data_json"], {}), received_at=moment(INDEX["now_ms"])))
    assert received == list(by_http)
    assert isinstance(received[0], Message)
    assert received[0].text == "测试数据"


CARD_ANSWERS: dict[str, Any] = {
    "card_create_ok": Card(carrier="pqkCard0001"),
    "card_create_group_ok": Card(carrier="pqkCard0003"),
    "card_exists": Card(carrier=""),
    "card_stream_ok": None,
    "card_stream_qps": Action.RETRY,
    "card_stream_too_large": Action.SPLIT,
}


@pytest.mark.parametrize("name", list(CARD_ANSWERS))
def test_a_cards_call_is_the_documented_one_and_its_answer_is_understood(name: str) -> None:
    vector = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    asked, given = vector["request"]["json"], vector["response"]

    def platform(call: Call) -> Answer:
        return (
            kit.platform(call)
            if call.path == kit.TOKEN_PATH
            else json_answer(given["json"], status=given["status"])
        )

    with RecordingServer(platform) as server:
        route = {"card_route_key": "kefu", "mode": "http"} if asked.get("callbackType") == "HTTP" else {}
        robot = channel(
            url=server.url,
            card_template_id="382e4302-551d-4880-bf29-a30acfab2e71.schema",
            card_key="msgContent",
            **route,
        )
        outcome = card_call(robot, asked)
        robot.services.http.close()
        call = server.calls[-1]
    expected = CARD_ANSWERS[name]
    assert (outcome.action if isinstance(outcome, Refused) else outcome) == expected
    assert (call.method, call.path) == (vector["request"]["method"], urlsplit(vector["request"]["url"]).path)
    sent = call.json
    if "guid" in asked:
        assert {**sent, "guid": ""} == {**asked, "guid": ""}
        return
    assert set(asked) <= set(sent)
    for field in ("cardTemplateId", "outTrackId", "callbackType", "cardData", "openSpaceId", "userIdType"):
        assert sent[field] == asked[field]
    for field in ("imRobotOpenDeliverModel", "imGroupOpenDeliverModel", "callbackRouteKey"):
        assert sent.get(field) == asked.get(field)


def card_call(robot: DingTalk, asked: Any) -> Any:
    easel = robot._easel
    assert easel is not None
    if "guid" in asked:
        return easel.cards.stream(asked["outTrackId"], asked["content"], step="1")
    group = "imGroupOpenDeliverModel" in asked
    conversation = "cidKefuGroup0001QrStUvWx+/YzAbCdEf0=="
    route = Route(group=group, conversation=conversation, staff="manager0001", nick="测试用户")
    return easel.make(asked["outTrackId"], route, "客服回复")
