"""What all fake platforms have in common: a server, a clock, a journal, faults, and webhooks that are posted again.

A platform is a subclass with a table of routes, a way to compose one webhook, and its own `say`. Used by tests as

    with WhatsAppPlatform() as platform:
        platform.webhook_url = "http://127.0.0.1:8080/webhooks/shop"
        assert platform.say("Where is my parcel?").status == 200
        [reply] = platform.wait_for_replies(1, timeout=5)
"""

import itertools
import threading
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from types import TracebackType
from typing import Any, ClassVar, Generic, Self, TypeVar

from bot.sandbox.simulator import control
from bot.sandbox.simulator.calls import Exchange, Handler, Refusal, Route, member, play, route
from bot.sandbox.simulator.clock import Clock
from bot.sandbox.simulator.courier import Heard
from bot.sandbox.simulator.faults import Fault, Faults
from bot.sandbox.simulator.journal import Breach, Call, Delivery, Journal, Said, SentMessage, Sign
from bot.sandbox.simulator.media import Shelf
from bot.sandbox.simulator.mischief import Mischiefs
from bot.sandbox.simulator.posting import Post, Postman
from bot.sandbox.simulator.serving import Answer, Incoming, Server

__all__ = ["Exchange", "Handler", "Platform", "Post", "Refusal", "Route", "member", "route"]

REMEMBERED = 20_000
"""Messages that can still be redelivered."""


M = TypeVar("M")


class Platform(ABC, Generic[M]):
    """One fake platform with one bot registered. *M* is a customer's message as it is kept for redelivery."""

    name: ClassVar[str]
    patience: ClassVar[timedelta]
    """How long the platform waits for the bot's answer to a webhook."""
    presets: ClassVar[Mapping[str, tuple[str, Fault]]]
    """Common faults by name: lost, busy, rate (see `_sim/faults`)."""
    kinds: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """What customers can send besides text, each with the fields of an example (see `write`)."""
    grave: ClassVar[frozenset[str]] = frozenset()
    """Those of `kinds` after which the bot may rightly stop sending."""
    announces: ClassVar[bool] = False
    """Whether a webhook only says that there is something to fetch."""
    most_open: ClassVar[int] = 5
    """How many messages of one customer the platform takes before the first is answered (5: any number)."""
    success: ClassVar[frozenset[int]] = frozenset({200})
    """The answers to a webhook that the platform takes for heard."""
    say: Callable[..., Delivery]

    def __init__(self, *, webhook_url: str = "", strangers: bool = True) -> None:
        """*strangers*: the bot may write to customers who never wrote; a real platform mostly refuses that."""
        self.webhook_url = webhook_url
        self.strangers = strangers
        self.limits = False
        """Whether the platform's rate limits hold."""
        self.redelivers = False
        """Whether a webhook that was not answered with 200 is posted again by itself."""
        self.speed = 1.0
        """How many times faster than the real platform redelivery comes."""
        self.clock = Clock()
        self.journal = Journal()
        self.faults = Faults()
        self.mischief = Mischiefs()
        self.shelf = Shelf()
        self._messages: OrderedDict[str, M] = OrderedDict()
        self._numbers = itertools.count(1)
        self._guard = threading.RLock()
        self._postman = Postman(self)
        self._server: Server | None = None
        self._base = ""

    # ------------------------------------------------------------------ what a platform writes

    @abstractmethod
    def routes(self) -> Sequence[Route]:
        """Every endpoint that the bot may call."""

    @abstractmethod
    def compose(self, message: M) -> Post:
        """A fresh envelope (time, nonce, signature) around a customer's message."""

    @abstractmethod
    def unknown_path(self) -> Answer:
        """What the platform says to a path that it does not have."""

    @abstractmethod
    def forget_tokens(self) -> None:
        """The tokens in use become invalid at once."""

    def write(self, kind: str, *, user: str = "", **fields: Any) -> Delivery:
        """A customer sends something of `kinds`, or does what the platform tells the bot of (opens the chat, …);
        *fields* replace the example's. Raises KeyError for an unknown kind."""
        raise KeyError(kind)

    def tap(self, message_id: str, choice: str, *, user: str = "") -> Delivery:
        """A customer taps a choice of a message that was shown. Raises KeyError if there is no such choice."""
        raise KeyError(choice)

    def forged(self, post: Post) -> Post:
        """*post* with a proof that is wrong."""
        raise NotImplementedError(f"{self.name} cannot forge")

    def sealed(self, post: Post, body: bytes) -> Post:
        """*post* with another plain *body*, and a valid proof for it."""
        raise NotImplementedError(f"{self.name} cannot seal other bodies")

    def check_answer(self, post: Post, heard: Heard) -> None:
        """Looks at what the bot answered to *post*, and notes a breach where the platform would not take it."""

    @property
    def pending(self) -> int:
        """How many webhooks and other things the platform is still to do."""
        return self._postman.pending

    def oversized(self) -> int:
        """Bytes of a body that no webhook of the platform has."""
        return 4 * 1024 * 1024

    def again_after(self, attempt: int) -> timedelta | None:
        """How long after failed *attempt* the platform posts a webhook again; None: never."""
        return None

    def customers(self) -> Sequence[Mapping[str, str]]:
        """The made-up people that the page offers: user, name, hint and, for a group, place."""
        return ()

    # ------------------------------------------------------------------ its life

    def start(self, port: int = 0, *, host: str = "127.0.0.1") -> None:
        self._server = Server(self.handle, host=host, port=port)
        self.live_at(self._server.url)

    def live_at(self, url: str) -> None:
        """Makes *url* the platform's own address, where another server serves `handle`."""
        self._base = url.rstrip("/")
        self._postman.start()

    def stop(self) -> None:
        self._postman.stop()
        if self._server:
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where the bot calls the platform: its `api_base`."""
        return self._base

    # ------------------------------------------------------------------ what tests ask

    @property
    def calls(self) -> list[Call]:
        return self.journal.calls()

    @property
    def breaches(self) -> list[Breach]:
        """The rules that the bot broke, oldest first: none, if all is well."""
        return self.journal.breaches()

    def breach(self, rule: str, detail: str) -> None:
        self.journal.add(Breach(rule=rule, detail=detail, at=self.clock.now()))

    def replies(self, user: str | None = None) -> list[SentMessage]:
        """What customers were shown, oldest first."""
        return self.journal.shown(user)

    def wait_for_replies(
        self, count: int, timeout: float | timedelta = 10.0, *, user: str | None = None
    ) -> list[SentMessage]:
        """At least *count* replies; raises TimeoutError after *timeout* (seconds)."""
        wait = timeout if isinstance(timeout, timedelta) else timedelta(seconds=timeout)
        return self.journal.wait_for_shown(count, wait, user)

    def redeliver(self, message_id: str) -> Delivery:
        """Posts a customer's message again, as the platform does when it believes itself unheard."""
        with self._guard:
            message = self._messages[message_id]
        return self._post(lambda: self.compose(message), attempt=2, again=False)

    # ------------------------------------------------------------------ the bot calls us

    def handle(self, incoming: Incoming) -> Answer:
        """One call of the bot, or of the control interface under /_sim/."""
        if incoming.path.startswith("/_sim/"):
            return control.answer(self, incoming)
        began = time.perf_counter()
        at = self.clock.now()
        exchange = Exchange(incoming)
        endpoint, handler = self._find(incoming)
        played = play(self.faults.take(endpoint), handler, exchange)
        answer = played.answer
        self.journal.add(
            Call(
                method=incoming.method,
                path=incoming.path,
                query=incoming.query,
                headers=incoming.headers,
                body=incoming.body,
                endpoint=endpoint,
                status=0 if answer.cut else answer.status,
                answer=answer.body,
                reason=played.reason,
                remarks=tuple(exchange.remarks),
                at=at,
                elapsed=timedelta(seconds=time.perf_counter() - began),
            )
        )
        if played.rule:
            self.breach(played.rule, played.reason)
        return answer

    def _find(self, incoming: Incoming) -> tuple[str, Handler]:
        for candidate in self._routes:
            if candidate.method == incoming.method and candidate.pattern.fullmatch(incoming.path):
                return self.endpoint(candidate, incoming), candidate.handler
        return "unknown", self._no_such_path

    @cached_property
    def _routes(self) -> tuple[Route, ...]:
        return tuple(self.routes())

    def endpoint(self, found: Route, incoming: Incoming) -> str:
        """The fault name of a call, where one path serves several purposes."""
        return found.endpoint

    def _no_such_path(self, exchange: Exchange) -> Answer:
        raise Refusal(self.unknown_path(), "the platform has no such endpoint", rule="unknown_endpoint")

    # ------------------------------------------------------------------ we call the bot

    def _new_number(self) -> int:
        return next(self._numbers)

    def _remember(self, message_id: str, message: M) -> None:
        with self._guard:
            self._messages[message_id] = message
            while len(self._messages) > REMEMBERED:
                self._messages.popitem(last=False)

    def _deliver(self, said: Said, message: M) -> Delivery:
        """A customer's new message: into the journal, and to the bot."""
        self._remember(said.message_id, message)
        self.journal.add(said)
        return self._carry(lambda: self.compose(message))

    def _carry(self, compose: Callable[[], Post]) -> Delivery:
        """Posts a new message, with the mischief that waits for it."""
        return self._postman.carry(compose)

    def _post(self, compose: Callable[[], Post], *, attempt: int = 1, again: bool = True) -> Delivery:
        """Posts one webhook and, if the platform does so and *again*, repeats it later until it is heard."""
        return self._postman.post(compose, attempt=attempt, again=again)

    def _do_later(self, action: Callable[[], object], after: timedelta = timedelta()) -> None:
        self._postman.later(action, after)

    def _sign(self, what: str, user: str, message_id: str) -> None:
        self.journal.add(Sign(what=what, user=user, message_id=message_id, at=self.clock.now()))
