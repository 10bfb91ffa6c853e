"""Subscribed events (DingTalk sheet §5): encrypted over HTTP, plain over the stream; the same words inside.

The owner key inside the envelope is the app key where the subscription is the console's, and the corp id where it
was made by an API: both are ours.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product

from adapters.channel import Services
from adapters.crypto import BadContent, Flaw, NotSealed, Seal, Sealed
from adapters.dingtalk.inbound import QUOTA_EXHAUSTED, moment, quota_exhausted
from adapters.dingtalk.settings import DingTalkSettings
from adapters.errors import Malformed, Unverified
from adapters.payload import Json, read_json, read_object, text
from adapters.shared import Bucket
from adapters.signing import secrets as valid
from adapters.values import ControlEvent, DeliveryState, Event, Request, StatusUpdate

UNREADABLE = frozenset({Flaw.BASE64, Flaw.CIPHERTEXT_LENGTH, Flaw.PADDING, Flaw.LENGTH})
"""Flaws of a body rather than of its origin: 400 (vectors `reject_event_*`)."""
REMEMBERED = timedelta(hours=1)
"""An event is delivered again after 10 s and 30 s, or is collected some minutes later (§5)."""
CHECKS = ("check_url", "check_create_suite_url", "check_update_suite_url")
NEXT_STEP = "compare token, aes_key and client_id with the event subscription in the console"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An event, and the seal that it came under: the answer goes back under the same one."""

    body: dict[str, Json]
    seal: Seal


class Events:
    """The events of one channel."""

    def __init__(self, channel: str, settings: DingTalkSettings, services: Services) -> None:
        self._channel = channel
        self._settings = settings
        self._services = services
        tokens = valid(settings.token, settings.token_previous)
        keys = valid(settings.aes_key, settings.aes_key_previous)
        owners = (settings.client_id, settings.corp_id)
        self.seals = tuple(
            Seal(token=token, encoding_aes_key=key, receive_id=owner)
            for token, key, owner in product(tokens, keys, owners)
        )

    def open(self, request: Request) -> Opened:
        """The event inside a request. Raises Unverified, or Malformed for what nobody could read."""
        if not self.seals:
            raise Unverified("events come here, but the channel has no token and aes_key")
        sealed = _sealed(request)
        if not sealed.encrypt:
            raise Malformed(f"an event's envelope: {Flaw.MISSING_ENCRYPT}")
        flaws: list[Flaw] = []
        for seal in self.seals:
            try:
                return Opened(body=_object(seal.open(sealed)), seal=seal)
            except NotSealed as error:
                flaws.append(error.flaw)
        worst = next((flaw for flaw in flaws if flaw is not Flaw.SIGNATURE), Flaw.SIGNATURE)
        if worst in UNREADABLE:
            raise Malformed(f"an event's envelope: {worst}")
        raise Unverified(f"an event's envelope: {worst}: {NEXT_STEP}")

    def read(self, body: Mapping[str, Json], received_at: datetime) -> tuple[Event, ...]:
        """What an opened event says."""
        plain = dict(body)
        kind = text(plain, "EventType")
        return self.event(kind, text(plain, "eventId"), text(plain, "CorpId"), plain, received_at)

    def event(
        self, kind: str, event_id: str, corp: str, body: dict[str, Json], received_at: datetime
    ) -> tuple[Event, ...]:
        """*kind*, *event_id* and *corp* lie in the body (HTTP) or beside it (stream)."""
        at = moment(text(body, "OperatTime")) or moment(text(body, "EventTime")) or received_at
        if (text(body, "errCode") or text(body, "errorCode")) == QUOTA_EXHAUSTED:
            return (quota_exhausted(self._channel, received_at),)
        if kind in CHECKS or not kind:
            return ()
        if corp not in ("", self._settings.corp_id) or text(body, "RobotCode") not in ("", self._settings.robot):
            return (ControlEvent(channel=self._channel, what="other_robot", at=at),)
        if kind == "robot_msg_read":
            return self._read(body, at)
        if not self._first(event_id):
            return ()
        if kind == "robot_msg_recall":
            detail = {"platform_id": text(body, "ProcessQueryKey")[:128]}
            return (ControlEvent(channel=self._channel, what="message_recalled", at=at, detail=detail),)
        detail = {"type": kind[:64]}
        return (ControlEvent(channel=self._channel, what="platform_event", at=at, detail=detail),)

    def _read(self, body: dict[str, Json], at: datetime) -> tuple[Event, ...]:
        key = text(body, "ProcessQueryKey")
        if not key:
            return ()
        return (StatusUpdate(channel=self._channel, platform_id=key, state=DeliveryState.READ, at=at),)

    def _first(self, event_id: str) -> bool:
        """Whether this event was not seen lately: one token of a bucket that holds one."""
        if not event_id:
            return True
        bucket = Bucket(name=f"dingtalk:{self._channel}:event:{event_id[:128]}", every=REMEMBERED, burst=1)
        return self._services.throttle.take([bucket]) <= timedelta()


def success(seal: Seal, now: datetime) -> bytes:
    """The answer to every event: `success`, sealed as the event was. `timeStamp` is DingTalk's spelling (§5)."""
    timestamp, nonce = str(int(now.timestamp() * 1000)), secrets.token_hex(8)
    sealed = seal.close("success", timestamp=timestamp, nonce=nonce)
    given = {"msg_signature": sealed.signature, "timeStamp": timestamp, "nonce": nonce, "encrypt": sealed.encrypt}
    return json.dumps(given).encode()


def _sealed(request: Request) -> Sealed:
    """Older senders name the signature `signature` (§5)."""
    query = request.query
    return Sealed(
        encrypt=text(read_object(request.body), "encrypt"),
        signature=query.get("msg_signature", "") or query.get("signature", ""),
        timestamp=query.get("timestamp", ""),
        nonce=query.get("nonce", ""),
    )


def _object(plain: str) -> dict[str, Json]:
    found = read_json(plain.encode())
    if not isinstance(found, dict):
        raise BadContent(Flaw.JSON)
    return found
