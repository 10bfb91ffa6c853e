"""What the in-memory twin remembers: the counterpart of the keys in Redis (sessions/keys.py)."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from adapters.values import ConversationId, Message
from sessions.inbox import Conversation, DeadLetter, PartRecord, StoredReply
from sessions.keys import ReminderId

Clock = Callable[[], datetime]


@dataclass(slots=True, kw_only=True)
class Entry:
    """A ticket in ready. *owner* is the consumer that holds it since *taken_at*; "": nobody took it."""

    conversation: ConversationId
    issued_at: datetime
    owner: str = ""
    taken_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class TurnState:
    """What the turn's hash is in Redis."""

    ticket: str = ""
    fence: str = ""
    size: int = 0
    tries: int = 0
    abandoned: int = 0
    since: datetime | None = None
    stored: StoredReply | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    message: Message
    due: datetime


@dataclass(slots=True)
class Context:
    conversation: Conversation
    expires_at: datetime


@dataclass(slots=True, kw_only=True)
class StandingAlarm:
    """A channel that cannot send: why, since when, and when the next try may be."""

    reason: str
    since: datetime
    every: timedelta
    probe_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """How one turn ended."""

    conversation: ConversationId
    outcome: str
    reason: str
    messages: int
    tries: int
    reply: str
    parts: tuple[PartRecord, ...]


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Memory:
    """What all inboxes of one desk share. *clock* may be replaced by a test's own."""

    clock: Clock = _utc_now
    changed: threading.Condition = field(default_factory=lambda: threading.Condition(threading.RLock()))
    seen: dict[str, datetime] = field(default_factory=dict)
    mail: dict[ConversationId, list[Message]] = field(default_factory=dict)
    turns: dict[ConversationId, TurnState] = field(default_factory=dict)
    ready: dict[str, Entry] = field(default_factory=dict)
    later: dict[ConversationId, datetime] = field(default_factory=dict)
    reminders: dict[ReminderId, Reminder] = field(default_factory=dict)
    contexts: dict[ConversationId, Context] = field(default_factory=dict)
    recent: dict[ConversationId, dict[str, datetime]] = field(default_factory=dict)
    paused: dict[ConversationId, datetime] = field(default_factory=dict)
    bookmarks: dict[str, str] = field(default_factory=dict)
    sightings: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    statuses: dict[str, tuple[int, bool, datetime]] = field(default_factory=dict)
    leaders: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    alarms: dict[str, StandingAlarm] = field(default_factory=dict)
    dead: dict[str, DeadLetter] = field(default_factory=dict)
    journal: deque[JournalEntry] = field(default_factory=lambda: deque(maxlen=10_000))
    issued: int = 0

    def next_id(self) -> str:
        """Of tickets, fences and dead letters alike; later ones sort later."""
        self.issued += 1
        return f"{self.issued:012}"

    def make_sure_of_ticket(self, conversation: ConversationId) -> None:
        if not self.turns.setdefault(conversation, TurnState()).ticket:
            self.issue(conversation)

    def issue(self, conversation: ConversationId) -> None:
        entry = self.next_id()
        self.ready[entry] = Entry(conversation=conversation, issued_at=self.clock())
        self.turns.setdefault(conversation, TurnState()).ticket = entry
        self.changed.notify_all()
