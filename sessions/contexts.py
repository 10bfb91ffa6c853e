"""What is known of a conversation beside its messages: its history, the texts sent lately, a human's pause."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

from adapters.values import ConversationId, Part
from sessions import codec
from sessions.inbox import Conversation, HistoryEntry
from sessions.keys import Keys
from sessions.limits import HISTORY_LENGTH, RECENT_FOR
from sessions.memory_state import Context, Memory
from sessions.scripts import ADOPT
from sessions.store import RedisStore, pairs


class RedisContexts:
    """`pause`, `resume` and `adopt` of `sessions.inbox.Inbox`."""

    def __init__(self, store: RedisStore, keys: Keys) -> None:
        self._store = store
        self._keys = keys

    def pause(self, conversation: ConversationId, for_: timedelta) -> None:
        self._store.command("SET", self._pause(conversation), "1", "PX", max(1, codec.millis(for_)))

    def resume(self, conversation: ConversationId) -> None:
        self._store.command("DEL", self._pause(conversation))

    def _pause(self, conversation: ConversationId) -> str:
        return self._keys.home(conversation).pause(conversation.key)

    def adopt(self, old: ConversationId, new: ConversationId) -> None:
        if old != new:
            self._store.run(ADOPT, [*self._known(old), *self._known(new)], [])

    def _known(self, conversation: ConversationId) -> list[str]:
        shard, name = self._keys.home(conversation), conversation.key
        return [shard.conversation(name), shard.recent(name), shard.pause(name)]


def load_conversation(stored: Sequence[bytes], recent: Sequence[bytes]) -> Conversation:
    """From the list and the sorted set that a claim reads."""
    session, *history = stored or (str(uuid4()).encode(),)
    sent = {digest.decode(): codec.from_millis(at) for digest, at in pairs(recent).items()}
    return Conversation(session=session.decode(), history=tuple(map(codec.load_entry, history)), recent=sent)


class MemoryContexts:
    """The twin; the caller of what it does not name above holds the memory's lock."""

    def __init__(self, memory: Memory, *, session_ttl: timedelta) -> None:
        self._memory = memory
        self._session_ttl = session_ttl

    def pause(self, conversation: ConversationId, for_: timedelta) -> None:
        with self._memory.changed:
            self._memory.paused[conversation] = self._memory.clock() + for_

    def resume(self, conversation: ConversationId) -> None:
        with self._memory.changed:
            self._memory.paused.pop(conversation, None)

    def adopt(self, old: ConversationId, new: ConversationId) -> None:
        if old != new:
            with self._memory.changed:
                self._adopt(old, new)

    def _adopt(self, old: ConversationId, new: ConversationId) -> None:
        memory = self._memory
        if self._alive(old) and not self._alive(new):
            memory.contexts[new] = memory.contexts.pop(old)
        if sent := memory.recent.pop(old, None):
            known = memory.recent.setdefault(new, {})
            known.update({text: max(at, known.get(text, at)) for text, at in sent.items()})
        if until := memory.paused.pop(old, None):
            memory.paused[new] = max(until, memory.paused.get(new, until))

    def is_paused(self, conversation: ConversationId) -> bool:
        until = self._memory.paused.get(conversation)
        return until is not None and self._memory.clock() < until

    def known(self, conversation: ConversationId) -> Conversation:
        """As a claim finds it; its session's time starts anew."""
        memory, now = self._memory, self._memory.clock()
        sent = memory.recent.get(conversation, {})
        recent = {text: at for text, at in sent.items() if now - at <= RECENT_FOR}
        context = self._alive(conversation)
        if context is None:
            return Conversation(session=str(uuid4()), recent=recent)
        context.expires_at = now + self._session_ttl
        found = context.conversation
        return Conversation(session=found.session, history=found.history, recent=recent)

    def note_sent(self, conversation: ConversationId, parts: Sequence[Part]) -> None:
        now = self._memory.clock()
        sent = self._memory.recent.setdefault(conversation, {})
        sent.update((codec.part_digest(part), now) for part in parts)

    def remember(
        self, conversation: ConversationId, exchange: Sequence[HistoryEntry], *, session: str, fresh: bool = False
    ) -> None:
        """*session* names the context if there is none, or a *fresh* one."""
        context, history = self._alive(conversation), tuple[HistoryEntry, ...]()
        if context is not None and not fresh:
            session, history = context.conversation.session, context.conversation.history
        kept = (*history, *exchange)[-HISTORY_LENGTH:]
        expires_at = self._memory.clock() + self._session_ttl
        self._memory.contexts[conversation] = Context(Conversation(session=session, history=kept), expires_at)

    def _alive(self, conversation: ConversationId) -> Context | None:
        context = self._memory.contexts.get(conversation)
        return context if context and context.expires_at > self._memory.clock() else None
