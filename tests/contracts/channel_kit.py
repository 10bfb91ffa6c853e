"""What a channel's test class provides, so that the contract can play its platform."""

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings

from adapters.channel import Channel, Services
from adapters.http import PlatformHttp
from adapters.tokens import MemoryTokenStore
from adapters.values import Message, Part, Reply, Request, reply_key
from tests.fakes import Answer, Call, RecordingServer

NOWHERE = "http://127.0.0.1:9"
fuzz = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture],
)


class ChannelKit:
    """Override what is marked. *Settings* are the keyword arguments of the channel's settings type."""

    channel_type: ClassVar[type[Channel[Any]]]
    settings: ClassVar[Mapping[str, Any]]
    """The configuration whose secret(s) `text_webhook` and `signed` sign with; without addresses."""
    rotated: ClassVar[Mapping[str, Any]]
    """Overrides: a new current secret, the one of *settings* as `_previous`."""
    retired: ClassVar[Mapping[str, Any]]
    """Overrides: the new secret only."""
    private: ClassVar[Sequence[str]]
    """Every secret of *settings* and of the fake's tokens: none may ever be seen in a log or an error."""
    now: ClassVar[datetime] = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    body_is_signed: ClassVar[bool] = True
    """False where the platform's signature covers no byte of the body (DingTalk)."""
    proof_is_in_body: ClassVar[bool] = False
    """True where a token inside the body is the only proof (Feishu without an encrypt key): what cannot be read is
    not verified, and a request without headers is a whole one."""

    files_in_calls: ClassVar[bool] = True
    """False where an operator's file goes out otherwise than in a call to the platform: the channel's own tests
    show how it does."""

    def addresses(self, url: str) -> Mapping[str, Any]:
        """The settings that point the channel at the fake at *url*."""
        return {"api_base": url}

    def text_webhook(self, text: str = "hello", *, message_id: str = "m-1", user: str = "u-1") -> Request:
        """A text of *user*, as the platform would post it. Ids are free; map them to the platform's form."""
        raise NotImplementedError

    def redelivered(self, request: Request) -> Request:
        """The platform's second try of the same message."""
        return request

    def payload(self) -> bytes:
        """The plain payload (JSON or XML) of a text message, as `signed` takes it."""
        raise NotImplementedError

    def signed(self, payload: bytes) -> Request:
        """A request that carries *payload*, whatever it is, correctly signed (and encrypted)."""
        raise NotImplementedError

    def forged(self) -> Iterator[Request]:
        """Requests that are wrong in nothing but their proof: absent, empty, of another secret, malformed, not
        ASCII, too old …"""
        raise NotImplementedError

    def mutated(self) -> Iterator[bytes]:
        """`payload` with something of another type at every path. XML channels override this."""
        for value in wrong_types(json.loads(self.payload())):
            yield json.dumps(value).encode()

    def platform(self, call: Call) -> Answer:
        """What the platform answers when all is well, tokens included."""
        raise NotImplementedError

    def is_send(self, call: Call) -> bool:
        """Whether *call* carries a reply's text."""
        raise NotImplementedError

    def sent_text(self, call: Call) -> str:
        """The text that the customer sees."""
        raise NotImplementedError

    def refusal(self, code: str) -> Answer:
        """The platform's answer that carries *code*."""
        raise NotImplementedError

    documented_codes: ClassVar[Sequence[str]]
    """Every code of the fact sheet's table that a send may meet."""
    temporary_code: ClassVar[str]
    permanent_code: ClassVar[str]
    """Concerns this message or this customer alone."""
    account_codes: ClassVar[Sequence[str]]
    """Codes after which nobody of the account need try: wrong credentials, a locked account, an address that is not
    admitted. Empty where the platform has none."""

    # ---- what the contract builds from it ----

    def channel(self, url: str = NOWHERE, *, patience: float = 5, **overrides: Any) -> Channel[Any]:
        """One channel; its connections are closed when the test ends."""
        values = {**self.settings, **self.addresses(url), **overrides}
        return self.channel_type("shop", self.channel_type.settings_type(**values), self.services(patience))

    def services(self, patience: float = 5) -> Services:
        http = PlatformHttp(total=timedelta(seconds=patience))
        self.opened.append(http)
        return Services(http=http, tokens=MemoryTokenStore(), now=lambda: self.now)

    @pytest.fixture(autouse=True)
    def connections(self) -> Iterator[None]:
        self.opened: list[PlatformHttp] = []
        yield
        for http in self.opened:
            http.close()

    def message(self, channel: Channel[Any], request: Request) -> Message:
        """The one message of a verified *request*."""
        channel.verify(request)
        (event,) = channel.parse(request)
        assert isinstance(event, Message)
        return event

    def reply(self, channel: Channel[Any], *texts: str) -> Reply:
        message = self.message(channel, self.text_webhook())
        parts = tuple(Part(text=text) for text in texts)
        return Reply(key=reply_key(message), conversation=message.conversation, parts=parts, route=message.route)

    @pytest.fixture
    def server(self) -> Iterator[RecordingServer]:
        with RecordingServer(self.platform, self.is_send) as server:
            yield server

    def sends(self, server: RecordingServer) -> list[Call]:
        return [call for call in server.calls if self.is_send(call)]


WRONG: tuple[Any, ...] = (None, True, 7, -1.5, 10**30, "", "x", [], {}, [[]], [None], {"a": {"b": []}})


def wrong_types(value: Any) -> Iterator[Any]:
    """Copies of *value*, each with one node replaced by something of another kind, or left out."""
    for path in paths(value):
        for wrong in WRONG:
            yield replaced(value, path, wrong)
        if path:
            yield without(value, path)


def paths(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield here
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in members:
        yield from paths(child, (*here, step))


def replaced(value: Any, path: tuple[Any, ...], wrong: Any) -> Any:
    if not path:
        return wrong
    copy = deepcopy(value)
    parent(copy, path)[path[-1]] = wrong
    return copy


def without(value: Any, path: tuple[Any, ...]) -> Any:
    copy = deepcopy(value)
    del parent(copy, path)[path[-1]]
    return copy


def parent(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path[:-1]:
        value = value[step]
    return value
