"""A DingTalk channel at its desk: the clock in hand, the platform on the other side."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Self

from adapters.channel import Services
from adapters.dingtalk import DingTalk, DingTalkSettings
from adapters.files import MemoryFiles
from adapters.growth import MemoryGrowth
from adapters.http import PlatformHttp
from adapters.meter import MemoryMeter
from adapters.throttle import MemoryThrottle
from adapters.tokens import MemoryTokenStore
from adapters.values import Message, Outcome, Part, Refused, Reply, reply_key
from tests.adapters import dingtalk_kit as kit
from tests.fakes import Answer, Call, RecordingServer


class Desk:
    """A channel, its clock, and DingTalk on the other side."""

    def __init__(self, server: RecordingServer, **settings: Any) -> None:
        self.server = server
        self.settings = settings
        self.files = MemoryFiles()
        self.growth = MemoryGrowth()
        self.meter = MemoryMeter()
        self.throttle = MemoryThrottle()
        self.clock = kit.NOW
        self.http = PlatformHttp(total=timedelta(seconds=5))
        self.tokens = MemoryTokenStore()
        self.robot = self.another()

    def another(self) -> DingTalk:
        """A channel of another process, which shares the tokens."""
        places = {"api_base": self.server.url, "oapi_base": self.server.url}
        settings = DingTalkSettings(**{**kit.SETTINGS, **places, **self.settings})
        services = Services(
            http=self.http,
            tokens=self.tokens,
            now=self.now,
            files=self.files,
            growth=self.growth,
            meter=self.meter,
            throttle=self.throttle,
        )
        return DingTalk("shop", settings, services)

    def now(self) -> datetime:
        return self.clock

    def reply(self, body: dict[str, Any], *texts: str) -> Reply:
        """The reply to the message in *body*, received now."""
        (message,) = self.robot.parse(kit.signed(body))
        assert isinstance(message, Message)
        parts = tuple(Part(text=text) for text in texts)
        return Reply(key=reply_key(message), conversation=message.conversation, parts=parts, route=message.route)

    def send(self, body: dict[str, Any], *texts: str, index: int = 0) -> Outcome:
        return self.robot.send(self.reply(body, *(texts or ("好的",))), index)

    def refused(self, body: dict[str, Any]) -> Refused:
        outcome = self.send(body)
        assert isinstance(outcome, Refused)
        return outcome

    def with_session(self, **fields: Any) -> dict[str, Any]:
        return kit.body(**{**kit.session(self.server.url), **fields})

    def group_with_session(self, **fields: Any) -> dict[str, Any]:
        return kit.group(**{**kit.session(self.server.url), **fields})

    def calls(self, *paths: str) -> list[Call]:
        return [call for call in self.server.calls if call.path in paths]

    def sends(self) -> list[Call]:
        return [call for call in self.server.calls if call.path in kit.SENDS]

    def ways(self) -> list[str]:
        return [call.path for call in self.sends()]

    def tokens_asked(self) -> int:
        return sum(call.path == kit.TOKEN_PATH for call in self.server.calls)

    @classmethod
    @contextmanager
    def open(cls, server: RecordingServer | None = None, **settings: Any) -> Iterator[Self]:
        """At *server*, or at a DingTalk where all is well but for `server.faults`, which meet sends only."""
        with server or RecordingServer(kit.platform, lambda call: call.path in kit.SENDS) as started:
            desk = cls(started, **settings)
            yield desk
            desk.http.close()


def saying(answer: Answer) -> RecordingServer:
    """A DingTalk that says *answer*, whatever it is asked."""
    return RecordingServer(lambda _: answer)
