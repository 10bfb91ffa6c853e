"""The AI bot as a channel, in whichever of its two modes it is configured (WeCom sheet §4)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from adapters.channel import Channel, Connection, Download, Finding, Services
from adapters.surface import Content, Menu, Surface, parts
from adapters.text import Limit
from adapters.values import Event, Media, Message, Outcome, Part, Promise, Reply, Request, Response
from adapters.wecom_aibot.by_socket import SocketMode
from adapters.wecom_aibot.by_url import UrlMode
from adapters.wecom_aibot.cards import MOST_BUTTONS, TITLE
from adapters.wecom_aibot.check import callback_findings, connection_findings
from adapters.wecom_aibot.connection import LongConnection
from adapters.wecom_aibot.media import Attachments
from adapters.wecom_aibot.settings import WeComAiBotSettings
from adapters.wecom_aibot.shown import DIALECT, LIMIT
from adapters.wecom_aibot.upload import KINDS
from adapters.writing import Writing


class WeComAiBot(Channel[WeComAiBotSettings]):
    """One AI bot. KEYED: a stream that this reply has finished is finished, a response_url takes one call, and a
    push over the long connection that got no answer is repeated once at most."""

    settings_type = WeComAiBotSettings
    promise: ClassVar[Promise] = Promise.KEYED
    dialect = DIALECT
    limit = LIMIT
    surface: ClassVar[Surface] = Surface(
        buttons=Menu(most=MOST_BUTTONS, title=TITLE, body=Limit(size=LIMIT.size, measure=LIMIT.measure)),
        attachments=frozenset({"image"}),
        grows=True,
        quotes=True,
        hears=frozenset({"image", "file", "video"}),
        note="Voice arrives as text. Over a long connection all kinds of files are sent, and choices are numbered"
        " lines, as they are in an answer that comes too late for its stream.",
    )

    def __init__(self, name: str, settings: WeComAiBotSettings, services: Services) -> None:
        super().__init__(name, settings, services)
        self._url = UrlMode(name, settings, services)
        self._socket = SocketMode(name, settings.feedback, services) if settings.mode == "websocket" else None
        self._attachments = Attachments(settings, services)

    @property
    def account(self) -> str:
        return self.settings.bot_id

    def verify(self, request: Request) -> None:
        self._url.verify(request)

    def parse(self, request: Request) -> Sequence[Event]:
        return self._url.parse(request)

    def answer(self, request: Request, events: Sequence[Event]) -> Response:
        return self._url.answer(request, events)

    def parts(self, content: Content) -> tuple[Part, ...]:
        """A file from somewhere else than the operator's own is a link: only bytes can be sent."""
        shows = self.surface
        if self.settings.mode == "websocket":
            shows = replace(shows, buttons=None, attachments=frozenset(KINDS))
        elif not self.settings.buttons:
            shows = replace(shows, buttons=None)
        attachments = tuple(each if each.file else replace(each, kind="link") for each in content.attachments)
        return parts(replace(content, attachments=attachments), shows, self.compose)

    def send(self, reply: Reply, index: int, *, again: bool = False) -> Outcome:
        return (self._socket or self._url).send(reply, index, again=again)

    def fetch(self, media: Media, message: Message) -> Download:
        return self._attachments.fetch(media, message)

    def writing(self, messages: Sequence[Message], key: str) -> Writing | None:
        return (self._socket or self._url).writing(messages)

    def connection(self) -> Connection | None:
        return LongConnection(self.name, self.settings, self.services) if self._socket else None

    def check(self) -> Sequence[Finding]:
        if self._socket:
            return connection_findings(self.name, bot_id=self.settings.bot_id, services=self.services)
        return callback_findings(
            self._url.callback,
            bot_id=self.settings.bot_id,
            api_base=self.settings.api_base,
            services=self.services,
        )
