"""What all fake platforms have in common: a server, a clock, a journal, faults, and webhooks that are posted again.

A platform is a subclass with a table of routes, a way to compose one webhook, and its own `say`. Used by tests as

    with WhatsAppPlatform() as platform:
        platform.webhook_url = "http://127.0.0.1:8080/webhooks/shop"
        assert platform.say("Where is my parcel?").status == 200
        [reply] = platform.wait_for_replies(1, timeout=5)
"""

import itertools
import json
import re
import threading
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from types import TracebackType
from typing import Any, ClassVar, Generic, Self, TypeVar

from bot.sandbox.simulator import control
from bot.sandbox.simulator.clock import Clock
from bot.sandbox.simulator.courier import Courier, Later
from bot.sandbox.simulator.faults import Fault, Faults
from bot.sandbox.simulator.journal import Call, Delivery, Journal, Said, SentMessage, Sign, Webhook
from bot.sandbox.simulator.serving import Answer, Incoming, Server

REMEMBERED = 20_000
"""Messages that can still be redelivered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One webhook, signed and ready: *query* is encoded, *clear* what an encrypted *body* holds."""

    what: str
    message_id: str
    method: str = "POST"
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    clear: str = ""


class Refusal(Exception):
    """The platform says no: *answer* is its words, *reason* ours, for the journal."""

    def __init__(self, answer: Answer, reason: str) -> None:
        super().__init__(reason)
        self.answer = answer
        self.reason = reason


@dataclass(slots=True)
class Exchange:
    """A call in progress; handlers note in *remarks* what the platform silently does to a message."""

    incoming: Incoming
    remarks: list[str] = field(default_factory=list)


Handler = Callable[[Exchange], Answer]
M = TypeVar("M")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """*pattern* matches the whole path; *endpoint* names it for faults and the journal."""

    method: str
    pattern: re.Pattern[str]
    endpoint: str
    handler: Handler


def route(method: str, pattern: str, endpoint: str, handler: Handler) -> Route:
    return Route(method=method, pattern=re.compile(pattern), endpoint=endpoint, handler=handler)


class Platform(ABC, Generic[M]):
    """One fake platform with one bot registered. *M* is a customer's message as it is kept for redelivery."""

    name: ClassVar[str]
    patience: ClassVar[timedelta]
    """How long the platform waits for the bot's answer to a webhook."""
    presets: ClassVar[Mapping[str, tuple[str, Fault]]]
    say: Callable[..., Delivery]
    """Common faults by name: lost, busy, rate (see `_sim/faults`)."""

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
        self._messages: OrderedDict[str, M] = OrderedDict()
        self._numbers = itertools.count(1)
        self._guard = threading.RLock()
        self._courier = Courier()
        self._later: Later | None = None
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
        self._later = Later()

    def stop(self) -> None:
        if self._later:
            self._later.stop()
            self._later = None
        if self._server:
            self._server.stop()
            self._server = None
        self._courier.close()

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
        fault = self.faults.take(endpoint)
        answer, reason = self._play(fault, handler, exchange)
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
                reason=reason,
                remarks=tuple(exchange.remarks),
                at=at,
                elapsed=timedelta(seconds=time.perf_counter() - began),
            )
        )
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
        raise Refusal(self.unknown_path(), "the platform has no such endpoint")

    def _play(self, fault: Fault | None, handler: Handler, exchange: Exchange) -> tuple[Answer, str]:
        """The answer and why it is a refusal, with *fault* on top of what the platform itself says."""
        answer, reason = Answer(), ""
        if fault is None or fault.accepts:
            try:
                answer = handler(exchange)
            except Refusal as refusal:
                answer, reason = refusal.answer, refusal.reason
        if fault is None or reason:
            return answer, reason
        time.sleep(fault.delay.total_seconds())
        if fault.cut or fault.cut_after_accept:
            return Answer(status=answer.status, cut=True), _told(fault)
        return (_faulty(fault) if fault.status else answer), _told(fault)

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
        return self._post(lambda: self.compose(message))

    def _post(self, compose: Callable[[], Post], *, attempt: int = 1, again: bool = True) -> Delivery:
        """Posts one webhook and, if the platform does so and *again*, repeats it later until it is answered 200."""
        post, at = compose(), self.clock.now()
        url = self.webhook_url + (f"?{post.query}" if post.query else "")
        heard = self._courier.carry(post.method, url, post.headers, post.body, patience=self.patience)
        self.journal.add(
            Webhook(
                what=post.what,
                message_id=post.message_id,
                attempt=attempt,
                method=post.method,
                url=url,
                headers=post.headers,
                body=post.body,
                clear=post.clear,
                status=heard.status,
                answer=heard.body,
                error=heard.error,
                at=at,
                elapsed=heard.elapsed,
            )
        )
        wait = self.again_after(attempt) if again and self.redelivers and heard.status != 200 else None
        if wait is not None:
            self._do_later(lambda: self._post(compose, attempt=attempt + 1), wait / self.speed)
        return Delivery(
            status=heard.status,
            body=heard.body,
            elapsed=heard.elapsed,
            message_id=post.message_id,
            error=heard.error,
        )

    def _do_later(self, action: Callable[[], object], after: timedelta = timedelta()) -> None:
        later = self._later
        if later:
            later.do(action, after=after)

    def _sign(self, what: str, user: str, message_id: str) -> None:
        self.journal.add(Sign(what=what, user=user, message_id=message_id, at=self.clock.now()))


def _faulty(fault: Fault) -> Answer:
    if fault.json is None:
        return Answer(
            status=fault.status,
            body=fault.text.encode(),
            content_type="text/html; charset=utf-8",
            headers=fault.headers,
        )
    return Answer(
        status=fault.status, body=json.dumps(fault.json, ensure_ascii=False).encode(), headers=fault.headers
    )


def _told(fault: Fault) -> str:
    if fault.cut_after_accept:
        return "played fault: accepted and shown, then hung up without an answer"
    if fault.cut:
        return "played fault: hung up before accepting"
    if fault.status:
        return f"played fault: answered {fault.status}" + (", though accepted" if fault.accept else "")
    return f"played fault: accepted, answered {fault.delay.total_seconds():g} s late"


def member(value: Any, *path: str) -> Any:
    """What lies at *path* in nested JSON objects; None where it does not."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value
