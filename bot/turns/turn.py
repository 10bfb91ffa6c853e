"""One turn: from a claimed ticket to a settled, postponed or parked one.

claim → answer (unless an earlier try stored one) → commit → send each part → settle. Nothing here loops on a
failure: a temporary refusal gives the ticket back with a delay, so that no lease is ever held while waiting.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.channel import Channel
from adapters.values import Message, Part, Reply, reply_key
from bot import metrics
from bot.logs import log
from bot.turns import phrases
from bot.turns.delivery import Delivery
from bot.turns.endings import Endings, stored
from bot.turns.reminders import is_reminder
from bot.turns.rules import TurnRules
from inference.assistant import Assistant
from inference.language import handover_line, language
from inference.values import Answer, ChatMessage, Customer, Question, Source
from sessions.codec import digest
from sessions.inbox import HistoryEntry, Inbox, PartRecord, PartState, StoredReply, Turn

REPEATED_WITHIN = timedelta(minutes=30)
"""WeCom's duplicate check swallows an identical body for this long (WeCom sheet §3.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is to be said, before the channel shapes it: the *reminders* that are due, then the answer. *fallback*:
    why it is not what the model would say. *pending*: what the customer is asked to confirm. *acted*: something was
    changed on the way, so the turn is not asked anew, and what arrived meanwhile has to wait for the next."""

    text: str = ""
    reminders: tuple[str, ...] = ()
    fresh: bool = False
    fallback: str = ""
    pending: str = ""
    acted: bool = False


class TurnEngine:
    """Runs turns; thread-safe, one instance a worker process."""

    def __init__(
        self,
        inbox: Inbox,
        channels: Mapping[str, Channel[Any]],
        assistants: Mapping[str, Assistant],
        rules: TurnRules,
        *,
        announce: Callable[[Channel[Any], Message], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._inbox = inbox
        self._endings = Endings(inbox)
        self._channels = channels
        self._assistants = assistants
        self._rules = rules
        self._announce = announce
        self._now = now

    def run(self, turn: Turn) -> None:
        """Takes a claimed turn as far as it goes now. Raises LeaseLost and StoreDown: the turn comes again."""
        channel = self._channels.get(turn.id.channel)
        if channel is None:
            next_step = "no channel of this name is configured any more: add it again, then redrive"
            self._endings.park(turn, "channel_missing", next_step)
        elif turn.abandoned >= self._rules.abandonments:
            workers = f"{turn.abandoned} workers in a row stopped over this turn without a word"
            self._endings.park(turn, "poison", workers)
        elif turn.stored is not None:
            self._deliver(turn, channel, turn.stored, committed_now=False)
        elif self._too_old(turn, channel):
            self._endings.park(
                turn, "too_old", "the message came days late: answer it by hand, if it still matters"
            )
        elif self._reminds_in_vain(turn, channel):
            next_step = "the platform's reply window is closed: set reminder_template, where the platform has one"
            self._endings.park(turn, "window_closed", next_step)
        else:
            if said := _said(turn.messages):
                self._announce(channel, said[-1])
            self._deliver(turn, channel, self._answer(turn, channel), committed_now=True)

    def _deliver(self, turn: Turn, channel: Channel[Any], stored: StoredReply, *, committed_now: bool) -> None:
        delivery = Delivery(self._inbox, self._rules, self._now, turn, channel, stored)
        delivery.run(committed_now=committed_now)

    def _too_old(self, turn: Turn, channel: Channel[Any]) -> bool:
        newest = max((message.sent_at for message in _said(turn.messages)), default=self._now())
        return channel.oldest_message is not None and self._now() - newest > channel.oldest_message

    def _reminds_in_vain(self, turn: Turn, channel: Channel[Any]) -> bool:
        """A template carries reminders out of the window, but no answer."""
        only_reminders = not _said(turn.messages)
        return (
            only_reminders and not channel.reminder_template and self._window_closed(turn, turn.messages, channel)
        )

    def _window_closed(self, turn: Turn, messages: Sequence[Message], channel: Channel[Any]) -> bool:
        """Whether the customer was heard too long ago. A reminder bears the time of the words that asked for it."""
        remembered = (entry.at for entry in turn.conversation.history if entry.role == "user")
        newest = max((*(message.sent_at for message in messages), *remembered))
        return channel.reply_window is not None and self._now() - newest > channel.reply_window

    def _answer(self, turn: Turn, channel: Channel[Any]) -> StoredReply:
        """Asks until no further message arrived meanwhile (or often enough), and commits."""
        messages: Sequence[Message] = turn.messages
        for asked in range(self._rules.gathers + 1):
            draft = self._draft(turn, channel, messages)
            reply = self._shape(turn, channel, messages, draft)
            late = self._commit(
                turn, messages, draft, reply, gather=not draft.acted and asked < self._rules.gathers
            )
            if not late:
                return reply
            log("turn_extended", conversation=turn.id.label, messages=len(late))
            messages = late
        raise AssertionError("a commit that may not gather always commits")

    def _commit(
        self, turn: Turn, messages: Sequence[Message], draft: Draft, reply: StoredReply, *, gather: bool
    ) -> Sequence[Message]:
        """What arrived meanwhile, if the turn may gather it; none: the reply is stored. A commit that gathers is
        not made again when its answer was lost: it may have pinned messages that the reply never saw."""
        exchange = _exchange(turn, messages, draft, reply.reply.key)

        def commit() -> Sequence[Message]:
            return self._inbox.commit(turn, reply, exchange, fresh=draft.fresh, gather=gather)

        return commit() if gather else stored(turn.lease, commit)

    def _draft(self, turn: Turn, channel: Channel[Any], messages: Sequence[Message]) -> Draft:
        """Reminders are fixed words, and no question to the model."""
        said = _said(messages)
        draft = self._reply(turn, channel, said) if said else Draft()
        return replace(draft, reminders=tuple(message.text for message in messages if is_reminder(message)))

    def _reply(self, turn: Turn, channel: Channel[Any], messages: Sequence[Message]) -> Draft:
        fresh, asked = _since_new_conversation(messages)
        written = [message for message in asked if message.text.strip()]
        lang = language(_texts(messages))
        if fresh and not asked:
            return Draft(text=phrases.new_conversation(lang), fresh=True)
        if not written:
            return Draft(text=phrases.only_media(lang), fresh=fresh)
        answer = self._ask(turn, channel, written, fresh=fresh)
        fallback = answer.degraded if answer.source is Source.HANDOVER else ""
        return Draft(text=answer.text, fresh=fresh, fallback=fallback, pending=answer.pending, acted=answer.acted)

    def _ask(self, turn: Turn, channel: Channel[Any], written: Sequence[Message], *, fresh: bool) -> Answer:
        """Asks the assistant. Several people's words have no one customer behind them, and so no tool."""
        history = () if fresh else turn.conversation.history
        senders = {message.sender for message in written}
        started = time.monotonic()
        answer = self._assistants[channel.settings.assistant].answer(
            Question(
                conversation=turn.id.key,
                history=[ChatMessage(role=entry.role, content=entry.content) for entry in history],
                texts=[message.text.strip() for message in written],
                now=self._now(),
                deadline=self._rules.deadline,
                turn=reply_key(turn.messages[0]),
                customer=Customer(channel=turn.id.channel, account=turn.id.account, user=senders.pop())
                if len(senders) == 1
                else None,
                pending=history[-1].pending if history else "",
                sent_at=written[0].sent_at,
                origin=written[-1],
            )
        )
        metrics.answer_seconds.labels(source=answer.source.value).observe(time.monotonic() - started)
        if answer.degraded:
            log("model_unavailable", conversation=turn.id.label, reason=answer.degraded, source=answer.source.value)
        return answer

    def _shape(self, turn: Turn, channel: Channel[Any], messages: Sequence[Message], draft: Draft) -> StoredReply:
        """The draft in the channel's dialect and limits, its first part marked as being sent."""
        now = self._now()
        late = not _said(messages) and self._window_closed(turn, messages, channel)
        template = channel.reminder_template if late else ""
        texts = [*_reminded(draft, channel, template), *_answered(draft, channel, messages)]
        said = {name for name, at in turn.conversation.recent.items() if now - at < REPEATED_WITHIN}
        parts = tuple(
            Part(text=text, repeated=digest(text) in said or text in texts[:index], template=template)
            for index, text in enumerate(texts)
        )
        waiting = PartRecord(state=PartState.WAITING, at=now)
        first = PartRecord(state=PartState.SENDING, at=now, sends=1)
        return StoredReply(
            reply=Reply(key=reply_key(messages[0]), conversation=turn.id, parts=parts, route=_way(messages)),
            records=(first, *[waiting] * (len(parts) - 1)) if parts else (),
            fallback=draft.fallback,
        )


def _texts(messages: Sequence[Message]) -> list[str]:
    return [message.text for message in messages]


def _said(messages: Sequence[Message]) -> Sequence[Message]:
    """What the customer wrote: all but the reminders."""
    return [message for message in messages if not is_reminder(message)]


def _way(messages: Sequence[Message]) -> Mapping[str, str]:
    """The route of the newest words of the customer, else that of the reminder."""
    return (_said(messages) or messages)[-1].route


def _reminded(draft: Draft, channel: Channel[Any], template: str) -> list[str]:
    """The due reminders; a template has words of its own around each."""
    if template:
        return list(draft.reminders)
    phrased = [phrases.reminder(language([text]), text) for text in draft.reminders]
    return [part for phrase in phrased for part in channel.compose(phrase)]


def _answered(draft: Draft, channel: Channel[Any], messages: Sequence[Message]) -> Sequence[str]:
    if draft.reminders and not draft.text:
        return ()
    return channel.compose(draft.text) or channel.compose(handover_line(_texts(messages)))


def _since_new_conversation(messages: Sequence[Message]) -> tuple[bool, Sequence[Message]]:
    """Whether the customer asked for a new conversation, and the messages that came after that."""
    for index in range(len(messages) - 1, -1, -1):
        if phrases.asks_for_a_new_conversation(messages[index].text):
            return True, messages[index + 1 :]
    return False, messages


def _exchange(turn: Turn, messages: Sequence[Message], draft: Draft, key: str) -> list[HistoryEntry]:
    """What the conversation remembers of this turn. A redriven message is remembered already."""
    reminded = [
        HistoryEntry(
            role="assistant", content=phrases.reminder(language([text]), text), at=messages[-1].sent_at, key=key
        )
        for text in draft.reminders
    ]
    fresh, asked = _since_new_conversation(_said(messages))
    if not asked:
        return reminded
    known = set() if fresh else {entry.key for entry in turn.conversation.history}
    said = [
        HistoryEntry(role="user", content=message.text, at=message.sent_at, key=message.key)
        for message in asked
        if message.key not in known and message.text.strip()
    ]
    answer = HistoryEntry(
        role="assistant", content=draft.text, at=asked[-1].sent_at, key=key, pending=draft.pending
    )
    return [*reminded, *said, answer]
