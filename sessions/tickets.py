"""Taking tickets: fresh ones of all shards in one blocking read, and those of workers whose lease ran out.

The blocking read and the pipelines span all shards: on a Redis Cluster each shard would need its own.
"""

import time
from collections.abc import Iterable, Sequence
from datetime import timedelta

from adapters.values import ConversationId
from sessions.codec import millis
from sessions.inbox import Ticket
from sessions.keys import GROUP, Keys, Shard
from sessions.scripts import HAND_BACK, MAKE_GROUP, TIDY, Call
from sessions.store import LONGEST_BLOCK, GroupMissing, RedisStore, pairs

FORGET_CONSUMERS = timedelta(minutes=10)
TIDY_EVERY = timedelta(seconds=60)


class Tickets:
    """One consumer's way to the ready streams, for one thread at a time."""

    def __init__(self, store: RedisStore, keys: Keys, *, consumer: str, lease: timedelta) -> None:
        self._store = store
        self._keys = keys
        self._shards = list(keys.shards)
        self._consumer = consumer
        self._lease = lease
        self._look_every = min(LONGEST_BLOCK, lease / 3)
        self._next_look = 0.0
        self._next_tidy = 0.0

    def take(self, most: int, wait: timedelta) -> Sequence[Ticket]:
        """Up to *most*, and never more: what nobody has a place for would only wait out its lease."""
        end = time.monotonic() + wait.total_seconds()
        while True:
            try:
                tickets = self._take(most, end)
            except GroupMissing:
                self._store.run_all([Call(MAKE_GROUP, [shard.ready], []) for shard in self._shards])
                continue
            if tickets or time.monotonic() >= end:
                return tickets

    def _take(self, most: int, end: float) -> list[Ticket]:
        now = time.monotonic()
        overdue: list[Ticket] = []
        if now >= self._next_look:
            overdue = self._overdue(most)
            self._tidy(now)
            self._next_look = now + self._look_every.total_seconds()
        left = timedelta() if overdue else min(timedelta(seconds=end - now), self._look_every)
        return overdue + self._fresh(most - len(overdue), left)

    def _overdue(self, most: int) -> list[Ticket]:
        """Tickets whose lease ran out, ours among them. Looking does not take: the look covers all shards in one
        round trip, and only where something is due is it taken."""
        due = str(millis(self._lease))
        looks = self._store.commands(
            [("XPENDING", shard.ready, GROUP, "IDLE", due, "-", "+", most) for shard in self._shards]
        )
        taken: list[Ticket] = []
        for shard, pending in zip(self._shards, looks, strict=True):
            if pending and len(taken) < most:
                first = pending[0][0]
                count = most - len(taken)
                _, entries, *_ = self._store.command(
                    "XAUTOCLAIM", shard.ready, GROUP, self._consumer, due, first, "COUNT", count
                )
                taken += _tickets(shard, entries)
        return taken

    def _fresh(self, most: int, wait: timedelta) -> list[Ticket]:
        """XREADGROUP's COUNT is for each stream, so that fewer places than shards need smaller steps first."""
        if most <= 0:
            return []
        if most >= len(self._shards):
            return self._read(self._shards, most // len(self._shards), wait)
        self._shards.append(self._shards.pop(0))  # no shard is always the first
        for start in range(0, len(self._shards), most):
            if tickets := self._read(self._shards[start : start + most], 1, timedelta()):
                return tickets
        return self._at_most(most, self._read(self._shards, 1, wait)) if wait else []

    def _read(self, shards: Sequence[Shard], count: int, wait: timedelta) -> list[Ticket]:
        block = millis(wait)  # BLOCK 0 would wait for ever
        waiting = ("BLOCK", block) if block > 0 else ()
        names = [shard.ready for shard in shards]
        command = ("XREADGROUP", "GROUP", GROUP, self._consumer, "COUNT", count, *waiting, "STREAMS", *names)
        streams = self._store.block(*command, *(">" for _ in names)) or []
        by_name = {shard.ready.encode(): shard for shard in shards}
        return [ticket for name, entries in streams for ticket in _tickets(by_name[name], entries)]

    def _at_most(self, most: int, tickets: list[Ticket]) -> list[Ticket]:
        """Tickets that came to several shards between the last small step and the blocking read."""
        self._store.run_all([self._hand_back(ticket) for ticket in tickets[most:]])
        return tickets[:most]

    def _hand_back(self, ticket: Ticket) -> Call:
        shard, conversation = self._keys.shards[ticket.shard], ticket.conversation.key
        return Call(
            HAND_BACK, [shard.turn(conversation), shard.ready], [ticket.entry, self._consumer, conversation]
        )

    def _tidy(self, now: float) -> None:
        if now < self._next_tidy:
            return
        self._next_tidy = now + TIDY_EVERY.total_seconds()
        self._store.run_all([Call(TIDY, [shard.ready], [millis(FORGET_CONSUMERS)]) for shard in self._shards])


def _tickets(shard: Shard, entries: Iterable[tuple[bytes, list[bytes]]]) -> list[Ticket]:
    return [
        Ticket(
            shard=shard.number,
            entry=entry.decode(),
            conversation=ConversationId.of(pairs(fields)[b"conversation"].decode()),
        )
        for entry, fields in entries
    ]
