"""Long connections: one holder a channel, what comes in is safe before it is acknowledged, and all can end."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from adapters.channel import Connection, Services
from adapters.errors import NotKept
from adapters.http import PlatformHttp
from adapters.memory import MemoryChannel, MemorySettings
from adapters.tokens import MemoryTokenStore
from adapters.values import ConversationId, Event, Message
from bot import metrics
from bot.accounts import Accounts
from bot.connect import Connector, Rhythm
from bot.controls import Controls
from bot.intake import Intake
from sessions.alarms import MemoryAlarms
from sessions.errors import StoreDown
from sessions.leader import Leadership, MemoryLeader
from sessions.memory import MemoryInbox

FAST = Rhythm(lease=timedelta(seconds=0.9), pause=timedelta(seconds=0.05))


class Line:
    """A connection whose other side is the test."""

    def __init__(self) -> None:
        self.up = threading.Event()
        self.runs = 0
        self.breaks = threading.Event()
        self.receive: Callable[[Sequence[Event]], None] | None = None

    def run(self, receive: Callable[[Sequence[Event]], None], stop: threading.Event) -> None:
        self.receive = receive
        self.runs += 1
        self.up.set()
        try:
            while not stop.wait(0.01):
                if self.breaks.is_set():
                    self.breaks.clear()
                    raise RuntimeError("nobody expected this")
        finally:
            self.up.clear()


class Wired(MemoryChannel):
    def __init__(self, line: Line | None) -> None:
        services = Services(http=PlatformHttp(), tokens=MemoryTokenStore(), now=lambda: datetime.now(UTC))
        super().__init__("shop", MemorySettings(platform="memory"), services)
        self.line = line

    def connection(self) -> Connection | None:
        return self.line


class House:
    """Processes that share one store; each has a line of its own."""

    def __init__(self) -> None:
        self.inbox = MemoryInbox(mailbox_limit=2)
        self.stops: list[threading.Event] = []
        self.threads: list[threading.Thread] = []

    def open(self, leadership: Callable[[str], Leadership] | None = None) -> Line:
        line, stop = Line(), threading.Event()
        accounts = Accounts(MemoryAlarms(self.inbox.memory))
        channel = Wired(line)
        intake = Intake(
            self.inbox, Controls(self.inbox, accounts, now=lambda: datetime.now(UTC)), channel.services.meter
        )
        lead = leadership or (lambda name: MemoryLeader(self.inbox.memory, name, lease=FAST.lease))
        connector = Connector({"shop": channel}, intake, lead, FAST)
        thread = threading.Thread(target=connector.run, args=(stop,))
        thread.start()
        self.stops.append(stop)
        self.threads.append(thread)
        return line

    def close(self, number: int) -> None:
        self.stops[number].set()
        self.threads[number].join(5)
        assert not self.threads[number].is_alive()


@pytest.fixture
def house() -> Iterator[House]:
    built = House()
    yield built
    for number in range(len(built.stops)):
        built.close(number)


def message(number: int) -> Message:
    where = ConversationId(channel="shop", account="twin", peer="ana")
    return Message(id=f"m{number}", conversation=where, sender="ana", text="hi", sent_at=datetime.now(UTC))


def connected() -> float:
    return float(metrics.connected.labels("shop")._value.get())


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.01)
    return holds()


def test_what_comes_in_is_safe_when_receive_returns(house: House) -> None:
    line = house.open()
    assert line.up.wait(3)
    assert line.receive is not None
    line.receive([message(1)])
    assert house.inbox.depths().ready == 1
    assert connected() == 1


def test_what_cannot_be_kept_is_not_acknowledged(house: House) -> None:
    line = house.open()
    assert line.up.wait(3)
    assert line.receive is not None
    line.receive([message(1), message(2)])
    with pytest.raises(NotKept):
        line.receive([message(3)])


def test_a_store_that_is_down_is_not_acknowledged_either(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    line = house.open()
    assert line.up.wait(3)
    assert line.receive is not None

    def down(*_: object, **__: object) -> None:
        raise StoreDown("gone")

    monkeypatch.setattr(house.inbox, "accept", down)
    with pytest.raises(NotKept):
        line.receive([message(1)])


def test_one_holds_the_connection_and_the_other_stands_by_and_takes_over(house: House) -> None:
    first = house.open()
    assert first.up.wait(3)
    second = house.open()
    assert not second.up.wait(1.5)
    house.close(0)
    assert second.up.wait(3)
    assert not first.up.is_set()


def test_a_holder_that_is_told_to_stop_lets_go_at_once(house: House) -> None:
    line = house.open()
    assert line.up.wait(3)
    begun = time.monotonic()
    house.close(0)
    assert time.monotonic() - begun < 2
    assert connected() == 0


def test_a_holder_that_lost_the_lock_lets_go_of_the_connection(house: House) -> None:
    line = house.open()
    assert line.up.wait(3)
    with house.inbox.memory.changed:
        house.inbox.memory.leaders.clear()
        house.inbox.memory.leaders["connection:shop"] = ("another", datetime.now(UTC) + timedelta(minutes=1))
    assert within(3, lambda: not line.up.is_set())
    assert connected() == 0


def test_a_holder_that_cannot_hear_of_its_lock_lets_go_before_another_may_lead(house: House) -> None:
    class Deaf(MemoryLeader):
        def renew(self) -> bool:
            raise StoreDown("gone")

    line = house.open(lambda name: Deaf(house.inbox.memory, name, lease=FAST.lease))
    assert line.up.wait(3)
    assert within(FAST.lease.total_seconds() + 0.3, lambda: not line.up.is_set())


def test_a_connection_that_crashes_is_made_anew(house: House) -> None:
    line = house.open()
    assert line.up.wait(3)
    line.breaks.set()
    assert within(5, lambda: line.runs == 2 and line.up.is_set())


def test_channels_without_a_connection_need_no_holder() -> None:
    inbox = MemoryInbox()
    channel = Wired(None)
    accounts = Accounts(MemoryAlarms(inbox.memory))
    intake = Intake(inbox, Controls(inbox, accounts, now=lambda: datetime.now(UTC)), channel.services.meter)
    assert len(Connector({"shop": channel}, intake, lambda name: MemoryLeader(inbox.memory, name))) == 0
