"""The WhatsApp Cloud API as a bot meets it (WhatsApp sheet §1 to §4, §7.3).

Text in both directions, templates, read receipts with typing, statuses as signed webhooks, the customer service
window by the platform's own clock, pair limits, and webhooks that are posted again until they are answered with
exactly 200.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

from bot.sandbox.simulator.faults import Fault
from bot.sandbox.simulator.journal import Delivery, Said, SentMessage
from bot.sandbox.simulator.limits import Bucket
from bot.sandbox.simulator.platform import Exchange, Platform, Post, Refusal, Route, member, route
from bot.sandbox.simulator.serving import Answer, Incoming, answer_json
from bot.sandbox.whatsapp.templates import BadTemplate, shown

VERSIONS = range(21, 28)
WINDOW = timedelta(hours=24)
LONGEST_TEXT = 4096
LONGEST_CALLBACK_DATA = 512
FREE_REPLIES = 1000
RETRY_FOR = 24
"""Attempts: doubling from a second to six hours, these fill about the 7 days of §1.4."""
USER_ID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")


@dataclass(slots=True, kw_only=True)
class Person:
    """A customer; *user* is the name that tests use. *wa_id* is "" where the phone number is hidden, *user_id*
    where the webhook is of the time before these ids (§2.4)."""

    user: str
    name: str
    wa_id: str
    user_id: str
    wrote_at: datetime | None = None


def graph_error(status: int, code: int, message: str, details: str = "") -> Refusal:
    """A refusal in the Graph API's shape (§4.4)."""
    error: dict[str, Any] = {
        "message": f"(#{code}) {message}",
        "type": "OAuthException",
        "code": code,
        "fbtrace_id": secrets.token_urlsafe(8),
    }
    if details:
        error["error_data"] = {"messaging_product": "whatsapp", "details": details}
    return Refusal(answer_json({"error": error}, status), f"{code}: {details or message}")


def _graph_fault(status: int, code: int, message: str) -> Fault:
    return Fault(status=status, json={"error": {"message": f"(#{code}) {message}", "code": code}})


class WhatsAppPlatform(Platform[dict[str, Any]]):
    """One business number. A *user* is a phone number in digits, or a business-scoped user id."""

    name = "whatsapp"
    patience = timedelta(seconds=10)
    presets: ClassVar[Mapping[str, tuple[str, Fault]]] = {
        "lost": ("send", Fault(cut_after_accept=True)),
        "busy": ("send", _graph_fault(503, 2, "Service temporarily unavailable")),
        "rate": ("send", _graph_fault(400, 130429, "Rate limit hit")),
        "slow": ("send", Fault(delay=timedelta(seconds=5))),
    }

    def __init__(
        self,
        *,
        phone_number_id: str = "106540352242922",
        access_token: str = "EAAsandboxaccesstoken",  # noqa: S107 - a fake's fixed credentials
        app_secret: str = "sandbox-app-secret",  # noqa: S107
        verify_token: str = "sandbox-verify-token",  # noqa: S107
        waba_id: str = "102290129340398",
        display_phone_number: str = "15550783881",
        webhook_url: str = "",
        strangers: bool = True,
    ) -> None:
        super().__init__(webhook_url=webhook_url, strangers=strangers)
        self.phone_number_id = phone_number_id
        self.access_token = access_token
        self.app_secret = app_secret
        self.verify_token = verify_token
        self.waba_id = waba_id
        self.display_phone_number = display_phone_number
        self.statuses = True
        """Whether an accepted reply is followed by `sent` and `delivered` webhooks."""
        self.reads = False
        """Whether `read` follows too, as when the customer looks at the chat."""
        self._people: dict[str, Person] = {}
        self._pairs: dict[str, Bucket] = {}
        self._delivered = 0
        self._revoked = False

    def routes(self) -> Sequence[Route]:
        return (
            route("POST", r"/v\d+\.\d+/[^/]+/messages", "send", self._on_messages),
            route("GET", r"/v\d+\.\d+/[^/]+/subscribed_apps", "subscribed_apps", self._on_subscribed_apps),
            route("GET", r"/v\d+\.\d+/[^/]+", "number", self._on_number),
        )

    def endpoint(self, found: Route, incoming: Incoming) -> str:
        is_read = found.endpoint == "send" and member(incoming.json(), "status") == "read"
        return "read" if is_read else found.endpoint

    def unknown_path(self) -> Answer:
        return graph_error(400, 2500, "Unknown path components").answer

    def forget_tokens(self) -> None:
        """The access token is revoked: 190 until `access_token` is set anew."""
        self._revoked = True

    def set_access_token(self, token: str) -> None:
        self.access_token, self._revoked = token, False

    def again_after(self, attempt: int) -> timedelta | None:
        return timedelta(seconds=min(2.0 ** (attempt - 1), 21600.0)) if attempt < RETRY_FOR else None

    def customers(self) -> Sequence[Mapping[str, str]]:
        return (
            {"user": "14155550123", "name": "Ana Torres", "hint": "phone"},
            {"user": "US.8f2d41c07bb34a", "name": "Wei Chen", "hint": "hidden"},
        )

    # ------------------------------------------------------------------ a customer writes

    def say(
        self,
        text: str,
        *,
        user: str = "14155550123",
        name: str = "Ana Torres",
        message_id: str | None = None,
        user_ids: bool = True,
    ) -> Delivery:
        """Posts one text message. A *user* of the form `US.…` hides the phone number; without *user_ids* the
        webhook has the shape from before those ids (§2.4)."""
        person = self._person(user, name, user_ids)
        person.wrote_at = self.clock.now()
        message: dict[str, Any] = {
            "id": message_id or self._new_id(),
            "timestamp": str(int(person.wrote_at.timestamp())),
            "type": "text",
            "text": {"body": text},
        }
        contact: dict[str, Any] = {"profile": {"name": person.name}}
        if person.wa_id:
            message["from"] = contact["wa_id"] = person.wa_id
        if person.user_id:
            message["from_user_id"] = contact["user_id"] = person.user_id
        said = Said(user=user, name=person.name, text=text, message_id=message["id"], place="", at=person.wrote_at)
        return self._deliver(said, self.envelope(contacts=[contact], messages=[message]))

    def verify(self) -> Delivery:
        """The check of the webhook URL (§1.1): the challenge must come back, alone, with 200."""
        challenge = str(secrets.randbelow(10**10))
        query = urlencode(
            {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": self.verify_token}
        )
        heard = self._post(lambda: Post(what="check", message_id="", method="GET", query=query), again=False)
        if heard.status == 200 and heard.body != challenge.encode():
            return Delivery(status=0, body=heard.body, elapsed=heard.elapsed, message_id="", error="challenge")
        return heard

    def envelope(self, **value: Any) -> dict[str, Any]:
        """*value* (contacts, messages, statuses) as the `messages` field of one webhook (§2.1)."""
        metadata = {
            "display_phone_number": self.display_phone_number,
            "phone_number_id": self.phone_number_id,
        }
        change = {
            "value": {"messaging_product": "whatsapp", "metadata": metadata, **value},
            "field": "messages",
        }
        return {"object": "whatsapp_business_account", "entry": [{"id": self.waba_id, "changes": [change]}]}

    def compose(self, message: dict[str, Any]) -> Post:
        value = message["entry"][0]["changes"][0]["value"]
        kind = "message" if "messages" in value else "status"
        body = meta_json(message)
        return Post(
            what=kind,
            message_id=value["messages" if kind == "message" else "statuses"][0]["id"],
            headers={
                "Content-Type": "application/json",
                "User-Agent": "facebookexternalua",
                "X-Hub-Signature-256": f"sha256={sign(self.app_secret, body)}",
            },
            body=body,
        )

    # ------------------------------------------------------------------ the bot calls

    def _on_messages(self, exchange: Exchange) -> Answer:
        self._authorise(exchange.incoming, number=True)
        body = exchange.incoming.json()
        if not isinstance(body, dict) or body.get("messaging_product") != "whatsapp":
            raise graph_error(400, 100, "Invalid parameter", "messaging_product must be whatsapp")
        return self._read(body) if "status" in body else self._send(body)

    def _authorise(self, incoming: Incoming, *, number: bool = False) -> None:
        _, version, node, *_ = incoming.path.split("/")
        if int(version[1:].split(".")[0]) not in VERSIONS:
            raise Refusal(self.unknown_path(), f"Graph version {version} does not exist")
        given = incoming.headers.get("authorization", "")
        if self._revoked or not hmac.compare_digest(given.encode(), f"Bearer {self.access_token}".encode()):
            raise graph_error(401, 190, "Access token has expired or is invalid")
        if number and node != self.phone_number_id:
            raise graph_error(400, 33, "This object does not exist or is not yours", "unknown phone number id")

    def _read(self, body: dict[str, Any]) -> Answer:
        """A read receipt, with or without typing (§3.5)."""
        message_id = body.get("message_id")
        with self._guard:
            message = self._messages.get(message_id) if isinstance(message_id, str) else None
        if body["status"] != "read" or not message_id or (message is None and not self.strangers):
            raise graph_error(400, 131009, "Parameter value is not valid", "unknown message_id")
        if message is not None:
            written = message["entry"][0]["changes"][0]["value"]["messages"][0]
            person = self._people[written.get("from") or written["from_user_id"]]
            self._sign("read", person.user, str(message_id))
            if member(body, "typing_indicator", "type") == "text":
                self._sign("typing", person.user, str(message_id))
        return answer_json({"success": True})

    def _send(self, body: dict[str, Any]) -> Answer:
        person = self._addressee(body)
        key = body.get("biz_opaque_callback_data", "")
        is_template = body.get("type") == "template"
        text = self._template(body) if is_template else member(body, "text", "body")
        self._check_message(body, text, key)
        if not is_template:
            self._check_window(person)
        self._check_pair(person)
        message_id = self._new_id()
        self.journal.add(
            SentMessage(
                to=person.user,
                text=text,
                key=key,
                at=self.clock.now(),
                raw=body,
                platform_id=message_id,
            )
        )
        if self.statuses:
            self._do_later(lambda: self._report(person, message_id, key))
        contact = {"input": str(body.get("to") or body.get("recipient"))}
        if person.wa_id:
            contact["wa_id"] = person.wa_id
        if person.user_id:
            contact["user_id"] = person.user_id
        return answer_json(
            {"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": message_id}]}
        )

    def _template(self, body: dict[str, Any]) -> str:
        try:
            return shown(body.get("template"))
        except BadTemplate as error:
            raise graph_error(error.status, error.code, error.message, error.details) from error

    def _check_message(self, body: dict[str, Any], text: Any, key: Any) -> None:
        """The limits of §3.2."""
        if body.get("type", "text") not in ("text", "template"):
            raise graph_error(400, 131051, "Unsupported message type", "the sandbox shows text only")
        if body.get("recipient_type", "individual") not in ("individual", "group"):
            raise graph_error(400, 131009, "Parameter value is not valid", "recipient_type")
        if not isinstance(text, str) or not text.strip():
            raise graph_error(400, 131008, "Required parameter is missing", "text.body")
        if len(text) > LONGEST_TEXT:
            raise graph_error(400, 131009, "Parameter value is not valid", f"text.body has {len(text)} characters")
        if not isinstance(key, str) or len(key) > LONGEST_CALLBACK_DATA:
            raise graph_error(400, 131009, "Parameter value is not valid", "biz_opaque_callback_data")

    def _addressee(self, body: dict[str, Any]) -> Person:
        """`to` wins over `recipient` (§3.2)."""
        phone, user_id = body.get("to"), body.get("recipient")
        if isinstance(phone, str) and re.fullmatch(r"\+?[\d ()-]{5,25}", phone):
            wanted = re.sub(r"\D", "", phone)
        elif phone is None and isinstance(user_id, str) and USER_ID.fullmatch(user_id):
            wanted = user_id
        else:
            raise graph_error(400, 131008 if phone is user_id is None else 131009, "Recipient", "to or recipient")
        with self._guard:
            person = self._people.get(wanted)
        if person is None and not self.strangers:
            raise graph_error(400, 131026, "Message undeliverable", "not a WhatsApp user of this sandbox")
        return person or Person(user=wanted, name="", wa_id=wanted if wanted.isdecimal() else "", user_id="")

    def _check_window(self, person: Person) -> None:
        now = self.clock.now()
        if person.wrote_at is None and not self.strangers:
            raise graph_error(400, 131047, "Re-engagement message", "the customer never wrote")
        if person.wrote_at is not None and now - person.wrote_at > WINDOW:
            raise graph_error(400, 131047, "Re-engagement message", "more than 24 hours since the customer wrote")

    def _check_pair(self, person: Person) -> None:
        if self.limits:
            now = self.clock.now()
            with self._guard:
                pair = self._pairs.setdefault(person.user, Bucket(45, timedelta(seconds=6)))
                allowed = pair.take(now)
            if not allowed:
                raise graph_error(400, 131056, "(Business Account, Consumer Account) pair rate limit hit")

    def _on_subscribed_apps(self, exchange: Exchange) -> Answer:
        self._authorise(exchange.incoming)
        app = {"name": "Frontdesk sandbox", "id": "670843887433847"}
        return answer_json({"data": [{"whatsapp_business_api_data": app}]})

    def _on_number(self, exchange: Exchange) -> Answer:
        self._authorise(exchange.incoming, number=True)
        available = {"can_send_message": "AVAILABLE"}
        return answer_json(
            {
                "id": self.phone_number_id,
                "display_phone_number": f"+{self.display_phone_number}",
                "verified_name": "Example Shop",
                "quality_rating": "GREEN",
                "throughput": {"level": "STANDARD"},
                "health_status": {
                    "can_send_message": "AVAILABLE",
                    "entities": [
                        {"entity_type": "PHONE_NUMBER", "id": self.phone_number_id, **available},
                        {"entity_type": "WABA", "id": self.waba_id, **available},
                    ],
                },
            }
        )

    # ------------------------------------------------------------------ what became of a reply

    def _report(self, person: Person, message_id: str, key: str) -> None:
        """The status webhooks of one accepted reply, one after another (§2.5)."""
        with self._guard:
            self._delivered += 1
            kind = "free_customer_service" if self._delivered <= FREE_REPLIES else "regular"
        pricing = {"billable": kind == "regular", "pricing_model": "PMP", "type": kind, "category": "service"}
        for state in ("sent", "delivered", "read") if self.reads else ("sent", "delivered"):
            self.report_status(
                message_id, state, person=person, key=key, pricing=pricing if state != "read" else None
            )

    def report_status(
        self,
        message_id: str,
        state: str,
        *,
        person: Person,
        key: str = "",
        pricing: Mapping[str, Any] | None = None,
    ) -> Delivery:
        """Posts one status webhook (§2.5)."""
        status: dict[str, Any] = {
            "id": message_id,
            "status": state,
            "timestamp": str(int(self.clock.now().timestamp())),
        }
        if person.wa_id:
            status["recipient_id"] = person.wa_id
        if person.user_id:
            status["recipient_user_id"] = person.user_id
        if key:
            status["biz_opaque_callback_data"] = key
        if pricing:
            status["pricing"] = dict(pricing)
        self._sign(state, person.user, message_id)
        envelope = self.envelope(statuses=[status])
        return self._post(lambda: self.compose(envelope))

    def _person(self, user: str, name: str, user_ids: bool) -> Person:
        hidden = USER_ID.fullmatch(user) is not None
        user_id = user if hidden else f"US.{hashlib.sha256(user.encode()).hexdigest()[:20]}"
        with self._guard:
            person = self._people.get(user)
            if person is None:
                person = Person(user=user, name=name, wa_id="" if hidden else user, user_id=user_id)
                self._people[user] = self._people[user_id] = person
            return person if user_ids else Person(user=user, name=name, wa_id=user, user_id="")

    def _new_id(self) -> str:
        """Opaque base64 with characters that careless code mangles (§2.1)."""
        number = f"{self._new_number():012x}".encode()
        return "wamid." + base64.b64encode(secrets.token_bytes(18) + number).decode()


def sign(secret: str, body: bytes) -> str:
    """The hex digest of `X-Hub-Signature-256` (§1.2)."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def meta_json(value: Any) -> bytes:
    """JSON as Meta's encoder writes it: everything beyond ASCII, and some of it, escaped (§1.2)."""
    text = json.dumps(value, separators=(",", ":"))
    for plain, escaped in (("/", "\\/"), ("@", "\\u0040"), ("%", "\\u0025"), ("<", "\\u003C")):
        text = text.replace(plain, escaped)
    return text.encode("ascii")
