"""The one seam of this package: what a platform must be able to do, and what it is lent to do it.

A new platform is a subclass with four methods (`verify`, `parse`, `answer`, `send`), a settings model, a dialect
and a limit. Everything optional has a default here that does nothing or refuses aloud.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from adapters.http import PlatformHttp
from adapters.markdown import Dialect
from adapters.text import Limit, split
from adapters.tokens import TokenStore
from adapters.values import Event, Message, Outcome, Promise, Reply, Request, Response


class ChannelSettings(BaseModel):
    """A `[channels.<name>]` table. Unknown keys are errors; secrets are `SecretStr`, so no repr shows them.
    Every secret that verifies inbound requests has a `_previous` twin, so that it can be rotated."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    platform: str
    assistant: str = "default"


S = TypeVar("S", bound=ChannelSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the host lends a channel: the way out, the shared tokens, the clock (aware, UTC)."""

    http: PlatformHttp
    tokens: TokenStore
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of `frontdesk check`: what was looked at, whether it holds, and the next step where it does not."""

    what: str
    ok: bool
    next_step: str = ""


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

    @property
    def reminder_template(self) -> str:
        """The platform's approved template for a reminder outside the reply window; "": there is none."""
        return ""

    def turn_started(self, message: Message) -> None:
        """Tells the customer that an answer is being written, where the platform can. May raise; the caller
        runs it beside the turn and counts failures."""

    def check(self) -> Sequence[Finding]:
        """Asks the platform whether this configuration works. Never raises."""
        return ()
