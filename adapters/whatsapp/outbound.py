"""From a reply to the Graph API's request, and from its answer to an outcome (sheet §3)."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from adapters.http import HttpAnswer
from adapters.payload import Json, at, objects, text
from adapters.values import Action, Delivered, Outcome, Refused, Reply, Unknown
from adapters.whatsapp.errors import RULES, rule
from adapters.whatsapp.templates import template

_TRACE = re.compile(r"[A-Za-z0-9_-]{1,64}")


def send_body(reply: Reply, index: int, *, to: Mapping[str, str], quote: bool, language: str) -> bytes:
    """The JSON of part *index*: free text, or the template that it names. `biz_opaque_callback_data` comes back
    in the statuses (sheet §3.4)."""
    part = reply.parts[index]
    content = (
        {"type": "template", "template": template(part.template, language, part.text)}
        if part.template
        else {"type": "text", "text": {"body": part.text}, **_context(reply, quote=quote)}
    )
    return _json(
        {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            **to,
            **content,
            "biz_opaque_callback_data": reply.part_key(index),
        }
    )


def _context(reply: Reply, *, quote: bool) -> dict[str, Any]:
    """The quoted message, which a template does not show (sheet §3.2)."""
    return {"context": {"message_id": reply.route["message_id"]}} if quote and "message_id" in reply.route else {}


def read_body(message_id: str) -> bytes:
    """Marks as read and shows "typing …" until our answer, or for 25 seconds (sheet §3.5)."""
    return _json(
        {
            "messaging_product": "whatsapp",
            "status": "read",
            "message_id": message_id,
            "typing_indicator": {"type": "text"},
        }
    )


def addressee(route: Mapping[str, str]) -> dict[str, str]:
    """By phone number where it is known, else by business-scoped user id (sheet §2.4). Without the `+` the
    platform may put the business's own country code in front (sheet §3.2)."""
    phone = route.get("to", "")
    if phone:
        return {"to": f"+{phone}" if phone.isdecimal() else phone}
    return {"recipient": route.get("recipient", "")}


def outcome(answer: HttpAnswer, now: datetime) -> Outcome:
    """What one answer to a send means. 200 is *accepted*; whether it was delivered comes as a status."""
    if "error" in (answer.json if isinstance(answer.json, dict) else {}):
        return _error(answer, now)
    if 200 <= answer.status < 300:
        accepted = next(objects(answer.json, "messages"), None)
        return (
            Delivered(platform_id=text(accepted, "id")) if accepted else Unknown(reason="a success without an id")
        )
    return _without_code(answer, now)


def error_code(answer: HttpAnswer) -> str:
    """Graph's error code, a number that sometimes comes as text; "" where there is none."""
    return text(answer.json, "error", "code")


def _error(answer: HttpAnswer, now: datetime) -> Outcome:
    code = error_code(answer)
    if code not in RULES and (answer.status >= 500 or not code):
        return _without_code(answer, now)
    found = rule(code)
    return Refused(
        reason=found.reason(code) + _trace(answer.json),
        action=found.action,
        code=code,
        retry_after=answer.retry_after(now) or found.delay,
    )


def _without_code(answer: HttpAnswer, now: datetime) -> Outcome:
    """An edge spoke, not the platform: only what surely stopped before it is a refusal."""
    said = f"HTTP {answer.status} without a code of the platform's"
    if answer.status == 429:
        return Refused(reason=f"{said}: tried again", action=Action.RETRY, retry_after=answer.retry_after(now))
    if answer.status == 408 or answer.status >= 500 or answer.status < 300:
        return Unknown(reason=said)
    return Refused(reason=f"{said}: check api_base and what stands before it", action=Action.ALERT)


def _trace(answer: Json) -> str:
    """Meta's support asks for it."""
    trace = text(at(answer, "error"), "fbtrace_id")
    return f" (fbtrace_id {trace})" if _TRACE.fullmatch(trace) else ""


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
