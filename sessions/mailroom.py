"""Where messages come in: each once, in order, and never without a ticket."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from adapters.values import ConversationId, Message
from sessions import codec
from sessions.inbox import Verdict
from sessions.keys import Keys
from sessions.memory_state import Memory
from sessions.scripts import ACCEPT, ACCEPT_PAGE, Call
from sessions.store import RedisStore, Word

Bookmark = tuple[str, str]

_VERDICTS = {1: Verdict.NEW, 0: Verdict.DUPLICATE, -1: Verdict.FULL}


class RedisMailroom:
    """`accept` and `bookmark` of `sessions.inbox.Inbox`."""

    def __init__(self, store: RedisStore, keys: Keys, *, mailbox_limit: int) -> None:
        self._store = store
        self._keys = keys
        self._mailbox_limit = mailbox_limit

    def accept(
        self, messages: Sequence[Message], horizon: timedelta, bookmark: Bookmark | None
    ) -> Sequence[Verdict]:
        places: dict[ConversationId, list[int]] = defaultdict(list)
        for place, message in enumerate(messages):
            places[message.conversation].append(place)
        if bookmark is not None:
            call = self._page(messages, list(places), horizon, bookmark)
            return [_VERDICTS[verdict] for verdict in self._store.run(call.script, call.keys, call.args)]
        calls = [self._accept([messages[i] for i in group], horizon) for group in places.values()]
        verdicts = dict[int, Verdict]()
        for group, results in zip(places.values(), self._store.run_all(calls), strict=True):
            verdicts.update(zip(group, (_VERDICTS[result] for result in results), strict=True))
        return [verdicts[place] for place in range(len(messages))]

    def _accept(self, messages: Sequence[Message], horizon: timedelta) -> Call:
        conversation = messages[0].conversation.key
        shard = self._keys.of(conversation)
        keys = [shard.mail(conversation), shard.turn(conversation), shard.ready]
        return Call(
            ACCEPT,
            [*keys, *(shard.seen(message.key) for message in messages)],
            [conversation, self._mailbox_limit, max(1, codec.millis(horizon)), *map(codec.dump_message, messages)],
        )

    def _page(
        self,
        messages: Sequence[Message],
        conversations: Sequence[ConversationId],
        horizon: timedelta,
        bookmark: Bookmark,
    ) -> Call:
        name, value = bookmark
        keys = [self._keys.of(name).bookmark(name)]
        args: list[Word] = [value, self._mailbox_limit, max(1, codec.millis(horizon)), len(conversations)]
        for conversation in conversations:
            shard = self._keys.home(conversation)
            keys += [shard.mail(conversation.key), shard.turn(conversation.key), shard.ready]
            args.append(conversation.key)
        numbers = {conversation: number for number, conversation in enumerate(conversations, 1)}
        for message in messages:
            keys.append(self._keys.home(message.conversation).seen(message.key))
            args += [numbers[message.conversation], codec.dump_message(message)]
        return Call(ACCEPT_PAGE, keys, args)

    def bookmark(self, name: str) -> str:
        stored = self._store.command("GET", self._keys.of(name).bookmark(name))
        return "" if stored is None else str(stored, "utf-8")


class MemoryMailroom:
    """The twin."""

    def __init__(self, memory: Memory, *, mailbox_limit: int) -> None:
        self._memory = memory
        self._mailbox_limit = mailbox_limit

    def accept(
        self, messages: Sequence[Message], horizon: timedelta, bookmark: Bookmark | None
    ) -> Sequence[Verdict]:
        with self._memory.changed:
            if bookmark is None:
                return [self._accept(message, horizon, full=self._is_full(message)) for message in messages]
            refused = [Verdict.DUPLICATE if self._is_known(message) else Verdict.FULL for message in messages]
            fits = not any(
                verdict is Verdict.FULL and self._is_full(message)
                for verdict, message in zip(refused, messages, strict=True)
            )
            if not fits:
                return refused
            self._memory.bookmarks[bookmark[0]] = bookmark[1]
            return [self._accept(message, horizon, full=False) for message in messages]

    def _accept(self, message: Message, horizon: timedelta, *, full: bool) -> Verdict:
        memory = self._memory
        if self._is_known(message):
            return Verdict.DUPLICATE
        if full:
            return Verdict.FULL
        memory.seen[message.key] = memory.clock() + horizon
        memory.mail.setdefault(message.conversation, []).append(message)
        memory.make_sure_of_ticket(message.conversation)
        return Verdict.NEW

    def _is_known(self, message: Message) -> bool:
        seen_until = self._memory.seen.get(message.key)
        return seen_until is not None and self._memory.clock() < seen_until

    def _is_full(self, message: Message) -> bool:
        return len(self._memory.mail.get(message.conversation, ())) >= self._mailbox_limit

    def bookmark(self, name: str) -> str:
        with self._memory.changed:
            return self._memory.bookmarks.get(name, "")
