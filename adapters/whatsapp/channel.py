"""WhatsApp Business Cloud API, one business number (sheet §1–§4)."""

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar

from adapters.channel import Channel, Download, Finding, Services
from adapters.errors import Unverified
from adapters.http import MaybeSent
from adapters.markdown import WHATSAPP
from adapters.payload import read_object
from adapters.signing import any_same, hmac_sha256, secrets
from adapters.surface import Content
from adapters.values import Event, Media, Message, Outcome, Part, Promise, Reply, Request, Response
from adapters.whatsapp.aliases import People
from adapters.whatsapp.bodies import encoded, read_receipt
from adapters.whatsapp.downloads import Downloads
from adapters.whatsapp.graph import Graph
from adapters.whatsapp.health import findings
from adapters.whatsapp.inbound import events
from adapters.whatsapp.limits import SURFACE, TEXT
from adapters.whatsapp.sending import Sending
from adapters.whatsapp.settings import WhatsAppSettings
from adapters.whatsapp.shaping import shaped
from adapters.whatsapp.source import Source


class WhatsApp(Channel[WhatsAppSettings]):
    """Sends have no idempotency key, but statuses echo `biz_opaque_callback_data`: OBSERVABLE (sheet §3.4)."""

    settings_type = WhatsAppSettings
    promise: ClassVar[Promise] = Promise.OBSERVABLE
    typing_lasts = timedelta(seconds=20)  # it ends after 25 s (sheet §3.5)
    dialect = WHATSAPP
    limit = TEXT
    dedupe_horizon = timedelta(days=8)  # Meta retries for up to 7 days (sheet §1.4)
    reply_window = timedelta(hours=24)
    oldest_message = timedelta(hours=24) - timedelta(minutes=5)  # later, only a template could answer (sheet §4.1)
    largest_body = 3 * 1024 * 1024
    surface = SURFACE
    quotes_by_id = True

    def __init__(self, name: str, settings: WhatsAppSettings, services: Services) -> None:
        super().__init__(name, settings, services)
        self._graph = Graph(settings, services.http)
        self._sending = Sending(name, settings, services, self._graph)
        self._downloads = Downloads(settings, self._graph, services.now)
        self._people = People(settings.phone_number_id, services.aliases)

    @property
    def account(self) -> str:
        return self.settings.phone_number_id

    # ---- in ----

    def verify(self, request: Request) -> None:
        if request.method == "GET":
            self._verify_url(request)
        else:
            self._verify_signature(request)

    def _verify_url(self, request: Request) -> None:
        """The check when the webhook's URL is registered (sheet §1.1)."""
        tokens = secrets(self.settings.verify_token, self.settings.verify_token_previous)
        known = any_same(tokens, request.query.get("hub.verify_token", ""))
        if not known or request.query.get("hub.mode") != "subscribe" or not request.query.get("hub.challenge"):
            raise Unverified("the URL check does not carry our verify_token", status=403)

    def _verify_signature(self, request: Request) -> None:
        """HMAC-SHA256 of the bytes as received: Meta escapes JSON in a way no encoder repeats (sheet §1.2)."""
        valid = secrets(self.settings.app_secret, self.settings.app_secret_previous)
        expected = [f"sha256={hmac_sha256(secret, request.body).hex()}" for secret in valid]
        if not any_same(expected, request.headers.get("x-hub-signature-256", "")):
            raise Unverified("X-Hub-Signature-256 does not fit the body: is app_secret the app's own?")

    def parse(self, request: Request) -> Sequence[Event]:
        if request.method == "GET":
            return ()
        source = Source(
            channel=self.name,
            account=self.account,
            now=request.received_at,
            waba=self.settings.waba_id,
            roles=self.settings.thread_roles,
            people=self._people,
        )
        return tuple(events(source, read_object(request.body)))

    def answer(self, request: Request, events: Sequence[Event]) -> Response:
        if request.method == "GET":
            return Response(body=request.query["hub.challenge"].encode("utf-8", "replace"))
        return Response()

    def fetch(self, media: Media, message: Message) -> Download:
        return self._downloads.fetch(media)

    # ---- out ----

    @property
    def reminder_template(self) -> str:
        return self.settings.reminder_template

    def parts(self, content: Content) -> tuple[Part, ...]:
        return shaped(content, self.surface, self.compose, split=self.settings.split_long_answers)

    def send(self, reply: Reply, index: int, *, again: bool = False) -> Outcome:
        self._people.tell(reply.route.get("to", ""), reply.route.get("recipient", ""))
        return self._sending.send(reply, index)

    def turn_started(self, message: Message) -> None:
        """Read receipt and "typing …" in one call (sheet §3.5)."""
        self._people.tell(message.route.get("to", ""), message.route.get("recipient", ""))
        self._show_typing(message)
        if self.settings.seen_reaction:
            self._sending.react(message.route, message.conversation.key, self.settings.seen_reaction)

    def still_writing(self, message: Message) -> None:
        """Only where the operator says so: whether it may be repeated is unconfirmed (sheet §3.5)."""
        if self.settings.repeat_typing:
            self._show_typing(message)

    def _show_typing(self, message: Message) -> None:
        answer = self._graph.send(encoded(read_receipt(message.route["message_id"])))
        if answer.status != 200:
            raise MaybeSent(f"HTTP {answer.status}")

    def check(self) -> Sequence[Finding]:
        return findings(self.name, self.settings, self.services, self._graph)
