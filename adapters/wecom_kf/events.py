"""The system's events among the pulled items: who serves a session, what was not delivered (WeCom sheet §5.2)."""

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime

from adapters.payload import Json, text
from adapters.values import Control, ControlEvent, ConversationId, DeliveryState, StatusUpdate

TOOK_OVER = frozenset({"1", "2", "4"})  # from the pool, from another servicer, re-opened by a servicer
ENDED = "3"
KNOWN = frozenset(
    (
        *("enter_session", "servicer_status_change", "session_status_change"),
        *("user_recall_msg", "servicer_recall_msg", "reject_customer_msg_switch_change"),
    )
)
_DETAILS = (
    *("scene", "scene_param", "change_type", "old_servicer_userid", "new_servicer_userid", "servicer_userid"),
    *("status", "stop_type", "recall_msgid", "reject_switch"),
)
"""Kept of an event. `welcome_code` and `msg_code` are credentials and stay out."""
_LONGEST_DETAIL = 256
FAILURES: Mapping[str, str] = {
    "0": "WeChat names no cause",
    "1": "the customer-service account was deleted: create it again in the console",
    "2": "the app was closed: enable it in the console",
    "4": "more than 48 hours after the customer's last message: wait until the customer writes",
    "5": "the session is closed: wait until the customer writes",
    "6": "more than 5 messages after the customer's last: wait until the customer writes",
    "8": "the company is not verified: verify it in the console",
    "10": "the customer refuses messages",
    "11": "no member of the company is logged in: a servicer has to log in once",
    "12": "this type of message is forbidden",
    "13": "stopped for security: look at the words, and answer by hand",
}
"""What `fail_type` means. 3, 7 and 9 are not documented."""
_KEY = re.compile(r"[0-9a-f]{32}")
_PART = re.compile(r"([A-Za-z0-9_-]{22})_(\d{1,3})")


def control(event: Json, *, channel: str, at: datetime, conversation: ConversationId | None) -> ControlEvent:
    name = text(event, "event_type")
    detail = {each: text(event, each)[:_LONGEST_DETAIL] for each in _DETAILS}
    detail["event"] = name[:_LONGEST_DETAIL]
    return ControlEvent(
        channel=channel,
        what=_what(name, text(event, "change_type")),
        at=at,
        conversation=conversation,
        detail={each: value for each, value in detail.items() if value},
    )


def _what(name: str, change: str) -> str:
    if name == "session_status_change" and change in TOOK_OVER:
        return Control.HUMAN_TOOK_OVER
    if name == "session_status_change" and change == ENDED:
        return Control.HUMAN_LEFT
    return name if name in KNOWN else "unknown_event"


def sent_badly(event: Json, *, channel: str, at: datetime) -> StatusUpdate | None:
    """A message of ours that did not reach the customer after all: errcode 0 is no delivery."""
    if text(event, "event_type") != "msg_send_fail" or not (message_id := text(event, "fail_msgid")):
        return None
    kind = text(event, "fail_type")[:8]
    return StatusUpdate(
        channel=channel,
        platform_id=message_id,
        state=DeliveryState.FAILED,
        at=at,
        reply_key=part_key(message_id),
        error=f"fail_type {kind}: {FAILURES.get(kind, 'not documented')}",
    )


def message_id(key: str) -> str:
    """The `msgid` of the part with this key: at most 32 of `[0-9A-Za-z_-]`, the same for the same part."""
    first, _, index = key.partition(".")
    if _KEY.fullmatch(key):
        return key
    if _KEY.fullmatch(first) and re.fullmatch(r"\d{1,3}", index):
        return f"{base64.urlsafe_b64encode(bytes.fromhex(first)).decode().rstrip('=')}_{index}"
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def part_key(given: str) -> str:
    """The key of the part that :func:`message_id` named so; "" for a `msgid` that is not ours."""
    if _KEY.fullmatch(given):
        return given
    if found := _PART.fullmatch(given):
        return f"{base64.urlsafe_b64decode(found.group(1) + '==').hex()}.{found.group(2)}"
    return ""
