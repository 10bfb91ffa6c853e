"""Frames of the stream and what they are answered with (DingTalk sheet §4.1), without any socket.

The official SDK echoes an event as its acknowledgement, says `{"response": "OK"}` to robot messages, answers
`disconnect`, and breaks on frames without text; the documented answers are these.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from adapters.dingtalk.choices import ChoiceCards, update
from adapters.dingtalk.events import Events
from adapters.dingtalk.gateway import CARD, ROBOT
from adapters.dingtalk.inbound import Inbound
from adapters.errors import Malformed, NotKept
from adapters.payload import Json, at, read_object, text
from adapters.values import Event

PING = "ping"
DISCONNECT = "disconnect"

Receive = Callable[[Sequence[Event]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame. *kind* is SYSTEM, EVENT or CALLBACK; *data* the JSON text as it came."""

    kind: str
    topic: str
    headers: Json
    data: str

    @property
    def message_id(self) -> str:
        return text(self.headers, "messageId")


def read_frame(raw: str | bytes) -> Frame:
    """Raises Malformed."""
    whole = read_object(raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw)
    headers = at(whole, "headers")
    return Frame(kind=text(whole, "type"), topic=text(headers, "topic"), headers=headers, data=text(whole, "data"))


@dataclass(frozen=True, slots=True)
class Desk:
    """Takes the frames of one channel."""

    inbound: Inbound
    events: Events
    choices: ChoiceCards
    now: Callable[[], datetime]

    def answer(self, frame: Frame, receive: Receive) -> str | None:
        """What *frame* is answered with, once what it says is safe; None: nothing, so that it comes again, or
        because it wants no answer."""
        try:
            return self._answer(frame, receive)
        except Malformed:  # authentic and unreadable: another delivery would be no better
            return _ack(frame, {"response": None}, code=400, message="unreadable")

    def _answer(self, frame: Frame, receive: Receive) -> str | None:
        match frame.kind, frame.topic:
            case "SYSTEM", "ping":
                return acknowledged(frame, frame.data)
            case "SYSTEM", _:
                return None
            case "EVENT", _:
                return self._event(frame, receive)
            case "CALLBACK", topic if topic == ROBOT:
                return self._robot(frame, receive)
            case "CALLBACK", topic if topic == CARD:
                return self._card(frame, receive)
        return _ack(frame, {"response": None}, code=404, message="unknown topic")

    def _event(self, frame: Frame, receive: Receive) -> str:
        kind, event_id, corp = (text(frame.headers, name) for name in ("eventType", "eventId", "eventCorpId"))
        events = self.events.event(kind, event_id, corp, read_object(frame.data.encode()), self._clock())
        if not _kept(events, receive):
            return _ack(frame, {"status": "LATER", "message": "not kept"})
        return _ack(frame, {"status": "SUCCESS", "message": "success"})

    def _robot(self, frame: Frame, receive: Receive) -> str | None:
        events = self.inbound.events(read_object(frame.data.encode()), self._clock())
        return _ack(frame, {"response": None}) if _kept(events, receive) else None

    def _card(self, frame: Frame, receive: Receive) -> str | None:
        events = (self.choices.event(read_object(frame.data.encode()), self._clock()),)
        answer = {"response": dict(update(events))}
        return _ack(frame, answer, message="") if _kept(events, receive) else None

    def _clock(self) -> datetime:
        return self.now().astimezone(UTC)


def acknowledged(frame: Frame, data: str, *, code: int = 200, message: str = "OK") -> str:
    headers = {"messageId": frame.message_id, "contentType": "application/json"}
    return json.dumps({"code": code, "headers": headers, "message": message, "data": data})


def _ack(frame: Frame, data: Mapping[str, Any], *, code: int = 200, message: str = "OK") -> str:
    return acknowledged(frame, json.dumps(data), code=code, message=message)


def _kept(events: Sequence[Event], receive: Receive) -> bool:
    try:
        if events:
            receive(events)
    except NotKept:
        return False
    return True
