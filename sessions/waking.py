"""What waited until its time comes back: postponed turns, and reminders."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from adapters.values import Message
from sessions.codec import millis
from sessions.keys import Keys, ReminderId, Shard
from sessions.limits import LONGEST_SLEEP, NAME_TAKEN_FOR, WAKE_AT_ONCE
from sessions.memory_state import Memory
from sessions.scripts import REMIND, WAKE, Call
from sessions.store import RedisStore, Word, pairs


def wake(store: RedisStore, keys: Keys) -> timedelta:
    """`Inbox.wake` in Redis."""
    looks = [("ZRANGE", shard.later, 0, WAKE_AT_ONCE - 1, "WITHSCORES") for shard in keys.shards]
    (seconds, micros), *waiting = store.commands([("TIME",), *looks])
    now = int(seconds) * 1000 + int(micros) // 1000
    calls, next_due = list[Call](), now + millis(LONGEST_SLEEP)
    for shard, flat in zip(keys.shards, waiting, strict=True):
        members = pairs(flat)
        due = [name.decode() for name, at in members.items() if int(at) <= now]
        calls += _moves(shard, due)
        next_due = min([next_due, *(int(at) for at in members.values() if int(at) > now)])
        if len(due) == WAKE_AT_ONCE:
            next_due = now
    store.run_all(calls)
    return timedelta(milliseconds=next_due - now)


def _moves(shard: Shard, due: Sequence[str]) -> Iterator[Call]:
    reminders = {member: found for member in due if (found := ReminderId.of(member))}
    tickets = [member for member in due if member not in reminders]
    if tickets:
        yield Call(WAKE, [shard.later, shard.ready, *map(shard.turn, tickets)], tickets)
    if reminders:
        keys, args = [shard.later, shard.reminders, shard.ready], list[Word]([millis(NAME_TAKEN_FOR)])
        for member, reminder in reminders.items():
            conversation = reminder.conversation.key
            keys += [shard.turn(conversation), shard.mail(conversation), shard.seen(member)]
            args += [member, conversation]
        yield Call(REMIND, keys, args)


def wake_memory(memory: Memory) -> timedelta:
    """The twin of :func:`wake`."""
    with memory.changed:
        now = memory.clock()
        for conversation in [name for name, due in memory.later.items() if due <= now]:
            del memory.later[conversation]
            memory.issue(conversation)
        due = [(reminder.due, name.member, name) for name, reminder in memory.reminders.items()]
        for _, _, name in sorted(entry for entry in due if entry[0] <= now):
            _remind(memory, name, memory.reminders.pop(name).message)
        waiting = [*memory.later.values(), *(reminder.due for reminder in memory.reminders.values())]
        return min([LONGEST_SLEEP, *(due - now for due in waiting)])


def _remind(memory: Memory, name: ReminderId, message: Message) -> None:
    memory.seen[name.member] = memory.clock() + NAME_TAKEN_FOR
    memory.mail.setdefault(name.conversation, []).append(message)
    memory.make_sure_of_ticket(name.conversation)
