"""The control interface of one platform: JSON under /_sim/, for tests in other processes and for the page.

| call | body or query | answer |
|---|---|---|
| GET state | | name, url, webhook_url, customers, settings, waiting faults |
| POST say | text, user ... as the platform's `say` | a delivery: status, body, ms, message_id, error |
| POST redeliver | message_id | a delivery |
| POST verify | | a delivery (WhatsApp, WeCom) |
| POST settings | those of `SETTINGS` that are to change | state |
| POST faults | preset, or endpoint and the fields of a `Fault`, delay in seconds | state |
| POST clear | | state; faults, journal and chats are forgotten |
| POST tokens | | state; tokens in use become invalid |
| POST sessions | | state; DingTalk's session webhooks become invalid |
| POST clock | advance (s) | state |
| GET replies | user? | what customers were shown |
| GET calls | | what the bot called |
| GET events | after?, or Last-Event-ID | the journal as Server-Sent Events; the reader reconnects after 10 s |

A POST must say `Content-Type: application/json`: a page of another site cannot do that unasked.
"""

import inspect
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Protocol

from bot.sandbox.simulator.clock import Clock
from bot.sandbox.simulator.describe import described
from bot.sandbox.simulator.faults import Fault, Faults
from bot.sandbox.simulator.journal import Call, Delivery, Journal, SentMessage
from bot.sandbox.simulator.serving import Answer, Incoming, answer_json

SETTINGS: Mapping[str, type] = {
    "webhook_url": str,
    "statuses": bool,
    "reads": bool,
    "redelivers": bool,
    "limits": bool,
    "trusted_ip": bool,
    "speed": float,
}
STREAM_LIFE = 10.0
"""Seconds: bounds how long a reader that is gone, or a server that stops, holds a thread."""
HEARTBEAT = timedelta(seconds=2)
MOST_AT_ONCE = 600
"""Older entries are left out when a reader begins."""


class Played(Protocol):
    """What the control interface needs of a platform."""

    name: ClassVar[str]
    presets: ClassVar[Mapping[str, tuple[str, Fault]]]
    webhook_url: str
    clock: Clock
    journal: Journal
    faults: Faults
    say: Callable[..., Delivery]

    @property
    def url(self) -> str: ...

    @property
    def calls(self) -> list[Call]: ...

    def customers(self) -> Sequence[Mapping[str, str]]: ...

    def redeliver(self, message_id: str) -> Delivery: ...

    def replies(self, user: str | None = None) -> list[SentMessage]: ...

    def forget_tokens(self) -> None: ...


class Wrong(Exception):
    """The request to the control interface is not as the table above says."""


def answer(platform: Played, incoming: Incoming) -> Answer:
    """Serves one call; 404 and 400 with the reason in words."""
    name = incoming.path.removeprefix("/_sim/")
    action = {("GET", "events"): _events, ("GET", "replies"): _replies, ("GET", "calls"): _calls}.get(
        (incoming.method, name)
    )
    if action:
        return action(platform, incoming)
    if (incoming.method, name) == ("GET", "state"):
        return answer_json(state(platform))
    change = CHANGES.get(name) if incoming.method == "POST" else None
    if change is None:
        return answer_json({"error": f"no such control: {incoming.method} {name}"}, 404)
    try:
        return answer_json(change(platform, _body(incoming)))
    except Wrong as wrong:
        return answer_json({"error": str(wrong)}, 400)


def state(platform: Played) -> dict[str, Any]:
    return {
        "name": platform.name,
        "url": platform.url,
        "webhook_url": platform.webhook_url,
        "customers": list(platform.customers()),
        "settings": {name: getattr(platform, name) for name in SETTINGS if hasattr(platform, name)},
        "presets": list(platform.presets),
        "faults": platform.faults.waiting(),
    }


def _body(incoming: Incoming) -> dict[str, Any]:
    if not incoming.headers.get("content-type", "").startswith("application/json"):
        raise Wrong("a POST needs Content-Type: application/json")
    body = incoming.json() if incoming.body else {}
    if not isinstance(body, dict):
        raise Wrong("the body must be a JSON object")
    return body


def _say(platform: Played, body: dict[str, Any]) -> dict[str, Any]:
    return _delivery(_called(platform.say, body))


def _redeliver(platform: Played, body: dict[str, Any]) -> dict[str, Any]:
    try:
        return _delivery(platform.redeliver(str(body.get("message_id"))))
    except KeyError:
        raise Wrong("no such message_id") from None


def _verify(platform: Played, _: dict[str, Any]) -> dict[str, Any]:
    verify = getattr(platform, "verify", None)
    if verify is None:
        raise Wrong(f"{platform.name} has no check of the webhook URL")
    return _delivery(verify())


def _settings(platform: Played, body: dict[str, Any]) -> dict[str, Any]:
    for name, value in body.items():
        kind = SETTINGS.get(name)
        if kind is None or not hasattr(platform, name):
            raise Wrong(f"{platform.name} has no setting {name}")
        if not isinstance(value, (int, float) if kind is float else kind):
            raise Wrong(f"{name} must be {kind.__name__}")
    for name, value in body.items():
        setattr(platform, name, value)
    return state(platform)


def _faults(platform: Played, body: dict[str, Any]) -> dict[str, Any]:
    if "preset" in body:
        found = platform.presets.get(str(body["preset"]))
        if found is None:
            raise Wrong(f"presets are {', '.join(platform.presets)}")
        platform.faults.add(*found)
        return state(platform)
    given = dict(body)
    endpoint = given.pop("endpoint", None)
    if not isinstance(endpoint, str):
        raise Wrong("endpoint is missing")
    try:
        given["delay"] = timedelta(seconds=float(given.get("delay", 0)))
    except (TypeError, ValueError, OverflowError):
        raise Wrong("delay must be seconds") from None
    platform.faults.add(endpoint, _called(Fault, given))
    return state(platform)


def _called(make: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """*make* with JSON arguments; unknown, missing and mistyped ones are refused in words."""
    signature = inspect.signature(make)
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise Wrong(str(error)) from None
    for name, value in arguments.items():
        expected = signature.parameters[name].annotation
        kind = str if expected == "str | None" else expected
        if kind in (str, int, bool) and type(value) is not kind:
            raise Wrong(f"{name} must be {kind.__name__}")
    return make(**arguments)


def _clear(platform: Played, _: dict[str, Any]) -> dict[str, Any]:
    platform.faults.clear()
    platform.journal.clear()
    return state(platform)


def _tokens(platform: Played, _: dict[str, Any]) -> dict[str, Any]:
    platform.forget_tokens()
    return state(platform)


def _sessions(platform: Played, _: dict[str, Any]) -> dict[str, Any]:
    expire = getattr(platform, "expire_sessions", None)
    if expire is None:
        raise Wrong(f"{platform.name} has no session webhooks")
    expire()
    return state(platform)


def _clock(platform: Played, body: dict[str, Any]) -> dict[str, Any]:
    by = body.get("advance")
    if not isinstance(by, int | float):
        raise Wrong("advance must be seconds")
    platform.clock.advance(timedelta(seconds=by))
    return state(platform)


CHANGES: Mapping[str, Callable[[Played, dict[str, Any]], dict[str, Any]]] = {
    "say": _say,
    "redeliver": _redeliver,
    "verify": _verify,
    "settings": _settings,
    "faults": _faults,
    "clear": _clear,
    "tokens": _tokens,
    "sessions": _sessions,
    "clock": _clock,
}


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "status": delivery.status,
        "body": delivery.body.decode("utf-8", "replace"),
        "ms": round(delivery.elapsed.total_seconds() * 1000, 1),
        "message_id": delivery.message_id,
        "error": delivery.error,
    }


def _replies(platform: Played, incoming: Incoming) -> Answer:
    return answer_json([described(entry) for entry in platform.replies(incoming.argument("user") or None)])


def _calls(platform: Played, _: Incoming) -> Answer:
    return answer_json([described(entry) for entry in platform.calls])


def _events(platform: Played, incoming: Incoming) -> Answer:
    last = incoming.headers.get("last-event-id") or incoming.argument("after")
    return Answer(
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        stream=_stream(platform, last),
    )


def _stream(platform: Played, last: str) -> Iterator[bytes]:
    """Event ids are `<epoch>-<number>`; when the epoch moved on, `reset` tells the reader to start anew."""
    journal = platform.journal
    epoch, _, told = last.partition("-")
    number = int(told) if told.isdecimal() else 0
    ends = time.monotonic() + STREAM_LIFE
    yield b"retry: 300\n\n"
    while time.monotonic() < ends:
        if epoch != journal.epoch:
            epoch, number = journal.epoch, 0
            yield _event("reset", f"{epoch}-0", {})
        entries = journal.after(number, wait=HEARTBEAT)
        if not entries:
            yield b": still here\n\n"
        for number, entry in entries[-MOST_AT_ONCE:]:
            told_entry = described(entry)
            yield _event(told_entry["kind"], f"{epoch}-{number}", told_entry)


def _event(name: str, identity: str, data: Mapping[str, Any]) -> bytes:
    return f"id: {identity}\nevent: {name}\ndata: {json.dumps(data)}\n\n".encode()
