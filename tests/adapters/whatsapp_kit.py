"""What the WhatsApp tests share: a configured channel, signed webhooks, Meta's answers."""

import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from adapters.channel import Channel, Services
from adapters.throttle import MemoryThrottle
from adapters.values import ControlEvent, Event, Request
from adapters.whatsapp import WhatsApp
from tests.contracts.channel_kit import ChannelKit
from tests.fakes import Answer, Call, json_answer

VECTORS = Path(__file__).parent.parent / "vectors" / "whatsapp"
INDEX = json.loads((VECTORS / "index.json").read_text("utf-8"))
SECRET = INDEX["secret"]
NUMBER = "118822334455661"
ANA = "GB.40817263549182736455"
PHONE = "447700900123"
TOKEN = "EAAtoken-1"
VERIFY = "vt-1"
WABA = "204318855120967"


def signature(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def post(body: bytes, header: str | None = None) -> Request:
    """A signed webhook; *header* replaces the signature, "" leaves the header out."""
    proof = signature(body) if header is None else header
    return Request(
        method="POST",
        path="/webhooks/shop",
        query={},
        headers={"content-type": "application/json"} | ({"x-hub-signature-256": proof} if proof else {}),
        body=body,
        received_at=datetime(2026, 11, 20, 12, 0, tzinfo=UTC),
    )


def envelope(*values: Mapping[str, Any], field: str = "messages") -> dict[str, Any]:
    metadata = {"display_phone_number": "15550100200", "phone_number_id": NUMBER}
    changes = [
        {"field": field, "value": {"messaging_product": "whatsapp", "metadata": metadata, **v}} for v in values
    ]
    return {"object": "whatsapp_business_account", "entry": [{"id": WABA, "changes": changes}]}


def item(kind: str = "text", *, message_id: str = "wamid.A=", **fields: Any) -> dict[str, Any]:
    """One entry of `messages`, from Ana."""
    base = {"from": PHONE, "from_user_id": ANA, "id": message_id, "timestamp": "1795132800", "type": kind}
    return base | fields


def text_item(body: str = "hi", **fields: Any) -> dict[str, Any]:
    return item("text", text={"body": body}, **fields)


class WhatsAppKit(ChannelKit):
    """Provides the contract's hooks; the other WhatsApp tests use them too."""

    channel_type: ClassVar[type[Channel[Any]]] = WhatsApp
    settings: ClassVar[Mapping[str, Any]] = {
        "platform": "whatsapp",
        "phone_number_id": NUMBER,
        "access_token": TOKEN,
        "app_secret": SECRET,
        "verify_token": VERIFY,
    }
    rotated: ClassVar[Mapping[str, Any]] = {"app_secret": "new-secret", "app_secret_previous": SECRET}
    retired: ClassVar[Mapping[str, Any]] = {"app_secret": "new-secret"}
    private = (SECRET, TOKEN, VERIFY)
    temporary_code = "131056"
    permanent_code = "131026"
    account_codes = ("131031", "131042", "190")

    def services(self, patience: float = 5) -> Services:
        """Time flies between two sends, so that only the tests of the rates meet them."""
        minutes = (datetime(2026, 11, 20, tzinfo=UTC) + timedelta(minutes=each) for each in count())
        return replace(super().services(patience), throttle=MemoryThrottle(lambda: next(minutes)))

    def text_webhook(self, text: str = "hello", *, message_id: str = "m-1", user: str = "u-1") -> Request:
        person = "GB." + re.sub(r"\W", "", user)
        said = text_item(text, message_id=f"wamid.{message_id}", from_user_id=person)
        return self.signed(json.dumps(envelope({"messages": [said]})).encode())

    def payload(self) -> bytes:
        contacts = [{"profile": {"name": "Ana"}, "wa_id": PHONE, "user_id": ANA}]
        return json.dumps(envelope({"contacts": contacts, "messages": [text_item()]})).encode()

    def signed(self, payload: bytes) -> Request:
        return post(payload)

    def forged(self) -> Iterator[Request]:
        good = self.text_webhook()
        proof = good.headers["x-hub-signature-256"]
        digest = proof.removeprefix("sha256=")
        wrong = signature(good.body, "other")
        for header in (
            "",
            wrong,
            digest,
            f"sha1={digest}",
            proof.upper(),
            proof[:-1],
            f"{proof} ",
            "sha256=é",
            "sha256=",
        ):
            yield post(good.body, header) if header else replace(good, headers={})
        yield replace(
            good, headers={"x-hub-signature": "sha1=" + hmac.new(SECRET.encode(), good.body, "sha1").hexdigest()}
        )
        yield post(good.body, signature(json.dumps(json.loads(good.body), separators=(",", ":")).encode()))

    def platform(self, call: Call) -> Answer:
        if call.headers.get("authorization") != f"Bearer {TOKEN}":
            return graph_error(190, status=401)
        if call.method == "GET":
            return json_answer(
                {"data": [{"whatsapp_business_api_data": {"id": "1"}}]}
                if call.path.endswith("subscribed_apps")
                else number_answer()
            )
        if call.path.endswith("/media"):
            return json_answer({"id": "media-1"})
        if call.path.endswith("/media"):
            return json_answer({"id": "uploaded"})
        if call.json.get("status") == "read":
            return json_answer({"success": True})
        return json_answer({"messaging_product": "whatsapp", "messages": [{"id": "wamid.sent"}]})

    def is_send(self, call: Call) -> bool:
        return call.method == "POST" and call.path.endswith("/messages") and b'"text"' in call.body

    def sent_text(self, call: Call) -> str:
        return str(call.json["text"]["body"])

    def refusal(self, code: str) -> Answer:
        return graph_error(int(code))

    def events(self, body: object, **settings: Any) -> list[Event]:
        """The events of a signed webhook with this JSON."""
        channel = self.channel(**settings)
        request = post(json.dumps(body).encode())
        channel.verify(request)
        return list(channel.parse(request))

    def control(self, body: object) -> ControlEvent:
        (event,) = self.events(body)
        assert isinstance(event, ControlEvent)
        return event


def graph_error(code: int, *, status: int = 400, headers: Mapping[str, str] | None = None) -> Answer:
    error = {"message": f"(#{code}) x", "type": "OAuthException", "code": code, "fbtrace_id": "AbC-123"}
    return json_answer({"error": error}, status=status, headers=headers)


def number_answer(can_send: str = "AVAILABLE") -> dict[str, Any]:
    entities = [{"entity_type": "PHONE_NUMBER", "id": NUMBER}, {"entity_type": "WABA", "id": WABA}]
    return {"id": NUMBER, "health_status": {"can_send_message": can_send, "entities": entities}}
