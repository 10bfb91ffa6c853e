"""What a customer's message replies to: without it nobody knows which of five orders "this one" is."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from adapters.channel import Channel
from adapters.values import LONGEST_ID, Message
from bot.turns import phrases
from bot.turns.hearing import Heard
from sessions.inbox import HistoryEntry

LONGEST_QUOTE = 500
"""Characters. The message itself is what is to be answered."""


def with_quote(heard: Heard, channel: Channel[Any], history: Sequence[HistoryEntry], lang: str) -> Heard:
    """*heard* with the words that it replies to, where they are known. A message without words of its own asks
    about those."""
    words = " ".join(_quoted(heard.message, channel, history).split())
    if not words:
        return heard
    line = phrases.in_reply_to(lang, words if len(words) <= LONGEST_QUOTE else f"{words[:LONGEST_QUOTE]}…")
    alone = not (heard.text or heard.message.media)
    return replace(
        heard,
        text=line if alone else heard.text,
        quoted="" if alone else line,
        remembered="\n".join(filter(None, [line, heard.remembered])),
    )


def _quoted(message: Message, channel: Channel[Any], history: Sequence[HistoryEntry]) -> str:
    """The words that *message* quotes. Where a platform gives the other message's id, only the customer's own
    earlier words are known by it: which of ours it is, the platform alone knows."""
    if not channel.quotes_by_id:
        return message.quoted
    if not 0 < len(message.quoted) <= LONGEST_ID:
        return ""
    key = replace(message, id=message.quoted).key
    return next((entry.content for entry in history if entry.key == key), "")
