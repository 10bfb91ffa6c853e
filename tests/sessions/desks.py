"""The two desks that the inbox's tests run on."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from adapters.values import ConversationId
from sessions.engine import RedisInbox
from sessions.keys import GROUP, Keys
from sessions.memory import MemoryInbox
from sessions.memory_state import Memory
from sessions.schedule import MemorySchedule, RedisSchedule
from sessions.scripts import MAKE_GROUP, Call
from sessions.store import RedisStore, pairs
from tests.contracts.inbox_kit import LONG

SHARDS = 4


class MemoryDesk:
    """Workers on the twin; its clock stands still unless the test moves it."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
        self.memory = Memory(clock=lambda: self._now)

    def inbox(
        self,
        consumer: str = "one",
        *,
        lease: timedelta = LONG,
        mailbox_limit: int = 200,
        session_ttl: timedelta = timedelta(hours=1),
    ) -> MemoryInbox:
        return MemoryInbox(
            self.memory, consumer=consumer, lease=lease, mailbox_limit=mailbox_limit, session_ttl=session_ttl
        )

    def schedule(self) -> MemorySchedule:
        return MemorySchedule(self.memory)

    def now(self) -> datetime:
        return self._now

    def pass_time(self, duration: timedelta) -> None:
        self._now += duration

    def mailboxes(self) -> Mapping[ConversationId, int]:
        return {name: len(mail) for name, mail in self.memory.mail.items() if mail}

    def tickets(self) -> Sequence[ConversationId]:
        return [entry.conversation for entry in self.memory.ready.values()] + list(self.memory.later)


class RedisDesk:
    """Workers on a real server; time passes by itself."""

    def __init__(self, store: RedisStore) -> None:
        self.store = store
        self.keys = Keys(SHARDS)

    def inbox(
        self,
        consumer: str = "one",
        *,
        lease: timedelta = LONG,
        mailbox_limit: int = 200,
        session_ttl: timedelta = timedelta(hours=1),
    ) -> RedisInbox:
        return RedisInbox(
            self.store,
            consumer=consumer,
            shards=SHARDS,
            lease=lease,
            mailbox_limit=mailbox_limit,
            session_ttl=session_ttl,
        )

    def schedule(self) -> RedisSchedule:
        return RedisSchedule(self.store, shards=SHARDS)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def pass_time(self, duration: timedelta) -> None:
        time.sleep(duration.total_seconds())

    def mailboxes(self) -> Mapping[ConversationId, int]:
        names = [name.decode() for name in self.store.command("KEYS", "fd:{*}:mail:*")]
        return {ConversationId.of(name.split(":", 3)[3]): int(self.store.command("LLEN", name)) for name in names}

    def tickets(self) -> Sequence[ConversationId]:
        """Checks on the way that each turn knows where its ticket is."""
        found: list[ConversationId] = []
        for shard in self.keys.shards:
            ready = self.store.command("XRANGE", shard.ready, "-", "+")
            later = [name for name in self.store.command("ZRANGE", shard.later, 0, -1) if b"/" not in name]
            places = [(pairs(fields)[b"conversation"], entry) for entry, fields in ready]
            for name, place in [*places, *((name, b"later") for name in later)]:
                assert self.store.command("HGET", shard.turn(name.decode()), "ticket") == place
                found.append(ConversationId.of(name.decode()))
        return found

    def journal(self) -> list[dict[bytes, bytes]]:
        """All entries, shard by shard."""
        streams = [self.store.command("XRANGE", shard.journal, "-", "+") for shard in self.keys.shards]
        return [pairs(fields) for entries in streams for _, fields in entries]

    def expire_leases(self) -> None:
        """As if all workers had been silent for a day."""
        day = timedelta(days=1) // timedelta(milliseconds=1)
        for shard in self.keys.shards:
            if self.store.command("EXISTS", shard.ready):
                self.store.run_all([Call(MAKE_GROUP, [shard.ready], [])])
                for entry, consumer, *_ in self.store.command("XPENDING", shard.ready, GROUP, "-", "+", 1000):
                    self.store.command("XCLAIM", shard.ready, GROUP, consumer, 0, entry, "IDLE", day, "JUSTID")


Lossy = tuple[RedisDesk, Callable[[Callable[[], object]], None]]
"""A desk, and a way to make a call of it whose answer is lost."""
