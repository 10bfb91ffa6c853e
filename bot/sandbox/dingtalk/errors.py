"""How DingTalk says no: the new API by HTTP status and code, the old one by an errcode inside 200 (§2.6)."""

import secrets
from typing import Any

from bot.sandbox.simulator.calls import Refusal
from bot.sandbox.simulator.serving import answer_json

QPS = "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"
PUNISHED: dict[str, Any] = {"status": 1111, "wait": 5, "source": "x5", "punish": "deny"}
"""The body for an address with more than 10,000 calls in 20 seconds."""


def api_error(status: int, code: str, message: str = "", *, rule: str = "", **more: Any) -> Refusal:
    """A refusal of the new API."""
    body = {"code": code, "message": message or code, "requestid": secrets.token_hex(16).upper(), **more}
    return Refusal(answer_json(body, status), f"{code}: {message}" if message else code, rule=rule)


def old_error(code: int, message: str, *, rule: str = "") -> Refusal:
    """A refusal of the old API."""
    return Refusal(answer_json({"errcode": code, "errmsg": message}), f"{code}: {message}", rule=rule)
