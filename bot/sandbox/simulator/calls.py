"""One call of the bot to a platform: its route, its answer or refusal, and the fault that is played on top."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bot.sandbox.simulator.faults import Fault
from bot.sandbox.simulator.serving import Answer, Incoming


class Refusal(Exception):
    """The platform says no: *answer* is its words, *reason* ours, for the journal. *rule* names what the bot broke,
    as a snake_case word; "" where nobody is to blame (an expired token, a rate limit, a closed window)."""

    def __init__(self, answer: Answer, reason: str, *, rule: str = "") -> None:
        super().__init__(reason)
        self.answer = answer
        self.reason = reason
        self.rule = rule


@dataclass(slots=True)
class Exchange:
    """A call in progress; handlers note in *remarks* what the platform silently does to a message."""

    incoming: Incoming
    remarks: list[str] = field(default_factory=list)


Handler = Callable[[Exchange], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """*pattern* matches the whole path; *endpoint* names it for faults and the journal."""

    method: str
    pattern: re.Pattern[str]
    endpoint: str
    handler: Handler


def route(method: str, pattern: str, endpoint: str, handler: Handler) -> Route:
    return Route(method=method, pattern=re.compile(pattern), endpoint=endpoint, handler=handler)


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """The answer to a call, and why it is a refusal."""

    answer: Answer
    reason: str = ""
    rule: str = ""


def play(fault: Fault | None, handler: Handler, exchange: Exchange) -> Played:
    """What the platform itself says, with *fault* on top."""
    played = Played(answer=Answer())
    if fault is None or fault.accepts:
        try:
            played = Played(answer=handler(exchange))
        except Refusal as refusal:
            return Played(answer=refusal.answer, reason=refusal.reason, rule=refusal.rule)
    if fault is None:
        return played
    time.sleep(fault.delay.total_seconds())
    if fault.cut or fault.cut_after_accept:
        return Played(answer=Answer(status=played.answer.status, cut=True), reason=_told(fault))
    return Played(answer=_faulty(fault) if fault.status else played.answer, reason=_told(fault))


def _faulty(fault: Fault) -> Answer:
    if fault.json is None:
        return Answer(
            status=fault.status,
            body=fault.text.encode(),
            content_type="text/html; charset=utf-8",
            headers=fault.headers,
        )
    return Answer(
        status=fault.status, body=json.dumps(fault.json, ensure_ascii=False).encode(), headers=fault.headers
    )


def _told(fault: Fault) -> str:
    if fault.cut_after_accept:
        return "played fault: accepted and shown, then hung up without an answer"
    if fault.cut:
        return "played fault: hung up before accepting"
    if fault.status:
        return f"played fault: answered {fault.status}" + (", though accepted" if fault.accept else "")
    return f"played fault: accepted, answered {fault.delay.total_seconds():g} s late"


def member(value: Any, *path: str) -> Any:
    """What lies at *path* in nested JSON objects; None where it does not."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value
