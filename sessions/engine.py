"""The inbox in Redis. Every change is one script (sessions/scripts/); Redis's clock is the only one.

After `StoreDown` it is not known whether the change happened. Each call may simply be made again: a second accept
finds duplicates; a second commit of the same reply changes nothing, nor does a second pause, resume, adopt or
observe (what was news is none then); and a second settle, park or postpone raises `LeaseLost`, which then means
that the first one did it. Only a commit that gathers must not be: the first may have pinned messages that its reply
never saw. Let the lease run out, and the turn comes again with all of them.
"""

import os
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

from adapters.values import ConversationId, Message, StatusUpdate
from sessions import codec
from sessions.contexts import RedisContexts, load_conversation
from sessions.deadletters import DeadLetters
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
from sessions.keys import Keys, Shard
from sessions.limits import HISTORY_LENGTH, RECENT_FOR
from sessions.mailroom import RedisMailroom
from sessions.scripts import CLAIM, COMMIT, DEPTHS, PARK, POSTPONE, RECORD, RENEW, SETTLE, Call, Script
from sessions.sightings import RedisSightings
from sessions.store import RedisStore, Word, pairs
from sessions.tickets import Tickets
from sessions.waking import wake


class RedisInbox:
    """`sessions.inbox.Inbox` on Redis Streams. *consumer* must be unique among all processes. *shards* must be the
    same everywhere, for ever. Thread-safe, except that one thread at a time may `take`."""

    def __init__(
        self,
        store: RedisStore,
        *,
        consumer: str,
        shards: int = 16,
        lease: timedelta = timedelta(seconds=15),
        mailbox_limit: int = 200,
        session_ttl: timedelta = timedelta(hours=1),
    ) -> None:
        self._store = store
        self._keys = Keys(shards)
        self._consumer = consumer
        self._lease = lease
        self._session_ttl = session_ttl
        self._mailroom = RedisMailroom(store, self._keys, mailbox_limit=mailbox_limit)
        self._tickets = Tickets(store, self._keys, consumer=consumer, lease=lease)
        self._contexts = RedisContexts(store, self._keys)
        self._sightings = RedisSightings(store, self._keys)
        self._dead = DeadLetters(store, self._keys)

    def accept(
        self, messages: Sequence[Message], *, horizon: timedelta, bookmark: tuple[str, str] | None = None
    ) -> Sequence[Verdict]:
        return self._mailroom.accept(messages, horizon, bookmark)

    def bookmark(self, name: str) -> str:
        return self._mailroom.bookmark(name)

    def take(self, most: int, *, wait: timedelta) -> Sequence[Ticket]:
        return self._tickets.take(most, wait)

    def claim(self, ticket: Ticket) -> Turn | None:
        shard, conversation, fence = self._keys.shards[ticket.shard], ticket.conversation.key, os.urandom(12).hex()
        expires = self._expiry()
        keys = [
            shard.turn(conversation),
            shard.ready,
            shard.mail(conversation),
            shard.conversation(conversation),
            shard.recent(conversation),
            shard.pause(conversation),
        ]
        args: list[Word] = [
            ticket.entry,
            self._consumer,
            fence,
            codec.millis(self._session_ttl),
            codec.millis(RECENT_FOR),
        ]
        claimed = self._store.run(CLAIM, keys, args)
        return _turn(Lease(ticket=ticket, fence=fence, expires=expires), claimed) if claimed else None

    def renew(self, leases: Sequence[Lease]) -> Sequence[Lease]:
        groups: dict[int, list[Lease]] = defaultdict(list)
        for lease in leases:
            groups[lease.ticket.shard].append(lease)
        expires = self._expiry()
        lost = list[Lease]()
        answers = self._store.run_all([self._renew(self._keys.shards[n], group) for n, group in groups.items()])
        for group, kept in zip(groups.values(), answers, strict=True):
            for lease, is_kept in zip(group, kept, strict=True):
                if is_kept:
                    lease.expires = expires
                else:
                    lost.append(lease)
        return lost

    def _renew(self, shard: Shard, leases: Sequence[Lease]) -> Call:
        turns = [shard.turn(lease.ticket.conversation.key) for lease in leases]
        holders = [word for lease in leases for word in (lease.ticket.entry, lease.fence)]
        return Call(RENEW, [shard.ready, *turns], [self._consumer, *holders])

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
        conversation = turn.id.key
        shard = self._shard(turn.lease)
        keys = [shard.mail(conversation), shard.conversation(conversation), shard.recent(conversation)]
        args: list[Word] = [
            2 if whoever else int(gather),
            int(fresh),
            str(uuid4()) if fresh else turn.conversation.session,
            codec.millis(self._session_ttl),
            HISTORY_LENGTH,
            codec.millis(RECENT_FOR),
            stored.reply.key,
            codec.dump_reply(stored.reply),
            stored.fallback,
            len(stored.records),
            *map(codec.dump_record, stored.records),
            *(codec.part_digest(part) for part in stored.reply.parts),
            *map(codec.dump_entry, exchange),
        ]
        expires = self._expiry()
        messages = self._held(COMMIT, turn.lease, [*keys, shard.pause(conversation)], args)
        turn.lease.expires = expires
        if messages == 0:
            raise HumanOwns(f"a human took {turn.id.label} over")
        return [codec.load_message(message) for message in messages]

    def record(self, lease: Lease, index: int, record: PartRecord) -> None:
        expires = self._expiry()
        self._held(RECORD, lease, [], [index, codec.dump_record(record)])
        lease.expires = expires

    def settle(
        self,
        lease: Lease,
        last: tuple[int, PartRecord] | None = None,
        *,
        outcome: str,
        exchange: Sequence[HistoryEntry] = (),
    ) -> None:
        shard, conversation = self._shard(lease), lease.ticket.conversation.key
        keys = [shard.mail(conversation), shard.journal]
        final: tuple[Word, Word] = (last[0], codec.dump_record(last[1])) if last else ("", "")
        args: list[Word] = [conversation, outcome, *final]
        if exchange:
            keys.append(shard.conversation(conversation))
            args += [str(uuid4()), codec.millis(self._session_ttl), HISTORY_LENGTH]
            args += map(codec.dump_entry, exchange)
        self._held(SETTLE, lease, keys, args)

    def postpone(self, lease: Lease, delay: timedelta, *, reason: str) -> None:
        args: list[Word] = [lease.ticket.conversation.key, codec.millis(delay), reason]
        self._held(POSTPONE, lease, [self._shard(lease).later], args)

    def park(self, lease: Lease, *, reason: str, detail: str = "") -> None:
        shard, conversation = self._shard(lease), lease.ticket.conversation.key
        keys = [shard.mail(conversation), shard.journal, shard.dead]
        self._held(PARK, lease, keys, [conversation, reason, codec.dump_text(detail)])

    def _held(self, script: Script, lease: Lease, keys: Sequence[str], args: Sequence[Word]) -> Any:
        """Runs what only the leaseholder may do."""
        shard, ticket = self._shard(lease), lease.ticket
        holder = (ticket.entry, self._consumer, lease.fence)
        keys = [shard.turn(ticket.conversation.key), shard.ready, *keys]
        answer = self._store.run(script, keys, [*holder, *args])
        if answer is None:
            raise LeaseLost(f"another worker has {ticket.conversation.key} now ({script.name})")
        return answer

    def _shard(self, lease: Lease) -> Shard:
        return self._keys.shards[lease.ticket.shard]

    def _expiry(self) -> float:
        """Read before Redis is asked: the lease lasts at least until then."""
        return time.monotonic() + self._lease.total_seconds()

    def wake(self) -> timedelta:
        return wake(self._store, self._keys)

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
        calls = [
            Call(DEPTHS, [shard.ready, shard.later, shard.dead, shard.reminders], []) for shard in self._keys.shards
        ]
        *counts, ages = zip(*self._store.run_all(calls), strict=True)
        ready, leased, later, dead, reminders = map(sum, counts)
        oldest = timedelta(milliseconds=max(ages))
        return Depths(ready=ready, leased=leased, later=later, dead=dead, reminders=reminders, oldest=oldest)

    def dead_letters(self, *, most: int = 50, before: str = "") -> Sequence[DeadLetter]:
        return self._dead.newest(most, before)

    def dead_letter(self, letter: str) -> DeadLetter | None:
        return self._dead.find(letter)

    def redrive(self, letter: str) -> bool:
        return self._dead.redrive(letter)


def _turn(lease: Lease, claimed: Sequence[Any]) -> Turn:
    """From what the claim script returned."""
    messages, conversation, recent, paused, flat = claimed
    fields = pairs(flat)
    return Turn(
        lease=lease,
        messages=tuple(map(codec.load_message, messages)),
        conversation=load_conversation(conversation, recent),
        stored=_stored(fields, lease.ticket.conversation),
        tries=int(fields[b"tries"]),
        abandoned=int(fields[b"abandoned"]) - 1,
        since=codec.from_millis(fields[b"since"]),
        paused=bool(paused),
    )


def _stored(fields: dict[bytes, bytes], conversation: ConversationId) -> StoredReply | None:
    reply = fields.get(b"reply")
    if reply is None:
        return None
    records = [
        codec.load_fields(fields[b"part:%d" % i]) for i in range(sum(name[:5] == b"part:" for name in fields))
    ]
    return codec.load_stored(reply, records, fields[b"fallback"], conversation)
