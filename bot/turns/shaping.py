"""A draft in the channel's dialect and limits, as it is stored before the first byte goes out."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from adapters.channel import Channel
from adapters.values import Message, Part, Reply, reply_key
from bot.turns import phrases
from bot.turns.content import content
from bot.turns.draft import Draft, said
from inference.language import handover_line, language
from sessions.codec import part_digest
from sessions.inbox import PartRecord, PartState, StoredReply, Turn

REPEATED_WITHIN = timedelta(minutes=30)
"""WeCom's duplicate check swallows an identical body for this long (WeCom sheet §3.3)."""


def window_closed(turn: Turn, messages: Sequence[Message], channel: Channel[Any], now: datetime) -> bool:
    """Whether the customer was heard too long ago. A reminder bears the time of the words that asked for it."""
    remembered = (entry.at for entry in turn.conversation.history if entry.role == "user")
    newest = max((*(message.sent_at for message in messages), *remembered))
    return channel.reply_window is not None and now - newest > channel.reply_window


def shaped(
    turn: Turn,
    channel: Channel[Any],
    messages: Sequence[Message],
    draft: Draft,
    *,
    now: datetime,
    hosts: Collection[str],
) -> StoredReply:
    """The reply, its first part marked as being sent."""
    late = not said(messages) and window_closed(turn, messages, channel, now)
    template = channel.reminder_template if late else ""
    parts = [*_reminded(draft, channel, template), *_answered(draft, channel, messages, hosts)]
    marked = tuple(_marked(parts, turn.conversation.recent, now))
    waiting = PartRecord(state=PartState.WAITING, at=now)
    first = PartRecord(state=PartState.SENDING, at=now, sends=1)
    return StoredReply(
        reply=Reply(key=reply_key(messages[0]), conversation=turn.id, parts=marked, route=_way(messages)),
        records=(first, *[waiting] * (len(marked) - 1)) if marked else (),
        fallback=draft.fallback,
    )


def _marked(parts: Sequence[Part], recent: Mapping[str, datetime], now: datetime) -> Iterator[Part]:
    """Each part, and whether it repeats one that went to this conversation a short while ago."""
    known = {name for name, at in recent.items() if now - at < REPEATED_WITHIN}
    for part in parts:
        name = part_digest(part)
        yield replace(part, repeated=name in known)
        known.add(name)


def _way(messages: Sequence[Message]) -> Mapping[str, str]:
    """The route of the newest words of the customer, else that of the reminder."""
    return (said(messages) or messages)[-1].route


def _reminded(draft: Draft, channel: Channel[Any], template: str) -> list[Part]:
    """The due reminders; a template has words of its own around each."""
    if template:
        return [Part(text=text, template=template) for text in draft.reminders]
    phrased = [phrases.reminder(language([text]), text) for text in draft.reminders]
    return [Part(text=text) for phrase in phrased for text in channel.compose(phrase)]


def _answered(
    draft: Draft, channel: Channel[Any], messages: Sequence[Message], hosts: Collection[str]
) -> Sequence[Part]:
    if draft.reminders and not draft.text:
        return ()
    prompt = phrases.choose(draft.lang)
    answered = channel.parts(content(draft.text, draft.choices, hosts=hosts, prompt=prompt))
    if answered:
        return answered
    line = handover_line([message.text for message in messages])
    return [Part(text=text) for text in channel.compose(line)]
