"""What the inbox contract's checks are written with."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from adapters.values import ConversationId, DeliveryState, Media, Message, Part, Reply, StatusUpdate, reply_key
from sessions.inbox import HistoryEntry, Inbox, PartRecord, PartState, StoredReply, Ticket, Turn
from sessions.schedule import Schedule

HORIZON = timedelta(days=1)
SHORT = timedelta(milliseconds=300)
"""A lease, a horizon or a session that a test lets run out."""
LONG = timedelta(seconds=30)
SOON = timedelta(seconds=5)
"""How long a test waits for what must come."""
AT_ONCE = timedelta()
NOON = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)


class Desk(Protocol):
    """One shared state, and as many workers on it as a test wants."""

    def inbox(
        self,
        consumer: str = "one",
        *,
        lease: timedelta = LONG,
        mailbox_limit: int = 200,
        session_ttl: timedelta = timedelta(hours=1),
    ) -> Inbox: ...

    def schedule(self) -> Schedule: ...

    def now(self) -> datetime: ...

    def pass_time(self, duration: timedelta) -> None: ...

    def mailboxes(self) -> Mapping[ConversationId, int]:
        """How many messages each conversation that has any is waiting with."""
        ...

    def tickets(self) -> Sequence[ConversationId]:
        """The conversation of every ticket, in ready or later."""
        ...


def conversation(peer: str = "ann") -> ConversationId:
    return ConversationId(channel="shop", account="49151", peer=peer)


def message(name: str, peer: str = "ann", **fields: str) -> Message:
    return Message(
        id=name,
        conversation=conversation(peer),
        sender=peer,
        text=fields.get("text", f"text of {name}"),
        sent_at=NOON,
        route={"to": peer},
    )


def rich_message(name: str) -> Message:
    """Every field set, with what JSON and Lua may trip over."""
    photo = Media(kind="image", id="9/8+7=", mime="image/jpeg", sha256="ab", caption="看", filename="a b.jpg")
    return Message(
        id=name,
        conversation=conversation("{a}:b%c/宋 [x]*"),
        sender="宋",
        sender_name='Song "the" \\ Great',
        text="你好\r\n\x00 \u2028 👩‍👩‍👧 </tag> %s KEYS[1] \ud800",
        media=(photo, Media(kind="audio", id="v", seconds=1.5)),
        sent_at=NOON,
        quoted="m0",
        kind="interactive",
        route={"reply_url": "https://example.com/?a=1&b=2", "empty": ""},
    )


def record(state: PartState = PartState.WAITING, **fields: int) -> PartRecord:
    return PartRecord(state=state, at=NOON, sends=fields.get("sends", 0), refusals=fields.get("refusals", 0))


def stored(turn: Turn, *texts: str, fallback: str = "") -> StoredReply:
    texts = texts or ("hello",)
    reply = Reply(
        key=reply_key(turn.messages[0]),
        conversation=turn.id,
        parts=tuple(Part(text=text) for text in texts),
        route={"to": turn.id.peer},
    )
    return StoredReply(reply=reply, records=tuple(record() for _ in texts), fallback=fallback)


def exchange(turn: Turn, answer: str = "hello") -> list[HistoryEntry]:
    asked = [HistoryEntry(role="user", content=m.text, at=m.sent_at, key=m.key) for m in turn.messages]
    return [*asked, HistoryEntry(role="assistant", content=answer, at=NOON, key=reply_key(turn.messages[0]))]


def offer(inbox: Inbox, *names: str, peer: str = "ann") -> None:
    """Accepts new messages."""
    verdicts = inbox.accept([message(name, peer) for name in names], horizon=HORIZON)
    assert list(verdicts) == ["new"] * len(names)


def take_one(inbox: Inbox) -> Ticket:
    [ticket] = inbox.take(1, wait=SOON)
    return ticket


def claim_one(inbox: Inbox) -> Turn:
    turn = inbox.claim(take_one(inbox))
    assert turn is not None
    return turn


def answer(inbox: Inbox, turn: Turn, text: str = "hello", *, fresh: bool = False) -> None:
    """A whole turn after its claim, whoever owns the conversation."""
    told = exchange(turn, text)
    assert list(inbox.commit(turn, stored(turn, text), told, fresh=fresh, gather=False, whoever=True)) == []
    inbox.settle(turn.lease, (0, record(PartState.DELIVERED, sends=1)), outcome="replied")


def names(messages: Sequence[Message]) -> list[str]:
    return [m.id for m in messages]


def status(key: str, platform_id: str) -> StatusUpdate:
    return StatusUpdate(channel="shop", platform_id=platform_id, state=DeliveryState.SENT, at=NOON, reply_key=key)


class Contract(ABC):
    """Each check gets an empty `desk`; afterwards the invariant must hold."""

    @abstractmethod
    def make_desk(self, request: pytest.FixtureRequest) -> Desk: ...

    @pytest.fixture
    def desk(self, request: pytest.FixtureRequest) -> Iterator[Desk]:
        desk = self.make_desk(request)
        yield desk
        assert_invariant(desk)


def assert_invariant(desk: Desk) -> None:
    """A mailbox that is not empty has exactly one ticket; an empty one has none."""
    waiting = sorted(found.key for found in desk.tickets())
    assert waiting == sorted(found.key for found in desk.mailboxes())
