"""The control interface of one platform: JSON under /_sim/, for tests in other processes and for the page.

| call | body or query | answer |
|---|---|---|
| GET state | | name, url, webhook_url, customers, settings, waiting faults |
| POST say | text, user ... as the platform's `say` | a delivery: status, body, ms, message_id, error |
| POST write | kind of `kinds`, user (and group, name), and fields that replace its example's | a delivery |
| POST tap | message_id, choice, user? | a delivery; a customer taps a choice of a shown message |
| POST redeliver | message_id | a delivery |
| POST verify | | a delivery (WhatsApp, WeCom) |
| POST settings | those of `SETTINGS` that are to change | state |
| GET switches | | single platforms' own switches, by dotted names (:mod:`bot.sandbox.simulator.switches`) |
| POST switches | those that are to change; times in seconds | all of them |
| POST act | what of `switches.ACTS`, and its arguments | a delivery, or state |
| POST faults | preset, or endpoint and the fields of a `Fault`, delay in seconds | state |
| POST mischief | kind of `Mischief`, times? | state; the next webhooks misbehave |
| POST clear | | state; faults, journal and chats are forgotten |
| POST tokens | | state; tokens in use become invalid |
| POST sessions | | state; DingTalk's session webhooks become invalid |
| POST clock | advance (s) | state |
| GET replies | user? | what customers were shown |
| GET calls | | what the bot called |
| GET breaches | | the rules of the platform that the bot broke |
| GET media | id | a file that a customer sent or the bot uploaded |
| GET events | after?, or Last-Event-ID | the journal as Server-Sent Events; the reader reconnects after 10 s |

A POST must say `Content-Type: application/json`: a page of another site cannot do that unasked.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Protocol

from bot.sandbox.simulator import switches
from bot.sandbox.simulator.clock import Clock
from bot.sandbox.simulator.describe import described
from bot.sandbox.simulator.events import events
from bot.sandbox.simulator.faults import Fault, Faults
from bot.sandbox.simulator.journal import Call, Delivery, Journal, SentMessage
from bot.sandbox.simulator.media import Shelf
from bot.sandbox.simulator.mischief import Mischief, Mischiefs
from bot.sandbox.simulator.serving import Answer, Incoming, answer_json

SETTINGS: Mapping[str, type] = {
    "webhook_url": str,
    "statuses": bool,
    "reads": bool,
    "redelivers": bool,
    "limits": bool,
    "trusted_ip": bool,
    "speed": float,
    "profiles": bool,
    "late_window": bool,
    "test_number": bool,
    "invalidated": bool,
    "subscribed": bool,
    "batch": int,
    "batch_shape": str,
    "streams": bool,
    "connects": bool,
    "workbench": bool,
    "same_envelope": bool,
    "literal_plus": bool,
    "json_envelope": bool,
    "names_account": bool,
    "late_failures": bool,
    "page_limit": int,
    "blank_pages": int,
    "lost_notices": int,
    "deliveries": int,
}


class Played(Protocol):
    """What the control interface needs of a platform."""

    name: ClassVar[str]
    presets: ClassVar[Mapping[str, tuple[str, Fault]]]
    webhook_url: str
    clock: Clock
    journal: Journal
    faults: Faults
    mischief: Mischiefs
    shelf: Shelf
    kinds: ClassVar[Mapping[str, Mapping[str, Any]]]
    say: Callable[..., Delivery]

    @property
    def url(self) -> str: ...

    @property
    def calls(self) -> list[Call]: ...

    def customers(self) -> Sequence[Mapping[str, str]]: ...

    def write(self, kind: str, *, user: str = "", **fields: Any) -> Delivery: ...

    def tap(self, message_id: str, choice: str, *, user: str = "") -> Delivery: ...

    def redeliver(self, message_id: str) -> Delivery: ...

    def replies(self, user: str | None = None) -> list[SentMessage]: ...

    def forget_tokens(self) -> None: ...


class Wrong(Exception):
    """The request to the control interface is not as the table above says."""


def answer(platform: Played, incoming: Incoming) -> Answer:
    """Serves one call; 404 and 400 with the reason in words."""
    name = incoming.path.removeprefix("/_sim/")
    look = LOOKS.get(name) if incoming.method == "GET" else None
    if look:
        return look(platform, incoming)
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
        "mischief": platform.mischief.waiting(),
        "kinds": platform.kinds,
        "now": platform.clock.now().timestamp(),
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


def _write(platform: Played, body: dict[str, Any]) -> dict[str, Any]:
    kind = str(body.pop("kind", ""))
    if kind not in platform.kinds:
        raise Wrong(f"kinds are {', '.join(platform.kinds) or 'none but text'}")
    unknown = set(body) - set(inspect.signature(platform.write).parameters) - set(platform.kinds[kind])
    if unknown:
        raise Wrong(f"{kind} has no field {', '.join(sorted(unknown))}")
    try:
        return _delivery(platform.write(kind, **body))
    except KeyError as error:
        raise Wrong(str(error.args[0])) from None


def _tap(platform: Played, body: dict[str, Any]) -> dict[str, Any]:
    try:
        return _delivery(_called(platform.tap, body))
    except KeyError:
        raise Wrong("no such message_id, or no such choice in it") from None


def _mischief(platform: Played, body: dict[str, Any]) -> dict[str, Any]:
    known = {str(each): each for each in Mischief}
    kind, times = known.get(str(body.get("kind"))), body.get("times", 1)
    if kind is None or not isinstance(times, int):
        raise Wrong(f"kinds are {', '.join(known)}; times is a number")
    platform.mischief.add(kind, times=times)
    return state(platform)


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


def _switches(platform: Played, body: dict[str, Any]) -> dict[str, Any]:
    try:
        switches.turn(platform, body)
    except switches.NoSuch as error:
        raise Wrong(str(error)) from None
    return switches.switches(platform)


def _act(platform: Played, body: dict[str, Any]) -> dict[str, Any]:
    try:
        done = _called(switches.act(platform, str(body.pop("what", ""))), body)
    except switches.NoSuch as error:
        raise Wrong(str(error)) from None
    return _delivery(done) if isinstance(done, Delivery) else state(platform)


def _clear(platform: Played, _: dict[str, Any]) -> dict[str, Any]:
    platform.faults.clear()
    platform.mischief.clear()
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
    "write": _write,
    "tap": _tap,
    "mischief": _mischief,
    "redeliver": _redeliver,
    "verify": _verify,
    "settings": _settings,
    "switches": _switches,
    "act": _act,
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


def _state(platform: Played, _: Incoming) -> Answer:
    return answer_json(state(platform))


def _replies(platform: Played, incoming: Incoming) -> Answer:
    return answer_json([described(entry) for entry in platform.replies(incoming.argument("user") or None)])


def _calls(platform: Played, _: Incoming) -> Answer:
    return answer_json([described(entry) for entry in platform.calls])


def _breaches(platform: Played, _: Incoming) -> Answer:
    return answer_json([described(entry) for entry in platform.journal.breaches()])


def _media(platform: Played, incoming: Incoming) -> Answer:
    """A picture as it is; anything else to be saved, never to be run by the page's own address."""
    file = platform.shelf.get(incoming.argument("id"))
    if file is None:
        return answer_json({"error": "no such file (any more)"}, 404)
    shown = file.mime in ("image/png", "image/jpeg", "image/webp", "image/gif")
    headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
    if not shown:
        headers["Content-Disposition"] = "attachment"
    kind = file.mime if shown else "application/octet-stream"
    return Answer(body=file.content, content_type=kind, headers=headers)


LOOKS: Mapping[str, Callable[[Played, Incoming], Answer]] = {
    "state": _state,
    "switches": lambda platform, _: answer_json(switches.switches(platform)),
    "events": events,
    "replies": _replies,
    "calls": _calls,
    "breaches": _breaches,
    "media": _media,
}
