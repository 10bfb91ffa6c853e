"""Scheduled messages: put aside now, in their conversation's mailbox when they are due.

A reminder waits in the engine's `later` set beside the postponed tickets, and `Inbox.wake` moves it: into the
mailbox whatever its limit, with a ticket if the conversation has none. From then on it is a message like any other,
and so it is never lost, never doubled, and answered in order. It comes by Redis's clock, at the first `wake` at or
after its time.
"""

from datetime import datetime
from typing import Protocol

from adapters.values import ConversationId, Message
from sessions import codec
from sessions.keys import Keys, ReminderId, Shard
from sessions.limits import NAME_TAKEN_FOR
from sessions.memory_state import Memory, Reminder
from sessions.scripts import SCHEDULE, UNSCHEDULE, Script
from sessions.store import RedisStore, Word


class Schedule(Protocol):
    """A name is taken from when it is scheduled until a day after it came or was called off, so that a turn that
    is tried again schedules nothing twice. Each method may raise :class:`~sessions.errors.StoreDown`, and then may
    simply be called again; and ValueError for a name that is empty or longer than
    :data:`adapters.values.LONGEST_ID`."""

    def schedule(self, message: Message, *, due: datetime, name: str) -> bool:
        """*message* (`kind="reminder"`) comes to its conversation at *due* (aware; what is past comes at once). Its
        id must be unlike any other message's of the account, for the reply's key is derived from it. False: the
        name is taken."""
        ...

    def unschedule(self, conversation: ConversationId, name: str) -> bool:
        """False: nothing of that name waits (any more)."""
        ...


class RedisSchedule:
    """:class:`Schedule` in Redis. *shards* must be the inbox's."""

    def __init__(self, store: RedisStore, *, shards: int = 16) -> None:
        self._store = store
        self._keys = Keys(shards)

    def schedule(self, message: Message, *, due: datetime, name: str) -> bool:
        reminder = ReminderId(conversation=message.conversation, name=name)
        return self._run(SCHEDULE, reminder, [_due_millis(due), codec.dump_message(message)])

    def unschedule(self, conversation: ConversationId, name: str) -> bool:
        reminder = ReminderId(conversation=conversation, name=name)
        return self._run(UNSCHEDULE, reminder, [codec.millis(NAME_TAKEN_FOR)])

    def _run(self, script: Script, reminder: ReminderId, args: list[Word]) -> bool:
        shard: Shard = self._keys.home(reminder.conversation)
        keys = [shard.later, shard.reminders, shard.seen(reminder.member)]
        return bool(self._store.run(script, keys, [reminder.member, *args]))


class MemorySchedule:
    """The twin, for one process: shares its :class:`~sessions.memory_state.Memory` with the inboxes."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def schedule(self, message: Message, *, due: datetime, name: str) -> bool:
        memory, reminder = self._memory, ReminderId(conversation=message.conversation, name=name)
        with memory.changed:
            taken_until = memory.seen.get(reminder.member)
            if reminder in memory.reminders or (taken_until is not None and memory.clock() < taken_until):
                return False
            memory.reminders[reminder] = Reminder(message=message, due=codec.from_micros(codec.micros(due)))
            return True

    def unschedule(self, conversation: ConversationId, name: str) -> bool:
        memory, reminder = self._memory, ReminderId(conversation=conversation, name=name)
        with memory.changed:
            if memory.reminders.pop(reminder, None) is None:
                return False
            memory.seen[reminder.member] = memory.clock() + NAME_TAKEN_FOR
            return True


def _due_millis(due: datetime) -> int:
    """The first millisecond that is not before *due*."""
    return -(-codec.micros(due) // 1000)
