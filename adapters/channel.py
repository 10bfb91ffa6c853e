"""The one seam of this package: what a platform must be able to do, and what it is lent to do it.

A new platform is a subclass with four methods (`verify`, `parse`, `answer`, `send`), a settings model, a dialect
and a limit. Everything optional has a default here that does nothing or refuses aloud.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from adapters.aliases import Aliases, MemoryAliases
from adapters.errors import Unsupported
from adapters.files import Files, MemoryFiles
from adapters.growth import Growth, MemoryGrowth
from adapters.http import PlatformHttp
from adapters.markdown import Dialect
from adapters.meter import MemoryMeter, Meter
from adapters.relay import MemoryRelay, Relay
from adapters.surface import Content, Surface, parts
from adapters.text import Limit, split
from adapters.throttle import MemoryThrottle, Throttle
from adapters.tokens import TokenStore
from adapters.values import (
    ConversationId,
    Event,
    Media,
    Message,
    Outcome,
    Page,
    Part,
    Promise,
    Reply,
    Request,
    Response,
)
from adapters.writing import Writing


class ChannelSettings(BaseModel):
    """A `[channels.<name>]` table. Unknown keys are errors; secrets are `SecretStr`, so no repr shows them.
    Every secret that verifies inbound requests has a `_previous` twin, so that it can be rotated."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    platform: str
    assistant: str = "default"
    welcome: str = ""
    """What is said to a customer who opens the chat, where the platform tells us of that; "": nothing."""


S = TypeVar("S", bound=ChannelSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the host lends a channel: the way out, the shared tokens, the clock (aware, UTC), and what all processes
    share besides. The defaults are the twins, for one process."""

    http: PlatformHttp
    tokens: TokenStore
    now: Callable[[], datetime]
    throttle: Throttle = field(default_factory=MemoryThrottle)
    meter: Meter = field(default_factory=MemoryMeter)
    growth: Growth = field(default_factory=MemoryGrowth)
    aliases: Aliases = field(default_factory=MemoryAliases)
    relay: Relay = field(default_factory=MemoryRelay)
    files: Files = field(default_factory=MemoryFiles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of `frontdesk check`: what was looked at, whether it holds, and the next step where it does not."""

    what: str
    ok: bool
    next_step: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A customer's attachment, fetched. *mime* is what the bytes are, not what the sender calls them."""

    content: bytes
    mime: str


class Connection(Protocol):
    """A long connection to a platform, held by one process for all (`frontdesk connect`)."""

    def run(self, receive: Callable[[Sequence[Event]], None], stop: threading.Event) -> None:
        """Stays connected, for ever and with jitter between the tries, until *stop*; hands on what comes in, and
        acknowledges it only after *receive* returned. *receive* raises :class:`~adapters.errors.NotKept`."""
        ...


class Channel(ABC, Generic[S]):
    """One configured account on one platform. Thread-safe: web threads and turns share one instance."""

    settings_type: ClassVar[type[ChannelSettings]]
    promise: ClassVar[Promise]
    dialect: ClassVar[Dialect]
    limit: ClassVar[Limit]
    dedupe_horizon: ClassVar[timedelta] = timedelta(days=1)
    """How long a platform may redeliver the same message."""
    reply_window: ClassVar[timedelta | None] = None
    """How long after the customer's last word a free message is allowed; None: no such limit. The platform itself
    is the judge of an answer (it knows of calls and words that we never saw); a reminder goes by this."""
    oldest_message: ClassVar[timedelta | None] = None
    """How late a message may reach us and still be answered; None: no limit. Less than the dedupe horizon, so that
    what is replayed after it is not answered either."""
    largest_body: ClassVar[int] = 1024 * 1024
    """Bytes of one webhook request."""
    surface: ClassVar[Surface] = Surface()
    """What can be shown beyond text."""
    typing_lasts: ClassVar[timedelta | None] = None
    """How often `still_writing` says again what `turn_started` said, since it wears off. None: once is enough."""
    quotes_by_id: ClassVar[bool] = False
    """Whether `Message.quoted` is the other message's id, rather than its words."""
    endpoints: ClassVar[frozenset[str]] = frozenset()
    """What may follow the channel's own address, such as `card` of `/webhooks/<channel>/card`."""

    def __init__(self, name: str, settings: S, services: Services) -> None:
        self.name = name
        self.settings = settings
        self.services = services

    @property
    @abstractmethod
    def account(self) -> str:
        """The business's own id on the platform, as in `ConversationId.account`."""

    @abstractmethod
    def verify(self, request: Request) -> None:
        """Raises :class:`~adapters.errors.Unverified` unless the platform itself sent these raw bytes."""

    @abstractmethod
    def parse(self, request: Request) -> Sequence[Event]:
        """The events of a verified request, in the platform's order. Raises
        :class:`~adapters.errors.Malformed`; what is merely unknown is left out, not an error."""

    @abstractmethod
    def answer(self, request: Request, events: Sequence[Event]) -> Response:
        """The HTTP answer once the events are safe: usually an empty 200; the challenge of a URL check."""

    @abstractmethod
    def send(self, reply: Reply, index: int, *, again: bool = False) -> Outcome:
        """Sends part *index* of *reply*: one call, no retry loop (but one token refresh). *again*: an earlier
        try of this part ended Unknown. Never raises for what the network or the platform does."""

    def compose(self, markdown: str) -> tuple[str, ...]:
        """The model's Markdown as the platform shows it, cut into sendable parts."""
        return split(self.dialect.render(markdown), self.limit)

    def parts(self, content: Content) -> tuple[Part, ...]:
        """Everything that is to be said, as this channel can show it."""
        return parts(content, self.surface, self.compose)

    def fetch(self, media: Media, message: Message) -> Download:
        """A customer's attachment, in the worker. Raises :class:`~adapters.errors.MediaLost`, or NotSent and
        MaybeSent of :mod:`adapters.http` where another try may help."""
        raise Unsupported(f"fetching {media.kind}")

    def writing(self, messages: Sequence[Message], key: str) -> Writing | None:
        """What shows the answer to *messages*, all that the turn answers together, while it grows; None: nothing
        can. *key* is the reply's, so that `send` finds what was begun here. The last is the newest, and the
        reply goes its way (`Reply.route`); what the platform keeps open for the earlier ones is to be closed here.
        Called in every turn, and again with more when more arrived: nothing is shown, nor made, before the first
        `show`."""
        return None

    def pull(self, notice: Message, cursor: str) -> Page:
        """What the platform keeps for us behind *cursor* ("": from the beginning), where it only sends notices.
        Raises NotSent, MaybeSent, or :class:`~adapters.tokens.NoToken`: then it is asked again later."""
        raise Unsupported("fetching messages")

    def hand_over(self, conversation: ConversationId) -> Outcome | None:
        """Gives the customer to a human of the business, after they were told so; None: nobody is configured, or
        the platform has no such thing. May be asked twice. Never raises for what the network or the platform
        does."""
        return None

    def human_serves(self, conversation: ConversationId) -> bool | None:
        """Whether a human of the business has the customer now, where the platform can be asked; None: nobody can
        say, and what it told last holds. Asked before a turn is left to a human: of their leaving a platform may
        never tell. Never raises for what the network or the platform does."""
        return None

    def connection(self) -> Connection | None:
        """The long connection that this channel needs, as it is configured; None: webhooks alone."""
        return None

    @property
    def reminder_template(self) -> str:
        """The platform's approved template for a reminder outside the reply window; "": there is none."""
        return ""

    def turn_started(self, message: Message) -> None:
        """Tells the customer that an answer is being written, where the platform can. May raise; the caller
        runs it beside the turn and counts failures."""

    def still_writing(self, message: Message) -> None:
        """As :meth:`turn_started`, every `typing_lasts` as long as the answer is being written."""
        self.turn_started(message)

    def check(self) -> Sequence[Finding]:
        """Asks the platform whether this configuration works. Never raises."""
        return ()
