"""What the platforms told of our messages afterwards, in whatever order it came."""

from adapters.values import DeliveryState, StatusUpdate
from sessions.codec import digest, millis
from sessions.inbox import Noted
from sessions.keys import Keys
from sessions.limits import OBSERVED_FOR, STATUS_FOR
from sessions.memory_state import Memory
from sessions.scripts import OBSERVE, SIGHT, Call
from sessions.store import RedisStore

RANKS = {
    DeliveryState.SENT: 1,
    # The end of what was only sent. Updates come in any order (WhatsApp sheet §1.4), so that a failure told before
    # and one told after "delivered" must mean the same: the customer has it.
    DeliveryState.FAILED: 2,
    DeliveryState.DELIVERED: 3,
    DeliveryState.READ: 4,
    DeliveryState.PLAYED: 5,
}


def _name(update: StatusUpdate) -> str:
    """Of the message, by the platform's id or, where it names none, ours; short, and without the phone number that
    a platform's id may hold. "": it has none."""
    message = update.platform_id or update.reply_key
    return digest(f"{update.channel} {message}") if message else ""


class RedisSightings:
    """`observe` and `observed` of `sessions.inbox.Inbox`."""

    def __init__(self, store: RedisStore, keys: Keys) -> None:
        self._store = store
        self._keys = keys

    def observe(self, update: StatusUpdate) -> Noted:
        name, part = _name(update), update.reply_key
        if not name:
            return Noted(advanced=False, priced=False)
        args = [RANKS[update.state], int(bool(update.pricing)), millis(STATUS_FOR)]
        calls = [Call(OBSERVE, [self._keys.of(name).status(name)], args)]
        if part:
            calls.append(
                Call(SIGHT, [self._keys.of(part).observed(part)], [update.platform_id, millis(OBSERVED_FOR)])
            )
        advanced, priced = self._store.run_all(calls)[0]
        return Noted(advanced=bool(advanced), priced=bool(priced))

    def observed(self, part_key: str) -> str | None:
        seen = self._store.command("GET", self._keys.of(part_key).observed(part_key))
        return None if seen is None else str(seen, "utf-8")


class MemorySightings:
    """The twin."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def observe(self, update: StatusUpdate) -> Noted:
        memory, name = self._memory, _name(update)
        if not name:
            return Noted(advanced=False, priced=False)
        with memory.changed:
            now = memory.clock()
            if update.reply_key:
                memory.sightings[update.reply_key] = (update.platform_id, now + OBSERVED_FOR)
            rank, priced, until = memory.statuses.get(name, (0, False, now))
            if until <= now:
                rank, priced = 0, False
            told = RANKS[update.state]
            memory.statuses[name] = (max(rank, told), priced or bool(update.pricing), now + STATUS_FOR)
            return Noted(advanced=told > rank, priced=bool(update.pricing) and not priced)

    def observed(self, part_key: str) -> str | None:
        with self._memory.changed:
            platform_id, until = self._memory.sightings.get(part_key, (None, self._memory.clock()))
            return platform_id if self._memory.clock() < until else None
