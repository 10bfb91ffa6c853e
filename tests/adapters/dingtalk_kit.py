"""DingTalk's robot as the tests play it: one signed body, one way to sign it, and the platform's good answers."""

import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import digest
from itertools import count
from typing import Any

from adapters.values import Request
from tests.fakes import Answer, Call, json_answer

SECRET = "kit-app-secret-1"
ROBOT = "dingkitrobot0001"
CORP = "dingkitcorp0001"
BOT = "$:LWCP_v1:$kitBot=="
TOKEN = "kit-access-token-"
"""How each begins; a number follows."""
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SETTINGS: Mapping[str, Any] = {
    "platform": "dingtalk",
    "client_id": ROBOT,
    "client_secret": SECRET,
    "corp_id": CORP,
}
TOKEN_PATH = "/v1.0/oauth2/accessToken"
ONE_TO_ONE = "/v1.0/robot/oToMessages/batchSend"
TO_GROUP = "/v1.0/robot/groupMessages/send"
SESSION = "/robot/sendBySession"
SENDS = (ONE_TO_ONE, TO_GROUP, SESSION)
CREATE = "/v1.0/card/instances/createAndDeliver"
STREAMING = "/v1.0/card/streaming"
UPLOAD = "/media/upload"
OLD_TOKEN = "/gettoken"
DOWNLOAD = "/v1.0/robot/messageFiles/download"

_issued = count(1)


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def body(words: str = "hello", /, **fields: Any) -> dict[str, Any]:
    """A 1:1 text; a field given as None is left out."""
    whole = {
        "msgtype": "text",
        "text": {"content": words},
        "msgId": "msgKit0001==",
        "createAt": milliseconds(NOW),
        "conversationType": "1",
        "conversationId": "cidKit0001+/==",
        "senderId": "$:LWCP_v1:$kitSender==",
        "senderStaffId": "staff01",
        "senderNick": "王芳",
        "chatbotUserId": BOT,
        "chatbotCorpId": CORP,
        "robotCode": ROBOT,
        **fields,
    }
    return {name: value for name, value in whole.items() if value is not None}


def group(words: str = " hello", /, **fields: Any) -> dict[str, Any]:
    mentioned = {"conversationType": "2", "isInAtList": True, "atUsers": [{"dingtalkId": BOT}]}
    return body(words, **{**mentioned, **fields})


def session(
    base: str, key: str = "00112233445566778899aabbccddeeff", *, ends: datetime | None = None
) -> dict[str, Any]:
    """The fields of a session webhook at *base* that lives for the documented 90 minutes."""
    ends = ends or NOW + timedelta(minutes=90)
    return {"sessionWebhook": f"{base}{SESSION}?session={key}", "sessionWebhookExpiredTime": milliseconds(ends)}


def signature(timestamp: str, secret: str = SECRET) -> str:
    return b64encode(digest(secret.encode(), f"{timestamp}\n{secret}".encode(), sha256)).decode()


def signed(payload: bytes | Mapping[str, Any], *, at: datetime = NOW, secret: str = SECRET) -> Request:
    timestamp = str(milliseconds(at))
    return request(payload, {"timestamp": timestamp, "sign": signature(timestamp, secret)})


def request(payload: bytes | Mapping[str, Any], headers: Mapping[str, str]) -> Request:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload, ensure_ascii=False).encode()
    return Request(method="POST", path="/webhooks/shop", query={}, headers=headers, body=raw, received_at=NOW)


def platform(call: Call) -> Answer:
    """DingTalk, when all is well."""
    if call.path == TOKEN_PATH:
        return json_answer({"accessToken": f"{TOKEN}{next(_issued)}", "expireIn": 7200})
    good = GOOD.get(call.path)
    return json_answer(good) if good else _refused(call)


def _refused(call: Call) -> Answer:
    if call.path == "/v1.0/robot/oToMessages/readStatus":
        return api_error("processQueryKey.expireTime")
    return api_error("InvalidAction.NotFound", status=404)


def delivery(**fields: Any) -> dict[str, Any]:
    good = {"spaceType": "IM_ROBOT", "spaceId": "s", "success": True, "carrierId": "pqkCard1", "errorMsg": ""}
    return {**good, **fields}


def api_error(code: str, *, status: int = 400, **fields: Any) -> Answer:
    return json_answer({"code": code, "message": "说明", "requestid": "r-1", **fields}, status=status)


def old_error(code: int | str, **fields: Any) -> Answer:
    return json_answer({"errcode": code, "errmsg": "说明", **fields})


def shown(call: Call) -> str:
    """The text that the customer sees."""
    sent = call.json
    if call.path == SESSION:
        kind = sent["msgtype"]
        text: str = sent[kind]["content" if kind == "text" else "text"]
        return text
    param = json.loads(sent["msgParam"])
    words: str = param["content" if sent["msgKey"] == "sampleText" else "text"]
    return words


GOOD: Mapping[str, Mapping[str, Any]] = {
    SESSION: {"errcode": 0, "errmsg": "ok"},
    ONE_TO_ONE: {"processQueryKey": "pqkKit0001=", "invalidStaffIdList": [], "flowControlledStaffIdList": []},
    TO_GROUP: {"processQueryKey": "pqkKit0002="},
    OLD_TOKEN: {"errcode": 0, "access_token": "kit-old-token-1", "errmsg": "ok", "expires_in": 7200},
    CREATE: {"success": True, "result": {"outTrackId": "t", "deliverResults": [delivery()]}},
    STREAMING: {"success": True, "result": True},
    "/v1.0/card/instances": {"success": True, "result": "frontdesk-check"},
    UPLOAD: {"errcode": 0, "errmsg": "ok", "media_id": "@lKit", "created_at": 1, "type": "x"},
}
"""What each call is answered with, when all is well."""
