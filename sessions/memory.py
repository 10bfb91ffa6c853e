"""The in-memory twin of :class:`sessions.engine.RedisInbox`: the same semantics under one lock, for one process.

Several inboxes that share one :class:`Memory` are the workers of one desk.
"""

import dataclasses
import time
from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

from adapters.values import ConversationId, Message, StatusUpdate
from sessions.codec import part_digest
from sessions.errors import LeaseLost
from sessions.inbox import (
    Conversation,
    DeadLetter,
    Depths,
    HistoryEntry,
    Lease,
    PartRecord,
    StoredReply,
    Ticket,
    Turn,
    Verdict,
)
from sessions.keys import ReminderId
from sessions.limits import HISTORY_LENGTH, LONGEST_SLEEP, NAME_TAKEN_FOR, OBSERVED_FOR, RECENT_FOR
from sessions.memory_state import Context, Entry, JournalEntry, Memory, TurnState


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
        self._mailbox_limit = mailbox_limit
        self._session_ttl = session_ttl

    def accept(self, messages: Sequence[Message], *, horizon: timedelta) -> Sequence[Verdict]:
        with self.memory.changed:
            return [self._accept(message, horizon) for message in messages]

    def _accept(self, message: Message, horizon: timedelta) -> Verdict:
        memory, now = self.memory, self.memory.clock()
        seen_until = memory.seen.get(message.key)
        if seen_until is not None and now < seen_until:
            return Verdict.DUPLICATE
        mail = memory.mail.setdefault(message.conversation, [])
        if len(mail) >= self._mailbox_limit:
            return Verdict.FULL
        memory.seen[message.key] = now + horizon
        mail.append(message)
        self._make_sure_of_ticket(message.conversation)
        return Verdict.NEW

    def _make_sure_of_ticket(self, conversation: ConversationId) -> None:
        if not self.memory.turns.setdefault(conversation, TurnState()).ticket:
            self._issue(conversation)

    def _issue(self, conversation: ConversationId) -> None:
        memory = self.memory
        entry = memory.next_id()
        memory.ready[entry] = Entry(conversation=conversation, issued_at=memory.clock())
        memory.turns.setdefault(conversation, TurnState()).ticket = entry
        memory.changed.notify_all()

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
                conversation=self._context(conversation),
                stored=turn.stored,
                tries=turn.tries,
                abandoned=turn.abandoned - 1,
                since=turn.since,
            )

    def _context(self, conversation: ConversationId) -> Conversation:
        memory, now = self.memory, self.memory.clock()
        sent = memory.recent.get(conversation, {})
        recent = {text: at for text, at in sent.items() if now - at <= RECENT_FOR}
        context = memory.contexts.get(conversation)
        if context is None or context.expires_at <= now:
            return Conversation(session=str(uuid4()), recent=recent)
        context.expires_at = now + self._session_ttl
        known = context.conversation
        return Conversation(session=known.session, history=known.history, recent=recent)

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
            mail = self.memory.mail[turn.id]
            if gather and len(mail) > state.size:
                state.size = len(mail)
                return tuple(mail)
            state.stored = stored
            self._remember(turn, stored, exchange, fresh=fresh)
            return ()

    def _remember(self, turn: Turn, stored: StoredReply, exchange: Sequence[HistoryEntry], *, fresh: bool) -> None:
        memory, now = self.memory, self.memory.clock()
        sent = memory.recent.setdefault(turn.id, {})
        sent.update((part_digest(part), now) for part in stored.reply.parts)
        context = memory.contexts.get(turn.id)
        session, history = turn.conversation.session, tuple[HistoryEntry, ...]()
        if fresh:
            session = str(uuid4())
        elif context is not None and context.expires_at > now:
            session, history = context.conversation.session, context.conversation.history
        kept = (*history, *exchange)[-HISTORY_LENGTH:]
        conversation = Conversation(session=session, history=kept)
        memory.contexts[turn.id] = Context(conversation, expires_at=now + self._session_ttl)

    def record(self, lease: Lease, index: int, record: PartRecord) -> None:
        with self.memory.changed:
            self._record(self._held(lease), index, record)
            self._prolonged(lease)

    def _record(self, turn: TurnState, index: int, record: PartRecord) -> None:
        if turn.stored is not None:
            records = list(turn.stored.records)
            records[index] = record
            turn.stored = dataclasses.replace(turn.stored, records=tuple(records))

    def settle(self, lease: Lease, last: tuple[int, PartRecord] | None = None, *, outcome: str) -> None:
        with self.memory.changed:
            turn = self._held(lease)
            if last is not None:
                self._record(turn, *last)
            self._finish(lease, turn, outcome=outcome, reason="")

    def park(self, lease: Lease, *, reason: str, detail: str = "") -> None:
        with self.memory.changed:
            memory, turn, conversation = self.memory, self._held(lease), lease.ticket.conversation
            letter = memory.next_id()
            memory.dead[letter] = DeadLetter(
                id=letter,
                conversation=conversation,
                reason=reason,
                detail=detail,
                tries=turn.tries,
                first_at=turn.since or memory.clock(),
                parked_at=memory.clock(),
                messages=tuple(memory.mail[conversation][: turn.size]),
                reply=turn.stored,
            )
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
            self._issue(conversation)
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
                self._issue(conversation)

    def wake(self) -> timedelta:
        with self.memory.changed:
            memory, now = self.memory, self.memory.clock()
            for conversation in [name for name, due in memory.later.items() if due <= now]:
                del memory.later[conversation]
                self._issue(conversation)
            due = [(reminder.due, name.member, name) for name, reminder in memory.reminders.items()]
            for _, _, name in sorted(entry for entry in due if entry[0] <= now):
                self._remind(name, memory.reminders.pop(name).message)
            waiting = [*memory.later.values(), *(reminder.due for reminder in memory.reminders.values())]
            return min([LONGEST_SLEEP, *(due - now for due in waiting)])

    def _remind(self, name: ReminderId, message: Message) -> None:
        self.memory.seen[name.member] = self.memory.clock() + NAME_TAKEN_FOR
        self.memory.mail.setdefault(name.conversation, []).append(message)
        self._make_sure_of_ticket(name.conversation)

    def observe(self, update: StatusUpdate) -> None:
        if update.reply_key:
            with self.memory.changed:
                self.memory.sightings[update.reply_key] = (update.platform_id, self.memory.clock() + OBSERVED_FOR)

    def observed(self, part_key: str) -> str | None:
        with self.memory.changed:
            platform_id, until = self.memory.sightings.get(part_key, (None, self.memory.clock()))
            return platform_id if self.memory.clock() < until else None

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
        with self.memory.changed:
            ids = sorted((name for name in self.memory.dead if not before or name < before), reverse=True)
            return [self.memory.dead[name] for name in ids[:most]]

    def dead_letter(self, letter: str) -> DeadLetter | None:
        with self.memory.changed:
            return self.memory.dead.get(letter)

    def redrive(self, letter: str) -> bool:
        with self.memory.changed:
            found = self.memory.dead.pop(letter, None)
            if found is None:
                return False
            turn = self.memory.turns.get(found.conversation, TurnState())
            pinned = turn.size if turn.fence or turn.stored else 0
            again = [dataclasses.replace(message, redriven=letter) for message in found.messages]
            self.memory.mail.setdefault(found.conversation, [])[pinned:pinned] = again
            self._make_sure_of_ticket(found.conversation)
            return True
