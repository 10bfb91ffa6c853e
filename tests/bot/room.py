"""One channel, one model and one engine on the twins: what the tests of turns are played in."""

from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.backoff import Backoff
from adapters.channel import Channel, Services
from adapters.files import MemoryFiles
from adapters.http import PlatformHttp
from adapters.memory import MemoryChannel, MemorySettings
from adapters.tokens import MemoryTokenStore
from adapters.values import (
    ConversationId,
    Media,
    Message,
    Promise,
)
from bot.accounts import Accounts
from bot.controls import Controls
from bot.intake import Intake
from bot.turns.drafting import Voice
from bot.turns.hearing import Senses
from bot.turns.pull import Polls, Puller
from bot.turns.rules import TurnRules
from bot.turns.turn import TurnEngine
from inference.assistant import Assistant, AssistantSettings
from inference.scripted import ScriptedModel
from inference.values import Knowledge, Passage
from sessions.alarms import MemoryAlarms
from sessions.inbox import Turn
from sessions.memory import MemoryInbox
from sessions.memory_state import Memory
from sessions.schedule import MemorySchedule

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class NoKnowledge:
    def find(self, question: str, *, most: int = 3) -> tuple[Passage, ...]:
        return ()


class Room:
    """One channel, one model, one engine, on twins."""

    def __init__(self, promise: Promise = Promise.KEYED, rules: TurnRules | None = None) -> None:
        self.clock = Clock()
        self.inbox = MemoryInbox(Memory(clock=self.clock))
        self.model = ScriptedModel()
        self.files = MemoryFiles({"plan.png": b"\x89PNG", "prices.pdf": b"%PDF-1.7"})
        services = Services(http=PlatformHttp(), tokens=MemoryTokenStore(), now=self.clock, files=self.files)
        kind: type[MemoryChannel] = type("Twin", (MemoryChannel,), {"promise": promise})
        self.channel = kind("shop", MemorySettings(platform="memory"), services)
        self.accounts = Accounts(MemoryAlarms(self.inbox.memory), monotonic=lambda: self.clock.now.timestamp())
        self.announced: list[str] = []
        self.senses = Senses()
        self.rules = rules or TurnRules(backoff=Backoff(jitter=timedelta()))
        self.knowledge: Knowledge = NoKnowledge()
        self.intake = Intake(
            self.inbox, Controls(self.inbox, self.accounts, now=self.clock), self.channel.services.meter
        )
        self.schedule = MemorySchedule(self.inbox.memory)
        self.engine = self.engine_of({"shop": self.channel})
        self._count = 0

    def engine_of(self, channels: dict[str, Channel[Any]]) -> TurnEngine:
        settings = AssistantSettings(max_reply_chars=5000, max_tokens=5000, sees=self.senses.sees)
        assistant = Assistant(self.model, self.knowledge, settings)
        return TurnEngine(
            self.inbox,
            channels,
            {"default": Voice(assistant=assistant, senses=self.senses)},
            self.rules,
            announce=self._announce,
            accounts=self.accounts,
            puller=Puller(
                inbox=self.inbox,
                intake=self.intake,
                polls=Polls(self.schedule, self.clock),
                backoff=self.rules.backoff,
                now=self.clock,
            ),
            hosts=["cdn.example.com"],
            now=self.clock,
        )

    def _announce(self, channel: Channel[Any], message: Message) -> AbstractContextManager[None]:
        self.announced.append(message.id)
        return nullcontext()

    def say(self, text: str, *, media: tuple[Media, ...] = (), age: float = 0, quoted: str = "") -> Message:
        self._count += 1
        message = Message(
            id=f"m{self._count}",
            conversation=ConversationId(channel="shop", account="twin", peer="ana"),
            sender="ana",
            text=text,
            media=media,
            quoted=quoted,
            sent_at=self.clock() - timedelta(seconds=age),
            route={"to": "ana"},
        )
        self.inbox.accept([message], horizon=timedelta(days=1))
        return message

    def claim(self) -> Turn:
        self.inbox.wake()
        (ticket,) = self.inbox.take(1, wait=timedelta(0))
        turn = self.inbox.claim(ticket)
        assert turn is not None
        return turn

    def run(self) -> None:
        self.engine.run(self.claim())

    def run_conversation(self, conversation: ConversationId) -> None:
        """The turn of one of several conversations that wait; the others stay."""
        self.inbox.wake()
        for ticket in self.inbox.take(10, wait=timedelta(0)):
            turn = self.inbox.claim(ticket)
            assert turn is not None
            if turn.id == conversation:
                self.engine.run(turn)
            else:
                self.inbox.postpone(turn.lease, timedelta(), reason="not_now")

    def idle_after_run(self) -> bool:
        """Runs one turn, if one waits; whether none did."""
        self.inbox.wake()
        for ticket in self.inbox.take(1, wait=timedelta(0)):
            turn = self.inbox.claim(ticket)
            assert turn is not None
            self.engine.run(turn)
            return False
        return True

    def idle(self) -> bool:
        self.inbox.wake()
        return not self.inbox.take(1, wait=timedelta(0))

    def texts(self) -> list[str]:
        return [sent.text for sent in self.channel.sent]

    def parked(self) -> list[str]:
        return [letter.reason for letter in self.inbox.dead_letters()]

    def asked(self) -> list[str]:
        """The user's words of the model's last call, history included."""
        return [message.content for message in self.model.asked[-1].messages if message.role == "user"]
