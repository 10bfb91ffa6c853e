"""One WeCom app channel for a test, and what it makes of a message."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from adapters.channel import Channel, Services
from adapters.http import PlatformHttp
from adapters.shared import Bucket
from adapters.tokens import MemoryTokenStore, TokenStore
from adapters.values import ControlEvent, Event, Message, Request, Response
from adapters.wecom import WeComApp, WeComSettings
from tests.adapters.wecom_platform import NOW, SETTINGS, Console, request_of, vector

CONSOLE = Console()
HTTP = PlatformHttp(total=timedelta(seconds=5))
"""One pool for all: nothing of it outlives the test process."""


class NoLimit:
    """Holds nothing back: most tests say more to one member in a second than a desk does in a day."""

    def take(self, buckets: Sequence[Bucket]) -> timedelta:
        return timedelta()


def services(store: TokenStore | None = None, **lent: Any) -> Services:
    given: dict[str, Any] = {"throttle": NoLimit(), "now": lambda: NOW, **lent}
    return Services(http=HTTP, tokens=store or MemoryTokenStore(), **given)


def app(*, store: TokenStore | None = None, lent: Services | None = None, **overrides: Any) -> WeComApp:
    settings = WeComSettings(**{**SETTINGS, **overrides})
    return WeComApp("staff", settings, lent or services(store))


def config_of(found: dict[str, Any], **overrides: Any) -> dict[str, Any]:
    config = found["config"]
    return {
        "corp_id": config["receive_id"],
        "token": config["token"],
        "encoding_aes_key": config["encoding_aes_key"],
        **overrides,
    }


def received(name: str, **overrides: Any) -> Event:
    """The one event of a vector."""
    found = vector(name)
    channel = app(**config_of(found, **overrides))
    request = request_of(found)
    channel.verify(request)
    (event,) = channel.parse(request)
    assert channel.answer(request, (event,)) == Response()
    return event


def events_of(channel: Channel[Any], request: Request) -> Sequence[Event]:
    channel.verify(request)
    return channel.parse(request)


def message(name: str, **overrides: Any) -> Message:
    event = received(name, **overrides)
    assert isinstance(event, Message)
    return event


def control(name: str) -> ControlEvent:
    event = received(name)
    assert isinstance(event, ControlEvent)
    return event


def parsed(inner: str, **overrides: Any) -> tuple[Event, ...]:
    channel, request = app(**overrides), CONSOLE.post(inner)
    channel.verify(request)
    return tuple(channel.parse(request))
