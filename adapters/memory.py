"""The twin of a platform: signed JSON in, a list out. For tests of what lies above, and as the shortest example.

A request is `{"messages": [{"id", "from", "text"}]}` with the header `x-signature`: the body's HMAC-SHA256, in hex.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from pydantic import SecretStr

from adapters.channel import Channel, ChannelSettings, Download, Services
from adapters.errors import Malformed, MediaLost, Unverified
from adapters.files import NoFile
from adapters.markdown import Dialect
from adapters.payload import Json, objects, read_object, text
from adapters.signing import any_same, hmac_sha256, secrets
from adapters.surface import Menu, Surface
from adapters.text import Limit
from adapters.values import (
    Action,
    Attachment,
    Choice,
    ConversationId,
    Delivered,
    Event,
    Media,
    Message,
    Outcome,
    Page,
    Promise,
    Refused,
    Reply,
    Request,
    Response,
)


class MemorySettings(ChannelSettings):
    """A `[channels.<name>]` table of the twin."""

    secret: SecretStr = SecretStr("twin-secret")
    secret_previous: SecretStr | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One part that was sent: *again* after Unknown, the rest as in `Part`; *content* is the attached file's."""

    key: str
    to: str
    text: str
    again: bool
    repeated: bool
    template: str = ""
    choices: tuple[Choice, ...] = ()
    attachment: Attachment | None = None
    content: bytes = b""


class MemoryWriting:
    """One answer that grew: *messages* are those that it answers, *texts* what was shown."""

    def __init__(self, messages: Sequence[Message], key: str) -> None:
        self.messages = tuple(messages)
        self.key = key
        self.texts: list[str] = []
        self.ended = False

    def show(self, text: str) -> None:
        self.texts.append(text)

    def end(self) -> None:
        self.ended = True


class MemoryChannel(Channel[MemorySettings]):
    """Remembers what it was told to send in `sent`; answers with `outcomes` in turn, then with Delivered. `shelf`
    holds by id what can be fetched, `pages` what can be pulled; `writings` are the answers that grew."""

    settings_type = MemorySettings
    promise: ClassVar[Promise] = Promise.KEYED
    dialect = Dialect(render=str)
    limit = Limit(size=1000, measure=len)
    surface: ClassVar[Surface] = Surface(
        buttons=Menu(most=3, title=Limit(size=20, measure=len), body=Limit(size=500, measure=len)),
        attachments=frozenset({"image", "document"}),
        caption=Limit(size=200, measure=len),
        grows=True,
        hears=frozenset({"image", "audio"}),
    )

    def __init__(self, name: str, settings: MemorySettings, services: Services) -> None:
        super().__init__(name, settings, services)
        self.sent: list[Sent] = []
        self.outcomes: deque[Outcome] = deque()
        self.shelf: dict[str, Download | Exception] = {}
        self.fetched: list[str] = []
        self.writings: list[MemoryWriting] = []
        self.pages: deque[Page | Exception] = deque()
        self.cursors: list[str] = []

    @property
    def account(self) -> str:
        return "twin"

    def verify(self, request: Request) -> None:
        valid = secrets(self.settings.secret, self.settings.secret_previous)
        expected = [hmac_sha256(secret, request.body).hex() for secret in valid]
        if not any_same(expected, request.headers.get("x-signature", "")):
            raise Unverified("the signature does not fit the body")

    def parse(self, request: Request) -> Sequence[Event]:
        return [self._message(item, request.received_at) for item in objects(read_object(request.body), "messages")]

    def _message(self, item: Json, received_at: datetime) -> Message:
        try:
            sender = text(item, "from")
            return Message(
                id=text(item, "id"),
                conversation=ConversationId(channel=self.name, account=self.account, peer=sender),
                sender=sender,
                text=text(item, "text"),
                sent_at=received_at.astimezone(UTC),
                route={"to": sender},
            )
        except ValueError as error:
            raise Malformed(str(error)) from None

    def answer(self, request: Request, events: Sequence[Event]) -> Response:
        return Response()

    def send(self, reply: Reply, index: int, *, again: bool = False) -> Outcome:
        outcome = self.outcomes.popleft() if self.outcomes else Delivered(platform_id=f"twin-{len(self.sent)}")
        part = reply.parts[index]
        try:
            content = self.services.files.read(part.attachment) if part.attachment and part.attachment.file else b""
        except NoFile as error:
            return Refused(reason=str(error), action=Action.GIVE_UP)
        sent = Sent(
            key=reply.part_key(index),
            to=reply.route["to"],
            text=part.text,
            again=again,
            repeated=part.repeated,
            template=part.template,
            choices=part.choices,
            attachment=part.attachment,
            content=content,
        )
        self.sent.append(sent)
        return outcome

    def fetch(self, media: Media, message: Message) -> Download:
        self.fetched.append(media.id)
        found = self.shelf.get(media.id, MediaLost("nothing of that id is on the shelf"))
        if isinstance(found, Exception):
            raise found
        return found

    def writing(self, messages: Sequence[Message], key: str) -> MemoryWriting:
        self.writings.append(MemoryWriting(messages, key))
        return self.writings[-1]

    def pull(self, notice: Message, cursor: str) -> Page:
        self.cursors.append(cursor)
        page = self.pages.popleft() if self.pages else Page(events=(), cursor=cursor, more=False)
        if isinstance(page, Exception):
            raise page
        return page
