"""The DingTalk channel: callbacks or a stream in; cards, the session webhook while it is open, or the OpenAPI out.

`send` is :mod:`~adapters.dingtalk.sending`, what grows :mod:`~adapters.dingtalk.growing`, the stream
:mod:`~adapters.dingtalk.stream`.
"""

from collections.abc import Sequence
from typing import ClassVar

from adapters.channel import Channel, Connection, Download, Finding, Services
from adapters.dingtalk.api import OpenApi, written
from adapters.dingtalk.cards import Cards
from adapters.dingtalk.check import Check
from adapters.dingtalk.choices import BUTTONS, ChoiceCards, update
from adapters.dingtalk.events import Events, success
from adapters.dingtalk.finishing import Finisher
from adapters.dingtalk.frames import Desk
from adapters.dingtalk.gateway import open_gateway
from adapters.dingtalk.growing import CardWriting, Easel, Ledger
from adapters.dingtalk.inbound import Inbound
from adapters.dingtalk.media import Downloads
from adapters.dingtalk.outbound import LIMIT
from adapters.dingtalk.quota import Quota
from adapters.dingtalk.route import Route
from adapters.dingtalk.sending import Sender
from adapters.dingtalk.settings import DingTalkSettings
from adapters.dingtalk.signature import verify, verify_card
from adapters.dingtalk.webhook import Webhooks
from adapters.dingtalk.wire import Wire
from adapters.errors import Unverified
from adapters.http import MaybeSent, NotSent
from adapters.markdown import DINGTALK
from adapters.payload import read_object
from adapters.surface import Content, Surface, parts
from adapters.tokens import NoToken
from adapters.values import (
    Action,
    Event,
    Media,
    Message,
    Outcome,
    Part,
    Promise,
    Refused,
    Reply,
    Request,
    Response,
    Unknown,
)
from adapters.writing import Writing

NO_REPLY = b'{"msgtype":"empty"}'
"""The documented answer that shows the customer nothing (DingTalk sheet §1.4)."""
CARD = "card"
EVENT = "event"
_JSON = "application/json; charset=utf-8"
_KINDS = frozenset({"image", "audio", "video", "document"})


class DingTalk(Channel[DingTalkSettings]):
    """One robot of one organisation. BLIND: neither way of messages takes a key of ours (§2.2, §2.4). Cards do:
    what is not known of one comes back as a refusal to be tried again."""

    settings_type = DingTalkSettings
    promise: ClassVar[Promise] = Promise.BLIND
    dialect = DINGTALK
    limit = LIMIT
    largest_body: ClassVar[int] = 256 * 1024
    """A customer's text has 20,000 bytes at most; the rest is ids, links and quoted words."""
    endpoints: ClassVar[frozenset[str]] = frozenset({CARD, EVENT})
    surface: ClassVar[Surface] = Surface(
        buttons=BUTTONS,
        attachments=_KINDS,
        grows=True,
        hears=frozenset({"image", "audio", "video", "file"}),
        note=(
            "Answers grow with card_template_id and card_key, choices are buttons with choice_template_id, else a"
            " numbered list; guests without a staff id get pictures, but no files."
        ),
    )

    def __init__(self, name: str, settings: DingTalkSettings, services: Services) -> None:
        super().__init__(name, settings, services)
        webhooks = Webhooks(settings.oapi_base)
        self._quota = Quota(name, settings, services)
        self._wire = Wire(services, self._quota)
        self._api = OpenApi(settings, services, self._wire)
        self._inbound = Inbound(name, settings, webhooks)
        self._events = Events(name, settings, services)
        cards = Cards(settings, services, self._api)
        self._choices = ChoiceCards(name, settings, services, cards)
        self._easel = self._prepared(cards)
        self._sender = Sender(
            settings,
            services,
            wire=self._wire,
            api=self._api,
            webhooks=webhooks,
            choices=self._choices,
            finisher=Finisher(self._easel),
        )
        self._downloads = Downloads(settings, services, self._api, self._wire)

    @property
    def account(self) -> str:
        return self.settings.robot

    # ---- in ----

    def verify(self, request: Request) -> None:
        by_event = request.endpoint == EVENT and self._events.seals  # their way is the console's setting (§4.3)
        if self.settings.mode == "stream" and not by_event:
            reason = 'mode = "stream": messages come over the connection; take the callback address out of DingTalk'
            raise Unverified(reason, status=403)
        match request.endpoint:
            case "card":
                verify_card(request.headers, self.settings, request.received_at)
            case "event":
                self._events.open(request)
            case _:
                verify(request.headers, self.settings, request.received_at)

    def parse(self, request: Request) -> Sequence[Event]:
        match request.endpoint:
            case "card":
                return (self._choices.event(read_object(request.body), request.received_at),)
            case "event":
                return self._events.read(self._events.open(request).body, request.received_at)
            case _:
                return self._inbound.events(read_object(request.body), request.received_at)

    def answer(self, request: Request, events: Sequence[Event]) -> Response:
        match request.endpoint:
            case "card":
                body = written(update(events))
            case "event":
                body = success(self._events.open(request).seal, self.services.now())
            case _:
                body = NO_REPLY
        return Response(body=body, content_type=_JSON)

    def fetch(self, media: Media, message: Message) -> Download:
        return self._downloads.fetch(media)

    def connection(self) -> Connection | None:
        """Imports the SDK, which only the stream needs; the settings have seen to it that it is there."""
        if self.settings.mode != "stream":
            return None
        from dingtalk_stream import Credential

        from adapters.dingtalk.stream import StreamConnection

        credential = Credential(self.settings.client_id, self.settings.client_secret.get_secret_value())
        desk = Desk(self._inbound, self._events, self._choices, self.services.now)
        return StreamConnection(
            credential, lambda: open_gateway(self.settings, self._wire, self.services.now()), desk
        )

    # ---- out ----

    def parts(self, content: Content) -> tuple[Part, ...]:
        """With buttons only where the channel has a template for them."""
        buttons = BUTTONS if self.settings.choice_template_id else None
        own = Surface(buttons=buttons, attachments=self.surface.attachments)
        return parts(content, own, self.compose)

    def writing(self, messages: Sequence[Message], key: str) -> Writing | None:
        if self._easel is None:
            return None
        route = Route.of(messages[-1].route)
        return CardWriting(self._easel, key, route) if route.by_api and self._quota.cards_may_grow() else None

    def send(self, reply: Reply, index: int, *, again: bool = False) -> Outcome:
        try:
            return self._sender.send(reply, index)
        except NoToken as error:
            return error.refused
        except NotSent as error:
            return Refused(reason=f"DingTalk was not reached: {error}", action=Action.RETRY)
        except MaybeSent as error:
            return Unknown(reason=f"DingTalk did not say whether it has the message: {error}")

    def _prepared(self, cards: Cards) -> Easel | None:
        if not self.settings.streams_cards:
            return None
        return Easel(
            cards=cards,
            ledger=Ledger(self.name, self.services.growth),
            quota=self._quota,
            template=self.settings.card_template_id,
            variable=self.settings.card_key,
            render=self.dialect.render,
        )

    # ---- the operator ----

    def check(self) -> Sequence[Finding]:
        looks = Check(
            self.settings, self.services, wire=self._wire, api=self._api, events=self._events, quota=self._quota
        )
        return looks.findings()
