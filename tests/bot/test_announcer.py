""" "typing …": said at once, again as long as the answer is being written, and never after it."""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from adapters.channel import Services
from adapters.http import NotSent, PlatformHttp
from adapters.memory import MemoryChannel, MemorySettings
from adapters.tokens import MemoryTokenStore
from adapters.values import ConversationId, Message
from bot.turns.announcer import Announcer

WHERE = ConversationId(channel="shop", account="twin", peer="ana")
MESSAGE = Message(id="m", conversation=WHERE, sender="ana", text="hi", sent_at=datetime.now(UTC))


class Once(MemoryChannel):
    """Notes when it said that somebody is typing."""

    def __init__(self) -> None:
        services = Services(http=PlatformHttp(), tokens=MemoryTokenStore(), now=lambda: datetime.now(UTC))
        super().__init__("shop", MemorySettings(platform="memory"), services)
        self.said: list[float] = []
        self.blocked = threading.Event()
        self.blocked.set()

    def turn_started(self, message: Message) -> None:
        self.said.append(time.monotonic())
        self.blocked.wait(5)


class Again(Once):
    typing_lasts: ClassVar[timedelta | None] = timedelta(seconds=0.1)


class Failing(Again):
    def turn_started(self, message: Message) -> None:
        super().turn_started(message)
        raise NotSent("name")


def announced(channel: Once, seconds: float, announcer: Announcer | None = None) -> int:
    """How often it was said while an answer took *seconds*, and a while after."""
    with (announcer or Announcer()).announce(channel, MESSAGE):
        time.sleep(seconds)
    time.sleep(0.3)
    return len(channel.said)


def test_where_once_is_enough_it_is_said_once() -> None:
    assert announced(Once(), 0.4) == 1


def test_where_it_wears_off_it_is_said_again_until_the_answer_is_there() -> None:
    channel = Again()
    assert 3 <= announced(channel, 0.55) <= 6
    said = len(channel.said)
    time.sleep(0.3)
    assert len(channel.said) == said


def test_a_quick_answer_has_it_said_once() -> None:
    assert announced(Again(), 0.02) == 1


def test_a_failure_is_forgotten_and_it_is_said_again() -> None:
    assert announced(Failing(), 0.35) >= 2


def test_a_slow_platform_holds_up_nobody() -> None:
    slow, quick, announcer = Once(), Once(), Announcer(at_once=1)
    slow.blocked.clear()
    begun = time.monotonic()
    with announcer.announce(slow, MESSAGE), announcer.announce(quick, MESSAGE):
        assert time.monotonic() - begun < 1
    assert quick.said == []
    slow.blocked.set()
