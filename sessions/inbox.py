"""The seam between the edge, the worker and the store: accept, claim, commit, record, settle, postpone, park.

Two implementations pass one contract suite: :class:`sessions.engine.RedisInbox` and the in-memory twin
:class:`sessions.memory.MemoryInbox`. Every method is one atomic change (one Lua script in Redis); every method
that acts for a lease first checks that the lease is still its own and raises
:class:`~sessions.errors.LeaseLost` otherwise. All may raise :class:`~sessions.errors.StoreDown`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from adapters.values import ConversationId, Message, Reply, StatusUpdate


class Verdict(StrEnum):
    """What became of one offered message."""

    NEW = "new"
    DUPLICATE = "duplicate"
    FULL = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One remembered chat message: *role* is user or assistant; *key* the message's or the reply's key. Of an
    assistant's message alone: *pending* is what it asked the customer to confirm, and its meaning is the
    assistant's; *choices* are the titles of what it offered to tap, in order."""

    role: str
    content: str
    at: datetime
    key: str
    pending: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """The context of one conversation. *session* is a random UUID, new after the TTL or after `/new`.
    *recent* maps a digest of each text that we sent lately to when (see `Part.repeated`); it outlives `/new`."""

    session: str
    history: tuple[HistoryEntry, ...] = ()
    recent: Mapping[str, datetime] = field(default_factory=dict)


class PartState(StrEnum):
    """Where one part of a committed reply stands."""

    WAITING = "waiting"  # no byte of it was sent
    SENDING = "sending"  # marked before the first byte; a crash leaves this, and it then means unknown
    DELIVERED = "delivered"
    REFUSED = "refused"  # temporarily; will be tried again
    UNKNOWN = "unknown"  # the platform may have it
    ABANDONED = "abandoned"  # for good


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRecord:
    """The state of one part: *at* is when it came to be, *sends* counts the sends that may have been heard,
    *refusals* the temporary refusals so far."""

    state: PartState
    at: datetime
    platform_id: str = ""
    sends: int = 0
    refusals: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReply:
    """A committed reply and how far its sending got. *fallback*: the model failed, and the turn is owed a
    place among the dead letters once this text is sent; the string is the reason, "" otherwise."""

    reply: Reply
    records: tuple[PartRecord, ...]
    fallback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """Says that a conversation needs a turn. *entry* names the lease in the ready stream."""

    shard: int
    entry: str
    conversation: ConversationId


@dataclass(slots=True, kw_only=True, eq=False)
class Lease:
    """The right to answer one conversation until *expires* (`time.monotonic()` seconds of this process; moved on by
    `renew`). *fence* changes with every claim, so that a stale holder is recognised."""

    ticket: Ticket
    fence: str
    expires: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A claimed conversation: everything it sent since its last turn, oldest first, and what is known of it.
    *tries* counts claims; *abandoned* counts claims in a row whose worker neither settled nor gave back;
    *since* is when the first claim was; *paused*: a human owns the conversation (see `Inbox.pause`)."""

    lease: Lease
    messages: tuple[Message, ...]
    conversation: Conversation
    stored: StoredReply | None
    tries: int
    abandoned: int
    since: datetime
    paused: bool = False

    @property
    def id(self) -> ConversationId:
        return self.lease.ticket.conversation


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A parked turn. *detail* is for the operator and holds no message text; *messages* are for redrive."""

    id: str
    conversation: ConversationId
    reason: str
    detail: str
    tries: int
    first_at: datetime
    parked_at: datetime
    messages: tuple[Message, ...]
    reply: StoredReply | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Depths:
    """How much is where, over all shards; *oldest* is the age of the oldest waiting ticket. *later* counts the
    postponed turns, *reminders* the scheduled messages that have not come yet."""

    ready: int
    leased: int
    later: int
    dead: int
    reminders: int
    oldest: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What a status update told us. *advanced*: the message is further than we knew. *priced*: this is the first
    time that its pricing was named."""

    advanced: bool
    priced: bool


class Inbox(Protocol):
    """The engine. *Messages in one call may belong to several conversations.*"""

    def accept(
        self, messages: Sequence[Message], *, horizon: timedelta, bookmark: tuple[str, str] | None = None
    ) -> Sequence[Verdict]:
        """Stores each new message once, in order, and makes sure that its conversation has a ticket.
        *horizon*: how long a second delivery is recognised. When it returns, the messages are safe.

        With a *bookmark* (its name, and where the next page begins) the messages are one page: all are stored, and
        the bookmark with them, or, if a mailbox was full before, nothing is, and every message that is not a
        duplicate is FULL. A page that is longer than a mailbox's limit goes past it, for it would never fit."""
        ...

    def bookmark(self, name: str) -> str:
        """The bookmark that was stored last; "": none was."""
        ...

    def take(self, most: int, *, wait: timedelta) -> Sequence[Ticket]:
        """Up to *most* tickets for this worker: fresh ones, and those of workers whose lease ran out. Blocks
        up to *wait* when there is none."""
        ...

    def claim(self, ticket: Ticket) -> Turn | None:
        """Leases the ticket, pins the turn's size, counts the try. None: the ticket is stale, nothing to do."""
        ...

    def renew(self, leases: Sequence[Lease]) -> Sequence[Lease]:
        """Prolongs all in bulk and moves their `expires`; returns those that are lost."""
        ...

    def commit(
        self,
        turn: Turn,
        stored: StoredReply,
        exchange: Sequence[HistoryEntry],
        *,
        fresh: bool = False,
        gather: bool = True,
        whoever: bool = False,
    ) -> Sequence[Message]:
        """Stores the reply and the conversation's new entries, before the first byte is sent. With *gather*, if
        further messages arrived meanwhile, nothing is stored: the pin is extended and all of the turn's
        messages are returned, to be answered together; empty means committed. *fresh* starts a new session
        with *exchange* as its only content. Raises :class:`~sessions.errors.HumanOwns` if a human took the
        conversation meanwhile, unless *whoever* (and then nothing is gathered either)."""
        ...

    def record(self, lease: Lease, index: int, record: PartRecord) -> None:
        """Notes the state of one part."""
        ...

    def settle(
        self,
        lease: Lease,
        last: tuple[int, PartRecord] | None = None,
        *,
        outcome: str,
        exchange: Sequence[HistoryEntry] = (),
    ) -> None:
        """The turn is over: records the *last* part if given, trims the mailbox by the pinned size, journals
        *outcome* (a snake_case word), drops the ticket or makes a new one if messages arrived meanwhile.
        *exchange* is for a turn that ends without a reply of ours: what the conversation is to remember of it."""
        ...

    def postpone(self, lease: Lease, delay: timedelta, *, reason: str) -> None:
        """Gives the ticket back, to come again after *delay*; zero: at once (a worker that stops)."""
        ...

    def park(self, lease: Lease, *, reason: str, detail: str = "") -> None:
        """Moves the turn's messages to the dead letters and ends the turn as `settle` does."""
        ...

    def wake(self) -> timedelta:
        """Moves due tickets from later to ready, and due reminders into their mailboxes (see
        :mod:`sessions.schedule`); returns how long until the next is due (an hour at most)."""
        ...

    def pause(self, conversation: ConversationId, *, for_: timedelta) -> None:
        """A human owns the conversation: its turns come, but are `Turn.paused`, until `resume` or for so long from
        now; a later pause replaces an earlier one."""
        ...

    def resume(self, conversation: ConversationId) -> None:
        """Nobody but us owns the conversation any more."""
        ...

    def adopt(self, old: ConversationId, new: ConversationId) -> None:
        """The customer of *old* is *new* from now on. The context moves, unless *new* has one of its own; so do the
        texts sent lately, and a pause (the longer one holds). Messages that wait in *old*, and a turn of it that
        runs, stay there. Again, it changes nothing."""
        ...

    def observe(self, update: StatusUpdate) -> Noted:
        """Remembers (for a day) that the platform spoke of the part that *update.reply_key* names, and (for eight
        days, for platforms repeat themselves for a week) how far its message got: sent, failed, delivered, read,
        played, whatever order the updates come in. What was delivered has not failed, whoever says so when."""
        ...

    def observed(self, part_key: str) -> str | None:
        """The platform id under which the part was seen, if a status update named it."""
        ...

    def depths(self) -> Depths: ...

    def dead_letters(self, *, most: int = 50, before: str = "") -> Sequence[DeadLetter]:
        """The newest first; *before* is the id to page on from."""
        ...

    def dead_letter(self, letter: str) -> DeadLetter | None: ...

    def redrive(self, letter: str) -> bool:
        """Puts a parked turn's messages at the front of their conversation's mailbox again, exactly once, whoever
        asks how often; False: no such letter (any more)."""
        ...
