"""From a turn's messages to a draft: what was heard, what it means, what the assistant says to it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from adapters.channel import Channel
from adapters.values import Message, reply_key
from bot import metrics
from bot.logs import log
from bot.turns import phrases
from bot.turns.choosing import meant, offered
from bot.turns.draft import Draft, language_of, said, since_new_conversation
from bot.turns.hearing import Heard, Hearing, Senses, all_missed, line_for, pictures, recalled
from bot.turns.quoting import with_quote
from bot.turns.reminders import is_reminder
from inference.assistant import Assistant
from inference.values import Answer, ChatMessage, Customer, Question, Show, Source
from sessions.inbox import HistoryEntry, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """Who answers for a channel, and what it can take in."""

    assistant: Assistant
    senses: Senses = field(default_factory=Senses)


class Drafting:
    """Drafts the reply of one turn, again when more messages arrived."""

    def __init__(
        self, turn: Turn, channel: Channel[Any], voice: Voice, *, deadline: timedelta, now: Callable[[], datetime]
    ) -> None:
        self._turn = turn
        self._assistant = voice.assistant
        self._senses = voice.senses
        self._channel = channel
        self._hearing = Hearing(channel, voice.senses)
        self._id = turn.id
        self._deadline = deadline
        self._now = now

    def draft(self, messages: Sequence[Message], show: Show | None) -> Draft:
        """Reminders are fixed words, and no question to the model. *show* is told the answer while it grows."""
        told = said(messages)
        with self._senses.holding(told):
            draft = self._reply(told, show) if told else Draft()
        return replace(draft, reminders=tuple(message.text for message in messages if is_reminder(message)))

    def _reply(self, messages: Sequence[Message], show: Show | None) -> Draft:
        fresh, asked = since_new_conversation(messages)
        lang = language_of(self._turn, messages)
        if fresh and not asked:
            return Draft(text=phrases.new_conversation(lang), fresh=True)
        history = () if fresh else self._turn.conversation.history
        titles = offered(history)
        understood = (recalled(one, meant(one.text, titles)) for one in self._hearing.hear(asked, lang))
        heard = tuple(with_quote(one, self._channel, history, lang) for one in understood)
        written = [one for one in heard if one.text]
        line = line_for(all_missed(heard), lang, words=bool(written))
        if not written:
            return Draft(text=line or phrases.only_media(lang), heard=heard, lang=lang, fresh=fresh)
        answer = self._ask(written, history, show)
        return Draft(
            text=f"{answer.text}\n\n{line}" if line else answer.text,
            heard=heard,
            lang=lang,
            fresh=fresh,
            fallback=answer.degraded if answer.source is Source.HANDOVER else "",
            pending=answer.pending,
            choices=answer.choices,
            acted=answer.acted,
        )

    def _ask(self, written: Sequence[Heard], history: Sequence[HistoryEntry], show: Show | None) -> Answer:
        """Asks the assistant. Several people's words have no one customer behind them, and so no tool."""
        senders = {one.message.sender for one in written}
        started = time.monotonic()
        answer = self._assistant.answer(
            Question(
                conversation=self._id.key,
                history=[ChatMessage(role=entry.role, content=entry.content) for entry in history],
                texts=[one.text for one in written],
                quotes=[one.quoted for one in written if one.quoted],
                now=self._now(),
                deadline=self._deadline,
                turn=reply_key(self._turn.messages[0]),
                customer=Customer(channel=self._id.channel, account=self._id.account, user=senders.pop())
                if len(senders) == 1
                else None,
                pending=history[-1].pending if history else "",
                sent_at=written[0].message.sent_at,
                origin=written[-1].message,
                pictures=tuple(pictures(written)),
                show=show,
            )
        )
        metrics.answer_seconds.labels(source=answer.source.value).observe(time.monotonic() - started)
        if answer.degraded:
            log(
                "model_unavailable", conversation=self._id.label, reason=answer.degraded, source=answer.source.value
            )
        return answer


Voices = Mapping[str, Voice]
"""By the assistant's name."""
