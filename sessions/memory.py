"""The in-memory twin of :class:`sessions.engine.RedisInbox`: the same semantics under one lock, for one process.

Several inboxes that share one :class:`Memory` are the workers of one desk.
"""

import dataclasses
import time
from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

from adapters.values import ConversationId, Message, StatusUpdate
from sessions.contexts import MemoryContexts
from sessions.deadletters import MemoryDeadLetters
from sessions.errors import HumanOwns, LeaseLost
from sessions.inbox import (
    DeadLetter,
    Depths,
    HistoryEntry,
    Lease,
    Noted,
    PartRecord,
    StoredReply,
    Ticket,
    Turn,
    Verdict,
)
from sessions.mailroom import MemoryMailroom
from sessions.memory_state import Entry, JournalEntry, Memory, TurnState
from sessions.sightings import MemorySightings
from sessions.waking import wake_memory


class MemoryInbox:
    """`sessions.inbox.Inbox` without Redis."""

    def __init__(
        self,
        memory: Memory | None = None,
        *,
        consumer: str = "memory",
        lease: timedelta = timedelta(seconds=15),
        mailbox_limit: int = 200,
        session_ttl: timedelta = timedelta(hours=1),
    ) -> None:
        self.memory = memory or Memory()
        self._consumer = consumer
        self._lease = lease
        self._mailroom = MemoryMailroom(self.memory, mailbox_limit=mailbox_limit)
        self._contexts = MemoryContexts(self.memory, session_ttl=session_ttl)
        self._sightings = MemorySightings(self.memory)
        self._dead = MemoryDeadLetters(self.memory)

    def accept(
        self, messages: Sequence[Message], *, horizon: timedelta, bookmark: tuple[str, str] | None = None
    ) -> Sequence[Verdict]:
        return self._mailroom.accept(messages, horizon, bookmark)

    def bookmark(self, name: str) -> str:
        return self._mailroom.bookmark(name)

    def take(self, most: int, *, wait: timedelta) -> Sequence[Ticket]:
        end = time.monotonic() + wait.total_seconds()
        with self.memory.changed:
            while not (entries := self._takeable()[: max(most, 0)]) and time.monotonic() < end:
                # leases run out without a notification
                self.memory.changed.wait(min(0.05, max(0.0, end - time.monotonic())))
            return [self._taken(entry) for entry in entries]

    def _takeable(self) -> list[str]:
        overdue = [name for name, entry in self.memory.ready.items() if entry.owner and self._is_overdue(entry)]
        return overdue + [name for name, entry in self.memory.ready.items() if not entry.owner]

    def _is_overdue(self, entry: Entry) -> bool:
        return entry.taken_at is not None and self.memory.clock() - entry.taken_at >= self._lease

    def _taken(self, name: str) -> Ticket:
        entry = self.memory.ready[name]
        entry.owner, entry.taken_at = self._consumer, self.memory.clock()
        return Ticket(shard=0, entry=name, conversation=entry.conversation)

    def claim(self, ticket: Ticket) -> Turn | None:
        memory, conversation = self.memory, ticket.conversation
        with memory.changed:
            entry = memory.ready.get(ticket.entry)
            if entry is None or entry.owner != self._consumer:
                return None
            mail, turn = memory.mail[conversation], memory.turns[conversation]
            now = memory.clock()
            turn.fence = memory.next_id()
            turn.size = turn.size if turn.stored else len(mail)
            turn.tries += 1
            turn.abandoned += 1
            turn.since = turn.since or now
            entry.taken_at = now
            return Turn(
                lease=Lease(ticket=ticket, fence=turn.fence, expires=self._expiry()),
                messages=tuple(mail[: turn.size]),
                conversation=self._contexts.known(conversation),
                stored=turn.stored,
                tries=turn.tries,
                abandoned=turn.abandoned - 1,
                since=turn.since,
                paused=self._contexts.is_paused(conversation),
            )

    def renew(self, leases: Sequence[Lease]) -> Sequence[Lease]:
        with self.memory.changed:
            return [lease for lease in leases if not self._prolonged(lease)]

    def _prolonged(self, lease: Lease) -> bool:
        if not self._holds(lease):
            return False
        self.memory.ready[lease.ticket.entry].taken_at = self.memory.clock()
        lease.expires = self._expiry()
        return True

    def _expiry(self) -> float:
        return time.monotonic() + self._lease.total_seconds()

    def _holds(self, lease: Lease) -> bool:
        turn = self.memory.turns.get(lease.ticket.conversation)
        entry = self.memory.ready.get(lease.ticket.entry)
        return (
            turn is not None and turn.fence == lease.fence and entry is not None and entry.owner == self._consumer
        )

    def _held(self, lease: Lease) -> TurnState:
        if not self._holds(lease):
            raise LeaseLost(f"another worker has {lease.ticket.conversation.key} now")
        return self.memory.turns[lease.ticket.conversation]

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
        if len(stored.records) != len(stored.reply.parts):
            raise ValueError(f"{len(stored.reply.parts)} parts with {len(stored.records)} records")
        with self.memory.changed:
            state = self._held(turn.lease)
            self._prolonged(turn.lease)
            if state.stored is not None:
                if state.stored.reply != stored.reply:
                    raise LeaseLost(f"{turn.id.key} has another reply already")
                return ()
            if not whoever and self._contexts.is_paused(turn.id):
                raise HumanOwns(f"a human took {turn.id.label} over")
            mail = self.memory.mail[turn.id]
            if gather and not whoever and len(mail) > state.size:
                state.size = len(mail)
                return tuple(mail)
            state.stored = stored
            session = str(uuid4()) if fresh else turn.conversation.session
            self._contexts.note_sent(turn.id, stored.reply.parts)
            self._contexts.remember(turn.id, exchange, session=session, fresh=fresh)
            return ()

    def record(self, lease: Lease, index: int, record: PartRecord) -> None:
        with self.memory.changed:
            self._record(self._held(lease), index, record)
            self._prolonged(lease)

    def _record(self, turn: TurnState, index: int, record: PartRecord) -> None:
        if turn.stored is not None:
            records = list(turn.stored.records)
            records[index] = record
            turn.stored = dataclasses.replace(turn.stored, records=tuple(records))

    def settle(
        self,
        lease: Lease,
        last: tuple[int, PartRecord] | None = None,
        *,
        outcome: str,
        exchange: Sequence[HistoryEntry] = (),
    ) -> None:
        with self.memory.changed:
            turn = self._held(lease)
            if last is not None:
                self._record(turn, *last)
            if exchange:
                self._contexts.remember(lease.ticket.conversation, exchange, session=str(uuid4()))
            self._finish(lease, turn, outcome=outcome, reason="")

    def park(self, lease: Lease, *, reason: str, detail: str = "") -> None:
        with self.memory.changed:
            turn = self._held(lease)
            self._dead.add(lease.ticket.conversation, turn, reason=reason, detail=detail)
            self._finish(lease, turn, outcome="parked", reason=reason)

    def _finish(self, lease: Lease, turn: TurnState, *, outcome: str, reason: str) -> None:
        memory, conversation = self.memory, lease.ticket.conversation
        memory.journal.append(
            JournalEntry(
                conversation=conversation,
                outcome=outcome,
                reason=reason,
                messages=turn.size,
                tries=turn.tries,
                reply=turn.stored.reply.key if turn.stored else "",
                parts=turn.stored.records if turn.stored else (),
            )
        )
        del memory.mail[conversation][: turn.size]
        del memory.ready[lease.ticket.entry], memory.turns[conversation]
        if memory.mail[conversation]:
            memory.issue(conversation)
        else:
            del memory.mail[conversation]

    def postpone(self, lease: Lease, delay: timedelta, *, reason: str) -> None:
        with self.memory.changed:
            memory, turn, conversation = self.memory, self._held(lease), lease.ticket.conversation
            del memory.ready[lease.ticket.entry]
            turn.fence, turn.abandoned, turn.ticket = "", 0, "later"
            if delay > timedelta():
                memory.later[conversation] = memory.clock() + delay
            else:
                self.memory.issue(conversation)

    def wake(self) -> timedelta:
        return wake_memory(self.memory)

    def pause(self, conversation: ConversationId, *, for_: timedelta) -> None:
        self._contexts.pause(conversation, for_)

    def resume(self, conversation: ConversationId) -> None:
        self._contexts.resume(conversation)

    def adopt(self, old: ConversationId, new: ConversationId) -> None:
        self._contexts.adopt(old, new)

    def observe(self, update: StatusUpdate) -> Noted:
        return self._sightings.observe(update)

    def observed(self, part_key: str) -> str | None:
        return self._sightings.observed(part_key)

    def depths(self) -> Depths:
        with self.memory.changed:
            memory = self.memory
            waiting = [entry.issued_at for entry in memory.ready.values() if not entry.owner]
            return Depths(
                ready=len(waiting),
                leased=len(memory.ready) - len(waiting),
                later=len(memory.later),
                dead=len(memory.dead),
                reminders=len(memory.reminders),
                oldest=memory.clock() - min(waiting) if waiting else timedelta(),
            )

    def dead_letters(self, *, most: int = 50, before: str = "") -> Sequence[DeadLetter]:
        return self._dead.newest(most, before)

    def dead_letter(self, letter: str) -> DeadLetter | None:
        return self._dead.find(letter)

    def redrive(self, letter: str) -> bool:
        return self._dead.redrive(letter)
