"""Encrypted events by HTTP, and what the bot must answer to them (§5)."""

import json
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from bot.sandbox.simulator.courier import Heard
from bot.sandbox.simulator.envelope import Envelope, Spoiled
from bot.sandbox.simulator.platform import Post, member

SUCCESS = "success"


def post(envelope: Envelope, event: Mapping[str, Any], at_ms: int) -> Post:
    """One signed and encrypted event."""
    clear = json.dumps(event, ensure_ascii=False)
    return sealed(envelope, Post(what="event", message_id=str(event.get("eventId", ""))), clear, at_ms)


def sealed(envelope: Envelope, template: Post, clear: str, at_ms: int) -> Post:
    encrypted, nonce, timestamp = envelope.seal(clear), secrets.token_hex(8), str(at_ms)
    signature = envelope.signature(timestamp, nonce, encrypted)
    query = {"msg_signature": signature, "signature": signature, "timestamp": timestamp, "nonce": nonce}
    return Post(
        what=template.what,
        message_id=template.message_id,
        query=urlencode(query),
        headers={"Content-Type": "application/json;charset=utf-8"},
        body=json.dumps({"encrypt": encrypted}).encode(),
        clear=clear,
        suffix="/event",
    )


def complaint(envelope: Envelope, heard: Heard) -> str:
    """What is wrong with the bot's answer; "" if it is the encrypted word success."""
    try:
        answer = json.loads(heard.body)
    except ValueError:
        return "the answer is no JSON"
    encrypted, timestamp, nonce = (str(member(answer, name)) for name in ("encrypt", "timeStamp", "nonce"))
    if member(answer, "msg_signature") != envelope.signature(timestamp, nonce, encrypted):
        return "the signature does not fit (mind the spelling timeStamp)"
    try:
        said = envelope.open(encrypted)
    except Spoiled as spoiled:
        return f"the answer cannot be opened: {spoiled}"
    return "" if said == SUCCESS else "the answer is not the word success"


def read_event(to: Mapping[str, str], at_ms: int) -> Mapping[str, Any]:
    """*to*: user, robot_code, corp_id, query_key (§5: robot_msg_read)."""
    return {
        "EventType": "robot_msg_read",
        "EventTime": at_ms,
        "CorpId": to["corp_id"],
        "BizId": secrets.token_hex(8),
        "eventId": secrets.token_hex(16),
        "UserId": to["user"],
        "OperatTime": at_ms,
        "ProcessQueryKey": to["query_key"],
        "RobotCode": to["robot_code"],
    }
