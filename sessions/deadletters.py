"""Parked turns: listed newest first over all shards, looked at, and redriven exactly once.

A dead letter's id is `<ms>-<n>.<shard>`: the time it was parked, by Redis's clock, comes first.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from adapters.values import ConversationId
from sessions.codec import dump_message, from_millis, load_messages, load_stored, load_text
from sessions.inbox import DeadLetter
from sessions.keys import Keys, Shard
from sessions.memory_state import Memory, TurnState
from sessions.scripts import REDRIVE
from sessions.store import RedisStore, pairs

_ID = re.compile(r"(\d{1,16})-(\d{1,16})\.(\d{1,6})", re.ASCII)

Place = tuple[int, int, int]
Fields = Mapping[bytes, bytes]


class DeadLetters:
    """Reads and redrives what `park` wrote."""

    def __init__(self, store: RedisStore, keys: Keys) -> None:
        self._store = store
        self._keys = keys

    def newest(self, most: int, before: str) -> Sequence[DeadLetter]:
        place = _place(before)
        looks = self._store.commands(
            [("XREVRANGE", shard.dead, _last(place, shard), "-", "COUNT", most) for shard in self._keys.shards]
        )
        found: list[tuple[Place, Fields]] = []
        for shard, entries in zip(self._keys.shards, looks, strict=True):
            found += [(_place_of(entry, shard), pairs(fields)) for entry, fields in entries]
        found.sort(key=lambda item: item[0], reverse=True)
        return [_letter(place, fields) for place, fields in found[:most]]

    def find(self, letter: str) -> DeadLetter | None:
        place = _place(letter)
        if place is None or place[2] >= len(self._keys.shards):
            return None
        entry = f"{place[0]}-{place[1]}"
        entries = self._store.command("XRANGE", self._keys.shards[place[2]].dead, entry, entry)
        return _letter(place, pairs(entries[0][1])) if entries else None

    def redrive(self, letter: str) -> bool:
        found, place = self.find(letter), _place(letter)
        if found is None or place is None:
            return False
        shard, conversation = self._keys.shards[place[2]], found.conversation.key
        keys = [shard.dead, shard.turn(conversation), shard.ready, shard.mail(conversation)]
        messages = [dump_message(replace(message, redriven=letter)) for message in found.messages]
        return bool(self._store.run(REDRIVE, keys, [f"{place[0]}-{place[1]}", conversation, *messages]))


class MemoryDeadLetters:
    """The twin."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def add(self, conversation: ConversationId, turn: TurnState, *, reason: str, detail: str) -> None:
        """The caller holds the memory's lock."""
        memory = self._memory
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

    def newest(self, most: int, before: str) -> Sequence[DeadLetter]:
        with self._memory.changed:
            ids = sorted((name for name in self._memory.dead if not before or name < before), reverse=True)
            return [self._memory.dead[name] for name in ids[:most]]

    def find(self, letter: str) -> DeadLetter | None:
        with self._memory.changed:
            return self._memory.dead.get(letter)

    def redrive(self, letter: str) -> bool:
        memory = self._memory
        with memory.changed:
            found = memory.dead.pop(letter, None)
            if found is None:
                return False
            turn = memory.turns.get(found.conversation, TurnState())
            pinned = turn.size if turn.fence or turn.stored else 0
            again = [replace(message, redriven=letter) for message in found.messages]
            memory.mail.setdefault(found.conversation, [])[pinned:pinned] = again
            memory.make_sure_of_ticket(found.conversation)
            return True


def _place(letter: str) -> Place | None:
    """None for what is no dead letter's id."""
    match = _ID.fullmatch(letter)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def _place_of(entry: bytes, shard: Shard) -> Place:
    ms, _, sequence = entry.decode().partition("-")
    return (int(ms), int(sequence), shard.number)


def _last(place: Place | None, shard: Shard) -> str:
    """Where a shard's page begins, so that the order over all shards is that of the places."""
    if place is None:
        return "+"
    ms, sequence, number = place
    return f"{ms}-{sequence}" if shard.number < number else f"({ms}-{sequence}"


def _letter(place: Place, fields: Fields) -> DeadLetter:
    conversation = ConversationId.of(fields[b"conversation"].decode())
    reply = fields[b"reply"]
    return DeadLetter(
        id=f"{place[0]}-{place[1]}.{place[2]}",
        conversation=conversation,
        reason=fields[b"reason"].decode(),
        detail=load_text(fields[b"detail"]),
        tries=int(fields[b"tries"]),
        first_at=from_millis(fields[b"since"]),
        parked_at=from_millis(place[0]),
        messages=load_messages(fields[b"messages"]),
        reply=load_stored(reply, json.loads(fields[b"parts"]), fields[b"fallback"], conversation)
        if reply
        else None,
    )
