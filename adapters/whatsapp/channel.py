"""WhatsApp Business Cloud API, one business number (sheet §1–§4)."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import ClassVar

from adapters.channel import Channel, Finding
from adapters.errors import Unverified
from adapters.http import HttpAnswer, MaybeSent, NotSent
from adapters.markdown import WHATSAPP
from adapters.payload import read_object
from adapters.signing import any_same, hmac_sha256, secrets
from adapters.text import Limit, utf16_units
from adapters.values import (
    Action,
    Delivered,
    Event,
    Message,
    Outcome,
    Promise,
    Refused,
    Reply,
    Request,
    Response,
    Unknown,
)
from adapters.whatsapp.health import findings
from adapters.whatsapp.inbound import events
from adapters.whatsapp.numbers import other_form
from adapters.whatsapp.outbound import addressee, outcome, read_body, send_body
from adapters.whatsapp.settings import WhatsAppSettings
from adapters.whatsapp.source import Source

_OTHER_FORM_MAY_WORK = frozenset({"131026", "131030"})


class WhatsApp(Channel[WhatsAppSettings]):
    """Sends have no idempotency key, but statuses echo `biz_opaque_callback_data`: OBSERVABLE (sheet §3.4)."""

    settings_type = WhatsAppSettings
    promise: ClassVar[Promise] = Promise.OBSERVABLE
    dialect = WHATSAPP
    limit = Limit(size=4096, measure=utf16_units)  # whether Meta counts UTF-16 or code points is not published
    dedupe_horizon = timedelta(days=8)  # Meta retries for up to 7 days (sheet §1.4)
    reply_window = timedelta(hours=24)
    oldest_message = timedelta(days=7)
    largest_body = 3 * 1024 * 1024

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
        source = Source(channel=self.name, account=self.account, now=request.received_at)
        return tuple(events(source, read_object(request.body)))

    def answer(self, request: Request, events: Sequence[Event]) -> Response:
        if request.method == "GET":
            return Response(body=request.query["hub.challenge"].encode("utf-8", "replace"))
        return Response()

    # ---- out ----

    @property
    def reminder_template(self) -> str:
        return self.settings.reminder_template

    def send(self, reply: Reply, index: int, *, again: bool = False) -> Outcome:
        """Numbers of three countries have two forms: where WhatsApp does not know the one, the other is tried."""
        to = addressee(reply.route)
        first = self._send(reply, index, to)
        other = other_form(reply.route.get("to", ""))
        if other and isinstance(first, Refused) and first.code in _OTHER_FORM_MAY_WORK:
            second = self._send(reply, index, {"to": f"+{other}"})
            return second if isinstance(second, Delivered | Unknown) else first
        return first

    def _send(self, reply: Reply, index: int, to: dict[str, str]) -> Outcome:
        settings = self.settings
        body = send_body(
            reply, index, to=to, quote=settings.reply_context, language=settings.reminder_template_language
        )
        try:
            return outcome(self._post(body), self.services.now())
        except NotSent as error:
            return Refused(reason=f"not sent ({error}): is api_base reachable?", action=Action.RETRY)
        except MaybeSent as error:
            return Unknown(reason=f"no answer: {error}")

    def turn_started(self, message: Message) -> None:
        """Read receipt and "typing …" in one call (sheet §3.5)."""
        answer = self._post(read_body(message.route["message_id"]))
        if answer.status != 200:
            raise MaybeSent(f"HTTP {answer.status}")

    def check(self) -> Sequence[Finding]:
        return findings(self.settings, self._get)

    def _post(self, body: bytes) -> HttpAnswer:
        url = self._url(f"{self.account}/messages")
        return self.services.http.call("POST", url, body=body, headers=self._headers())

    def _get(self, path: str, params: Mapping[str, str]) -> HttpAnswer:
        return self.services.http.call("GET", self._url(path), params=params, headers=self._headers())

    def _url(self, path: str) -> str:
        return f"{self.settings.api_base.rstrip('/')}/{self.settings.api_version}/{path}"

    def _headers(self) -> dict[str, str]:
        token = self.settings.access_token.get_secret_value()
        return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
