"""The WhatsApp Cloud API as a bot calls it (WhatsApp sheet §3, §4, §7.3).

Every type, media, templates, read receipts with typing; the customer service window by the platform's own clock,
and the rate limits.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from bot.sandbox.simulator.faults import Fault
from bot.sandbox.simulator.limits import Bucket
from bot.sandbox.simulator.platform import Exchange, Refusal, Route, member, route
from bot.sandbox.simulator.seen import Seen
from bot.sandbox.simulator.serving import Answer, Incoming, answer_json
from bot.sandbox.whatsapp import account, outgoing
from bot.sandbox.whatsapp.graph import VERSIONS, graph_error, graph_fault, invalid, missing
from bot.sandbox.whatsapp.number import WhatsAppNumber
from bot.sandbox.whatsapp.people import USER_ID, Person, contact
from bot.sandbox.whatsapp.statuses import Pricing

WINDOW = timedelta(hours=24)


class WhatsAppPlatform(WhatsAppNumber):
    """One business number with its API."""

    presets: ClassVar[Mapping[str, tuple[str, Fault]]] = {
        "lost": ("send", Fault(cut_after_accept=True)),
        "busy": ("send", graph_fault(503, 2, "Service temporarily unavailable")),
        "rate": ("send", graph_fault(400, 130429, "Rate limit hit")),
        "slow": ("send", Fault(delay=timedelta(seconds=5))),
        "edge": ("send", Fault(status=502, text="<html><body>502 Bad Gateway</body></html>")),
        "nofile": ("download", Fault(status=404, text="not found")),
    }

    def __init__(self, **credentials: Any) -> None:
        """*credentials* as :class:`WhatsAppNumber` takes them."""
        super().__init__(**credentials)
        self.late_window = False
        """Whether a closed window is told by a `failed` status instead of the send's own answer (§4.1)."""
        self.test_number = False
        """Whether only `allowed` numbers may be written to, else 131030 (§7.1)."""
        self.allowed: set[str] = set()
        self.invalidated = False
        """Whether the token was invalidated: 401 with code 0 (§4.4)."""
        self.subscribed = True
        """Whether the app is subscribed to the account's webhooks (§1.5)."""
        self.second_app = ""
        """The name of another app that is subscribed as well, and gets (and may answer) every message too."""
        self._pairs: dict[str, Bucket] = {}
        self._throughput = Bucket(80, timedelta(seconds=1) / 80)
        self._pricing = Pricing()
        self._revoked = False

    def routes(self) -> Sequence[Route]:
        return (
            route("POST", r"/v\d+\.\d+/[^/]+/messages", "send", self._on_messages),
            route("POST", r"/v\d+\.\d+/[^/]+/media", "upload", self._on_upload),
            route("GET", r"/lookaside/[^/]+", "download", self._on_download),
            *(
                route(method, r"/v\d+\.\d+/[^/]+/subscribed_apps", "subscribed_apps", self._on_subscribed_apps)
                for method in ("GET", "POST", "DELETE")
            ),
            route("GET", r"/v\d+\.\d+/[^/]+/message_templates", "templates", self._on_templates),
            route("GET", r"/v\d+\.\d+/[^/]+", "number", self._on_node),
            route("DELETE", r"/v\d+\.\d+/[^/]+", "media", self._on_delete),
        )

    def endpoint(self, found: Route, incoming: Incoming) -> str:
        if found.endpoint == "send" and member(incoming.json(), "status") == "read":
            return "read"
        is_media = found.endpoint == "number" and incoming.path.split("/")[2] != self.phone_number_id
        return "media" if is_media else found.endpoint

    def unknown_path(self) -> Answer:
        return graph_error(400, 2500, "Unknown path components").answer

    def forget_tokens(self) -> None:
        """The access token is revoked: 190 until `access_token` is set anew."""
        self._revoked = True

    def set_access_token(self, token: str) -> None:
        self.access_token, self._revoked = token, False

    # ------------------------------------------------------------------ the bot calls

    def _on_messages(self, exchange: Exchange) -> Answer:
        self._authorise(exchange.incoming, number=True)
        body = exchange.incoming.json()
        if not isinstance(body, dict) or body.get("messaging_product") != "whatsapp":
            raise graph_error(
                400, 100, "Invalid parameter", "messaging_product must be whatsapp", rule="parameter_invalid"
            )
        return self._read(body) if "status" in body else self._send(body)

    def _authorise(self, incoming: Incoming, *, number: bool = False) -> None:
        _, version, node, *_ = incoming.path.split("/")
        if version.startswith("v") and int(version[1:].split(".")[0]) not in VERSIONS:
            raise Refusal(self.unknown_path(), f"Graph version {version} does not exist", rule="old_version")
        given = incoming.headers.get("authorization", "")
        if self.invalidated:
            raise graph_error(401, 0, "Authentication exception", "the token was invalidated")
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
            raise invalid("unknown message_id", "read_of_unknown_message")
        person = self._author(message) if message is not None else None
        if person is not None:
            self._sign("read", person.user, str(message_id))
            if member(body, "typing_indicator", "type") == "text":
                self._sign("typing", person.user, str(message_id))
        return answer_json({"success": True})

    def _author(self, message: dict[str, Any]) -> Person | None:
        written = message["entry"][0]["changes"][0]["value"]["messages"][0]
        return self.people.find(written.get("from") or written["from_user_id"])

    def _send(self, body: dict[str, Any]) -> Answer:
        person = self._addressee(body)
        seen = outgoing.seen(body)
        self._check_rates(person)
        message_id = self._new_id()
        is_template = body.get("type") == "template"  # which may go out of the customer service window
        closed = not is_template and self._window_closed(person)
        if closed and not self.late_window:
            raise graph_error(400, 131047, "Re-engagement message", closed)
        if seen.media and seen.media.isdecimal() and self.media.find(seen.media) is None:
            raise invalid("no such media id", "unknown_media")
        key = body.get("biz_opaque_callback_data", "")
        if body.get("type") == "reaction":
            self._sign(f"reaction {seen.text}", person.user, body["reaction"]["message_id"])
        elif not closed:
            self._show(person, seen, body, message_id, key)
        self._tell(person, message_id, key, failure=131047 if closed else self.habits.fails, template=is_template)
        named = {"input": str(body.get("to") or body.get("recipient")), **contact(person)}
        named.pop("profile")
        return answer_json({"messaging_product": "whatsapp", "contacts": [named], "messages": [{"id": message_id}]})

    def _show(self, person: Person, seen: Seen, body: Any, message_id: str, key: str) -> None:
        with self._guard:
            self._shown[message_id] = (person, seen)
        at = self.clock.now()
        self.journal.add(seen.sent(to=person.user, key=key, at=at, raw=body, platform_id=message_id))

    def _addressee(self, body: dict[str, Any]) -> Person:
        """`to` wins over `recipient` (§3.2)."""
        phone, user_id = body.get("to"), body.get("recipient")
        if isinstance(phone, str) and re.fullmatch(r"\+?[\d ()-]{5,25}", phone):
            wanted = re.sub(r"\D", "", phone)
        elif phone is None and isinstance(user_id, str) and USER_ID.fullmatch(user_id):
            wanted = user_id
        else:
            raise missing("to or recipient") if phone is user_id is None else invalid("to or recipient")
        if self.test_number and wanted not in self.allowed:
            raise graph_error(400, 131030, "Recipient phone number not in allowed list")
        person = self.people.find(wanted)
        if person is None and not self.strangers:
            raise graph_error(400, 131026, "Message undeliverable", "not a WhatsApp user of this sandbox")
        return person or Person(user=wanted, name="", wa_id=wanted if wanted.isdecimal() else "", user_id="")

    def _window_closed(self, person: Person) -> str:
        """Why a free message may not go out now; "" if it may."""
        if person.wrote_at is None:
            return "" if self.strangers else "the customer never wrote"
        late = self.clock.now() - person.wrote_at > WINDOW
        return "more than 24 hours since the customer wrote" if late else ""

    def _check_rates(self, person: Person) -> None:
        """80 messages a second for the number, one in six seconds for a customer (§4.5)."""
        if not self.limits:
            return
        now = self.clock.now()
        with self._guard:
            if not self._throughput.take(now):
                raise graph_error(400, 130429, "Rate limit hit")
            if not self._pairs.setdefault(person.user, Bucket(45, timedelta(seconds=6))).take(now):
                raise graph_error(400, 131056, "(Business Account, Consumer Account) pair rate limit hit")

    def _on_upload(self, exchange: Exchange) -> Answer:
        self._authorise(exchange.incoming, number=True)
        return self.media.upload(exchange.incoming)

    def _on_download(self, exchange: Exchange) -> Answer:
        given = exchange.incoming.headers.get("authorization", "")
        if given != f"Bearer {self.access_token}":
            raise Refusal(Answer(status=401), "a download wants the access token", rule="download_without_token")
        return self.media.download(exchange.incoming.path.rsplit("/", 1)[1])

    def _on_node(self, exchange: Exchange) -> Answer:
        node = exchange.incoming.path.split("/")[2]
        if node == self.phone_number_id:
            self._authorise(exchange.incoming)
            return account.number(
                phone_number_id=self.phone_number_id,
                waba_id=self.waba_id,
                display_phone_number=self.display_phone_number,
            )
        self._authorise(exchange.incoming)
        asked = exchange.incoming.argument("phone_number_id")
        if asked and asked != self.phone_number_id:
            raise graph_error(400, 100, "Invalid parameter", "the media is another number's", rule="foreign_media")
        if not node.isdecimal() or self.shelf.get(node) is None:
            raise graph_error(400, 33, "This object does not exist or is not yours", "unknown id")
        return self.media.resolve(node)

    def _on_delete(self, exchange: Exchange) -> Answer:
        self._authorise(exchange.incoming)
        return self.media.delete(exchange.incoming.path.split("/")[2])

    def _on_subscribed_apps(self, exchange: Exchange) -> Answer:
        self._authorise(exchange.incoming)
        if exchange.incoming.method != "GET":
            self.subscribed = exchange.incoming.method == "POST"
            return answer_json({"success": True})
        apps = [("Frontdesk sandbox", "670843887433847")] if self.subscribed else []
        apps += [(self.second_app, "670843887433848")] if self.second_app else []
        told = [{"whatsapp_business_api_data": {"name": name, "id": id_}} for name, id_ in apps]
        return answer_json({"data": told})

    def _on_templates(self, exchange: Exchange) -> Answer:
        self._authorise(exchange.incoming)
        template = {"name": "reminder", "status": "APPROVED", "language": "en_US", "category": "UTILITY"}
        return answer_json({"data": [template]})

    # ------------------------------------------------------------------ what became of a reply

    def _tell(self, person: Person, message_id: str, key: str, *, failure: int, template: bool) -> None:
        """The status webhooks of one accepted reply, one after another (§2.5)."""
        if self.habits.off:
            return
        states = ("failed",) if failure == 131047 else self.habits.states()
        pricing = self._pricing.next(template=template)

        def tell(some: Sequence[str]) -> None:
            for state in some:
                self.report_status(message_id, state, person=person, key=key, pricing=pricing, error=failure)

        if self.habits.early:
            tell(states[:1])
            states = states[1:]
        self._do_later(lambda: tell(states))
