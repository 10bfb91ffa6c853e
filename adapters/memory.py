"""The twin of a platform: signed JSON in, a list out. For tests of what lies above, and as the shortest example.

A request is `{"messages": [{"id", "from", "text"}]}` with the header `x-signature`: the body's HMAC-SHA256, in hex.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from pydantic import SecretStr

from adapters.channel import Channel, ChannelSettings, Services
from adapters.errors import Malformed, Unverified
from adapters.markdown import Dialect
from adapters.payload import Json, objects, read_object, text
from adapters.signing import any_same, hmac_sha256, secrets
from adapters.text import Limit
from adapters.values import (
    ConversationId,
    Delivered,
    Event,
    Message,
    Outcome,
    Promise,
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
    """One part that was sent: *again* after Unknown, *repeated* and *template* as in `Part`."""

    key: str
    to: str
    text: str
    again: bool
    repeated: bool
    template: str = ""


class MemoryChannel(Channel[MemorySettings]):
    """Remembers what it was told to send in `sent`; answers with `outcomes` in turn, then with Delivered."""

    settings_type = MemorySettings
    promise: ClassVar[Promise] = Promise.KEYED
    dialect = Dialect(render=str)
    limit = Limit(size=1000, measure=len)

    def __init__(self, name: str, settings: MemorySettings, services: Services) -> None:
        super().__init__(name, settings, services)
        self.sent: list[Sent] = []
        self.outcomes: deque[Outcome] = deque()

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
        sent = Sent(
            key=reply.part_key(index),
            to=reply.route["to"],
            text=part.text,
            again=again,
            repeated=part.repeated,
            template=part.template,
        )
        self.sent.append(sent)
        return outcome
