"""What one answer of the Graph API means (sheet §3.3, §4.4)."""

import re
from dataclasses import replace
from datetime import datetime

from adapters.http import HttpAnswer
from adapters.payload import Json, at, objects, text
from adapters.rules import uncoded
from adapters.values import Delivered, Outcome, Refused, Unknown
from adapters.whatsapp.errors import rule

_TRACE = re.compile(r"[A-Za-z0-9_-]{1,64}")


def outcome(answer: HttpAnswer, now: datetime) -> Outcome:
    """The outcome of a send. 200 is *accepted*; whether it was delivered comes as a status."""
    if (refused := refusal(answer, now)) is not None:
        return refused
    accepted = next(objects(answer.json, "messages"), None)
    return Delivered(platform_id=text(accepted, "id")) if accepted else Unknown(reason="a success without an id")


def refusal(answer: HttpAnswer, now: datetime) -> Refused | Unknown | None:
    """What stands against a call, or None where it succeeded. A code decides, whatever the HTTP status."""
    if code := error_code(answer):
        refused = rule(code, answer.status).refused(code, answer.retry_after(now))
        return replace(refused, reason=refused.reason + _trace(answer.json))
    failed = at(answer.json, "error") is not None
    if 200 <= answer.status < 300 and not failed:
        return None
    return uncoded(answer, now)


def known_as(answer: HttpAnswer) -> str:
    """The `wa_id` of whom was written to, which may differ from the number given; "" where it is hidden."""
    return text(next(objects(answer.json, "contacts"), None), "wa_id")


def error_code(answer: HttpAnswer) -> str:
    """Graph's error code, a number that sometimes comes as text; "" where there is none."""
    return text(answer.json, "error", "code")


def _trace(answer: Json) -> str:
    """Meta's support asks for it."""
    trace = text(at(answer, "error"), "fbtrace_id")
    return f" (fbtrace_id {trace})" if _TRACE.fullmatch(trace) else ""
