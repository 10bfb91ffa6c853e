"""The published vectors: callbacks with their outcome, and calls with what their answer asks of us.

Cards, event subscription and stream frames lie beside them for later: they are counted here, and not judged.
"""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from adapters.channel import Services
from adapters.dingtalk import DingTalk, DingTalkSettings
from adapters.dingtalk.signature import sign
from adapters.errors import Malformed, Unverified
from adapters.http import PlatformHttp
from adapters.tokens import MemoryTokenStore
from adapters.values import (
    Action,
    ControlEvent,
    ConversationId,
    Delivered,
    Event,
    Message,
    Outcome,
    Part,
    Refused,
    Reply,
    Request,
)
from tests.adapters import dingtalk_kit as kit
from tests.fakes import Answer, Call, RecordingServer, json_answer

FOLDER = Path(__file__).parent.parent / "vectors" / "dingtalk"
INDEX = json.loads((FOLDER / "index.json").read_text("utf-8"))
APP = INDEX["app"]
LATER = {"card_http", "event_http", "event_http_kat", "stream_frame"}
NOT_A_SEND = ("/card/", "/robot/send?", "/media/", "/gettoken", "/accessToken", "/recall")
"""Calls of later surfaces, and of the custom robot which we do not play; the table knows their codes as well."""


def vectors(*kinds: str) -> list[Any]:
    named = [entry for entry in INDEX["vectors"] if entry["kind"] in kinds]
    loaded = [json.loads((FOLDER / entry["file"]).read_text("utf-8")) for entry in named]
    return [pytest.param(vector, id=vector["id"]) for vector in loaded]


def api_vectors(*, sends: bool) -> list[Any]:
    found = vectors("api")
    return [each for each in found if sends != any(part in each.values[0]["request"]["url"] for part in NOT_A_SEND)]


def channel(vector: Any = None, url: str = "http://127.0.0.1:9") -> DingTalk:
    vector = vector or {}
    settings = DingTalkSettings(
        platform="dingtalk",
        client_id=APP["client_id"],
        client_secret=vector.get("app_secret", APP["app_secret"]),
        corp_id=APP["corp_id"],
        api_base=url,
        oapi_base=url,
        outgoing_token=vector.get("outgoing_token"),
    )
    now = moment(vector.get("now_ms", INDEX["now_ms"]))
    services = Services(http=PlatformHttp(), tokens=MemoryTokenStore(), now=lambda: now)
    return DingTalk("ding", settings, services)


def moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def request(vector: Any) -> Request:
    sent = vector["request"]
    return Request(
        method=sent["method"],
        path=sent["path"],
        query={},
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
    judged_kinds = {"robot_http", "outgoing_http", "sign", "api"}
    assert set(Counter(entry["kind"] for entry in INDEX["vectors"])) <= judged_kinds | LATER


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
