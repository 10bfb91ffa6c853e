"""What is to be said in a turn, before the channel shapes it; and which of its messages say what."""

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.values import Message
from bot.turns import phrases
from bot.turns.hearing import Heard
from bot.turns.reminders import is_reminder
from inference.language import language
from sessions.inbox import HistoryEntry, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The *reminders* that are due, then the answer to what was *heard*. *fallback*: why it is not what the model
    would say. *pending*: what the customer is asked to confirm; *choices*: the titles that they may tap. *acted*:
    something was changed on the way, so the turn is not asked anew, and what arrived meanwhile has to wait for the
    next."""

    text: str = ""
    reminders: tuple[str, ...] = ()
    heard: tuple[Heard, ...] = ()
    lang: str = "en"
    fresh: bool = False
    fallback: str = ""
    pending: str = ""
    choices: tuple[str, ...] = ()
    acted: bool = False


def said(messages: Sequence[Message]) -> Sequence[Message]:
    """What the customer wrote: all but the reminders."""
    return [message for message in messages if not is_reminder(message)]


def since_new_conversation(messages: Sequence[Message]) -> tuple[bool, Sequence[Message]]:
    """Whether the customer asked for a new conversation, and the messages that came after that."""
    for index in range(len(messages) - 1, -1, -1):
        if phrases.asks_for_a_new_conversation(messages[index].text):
            return True, messages[index + 1 :]
    return False, messages


def language_of(turn: Turn, messages: Sequence[Message]) -> str:
    """That of the newest words; a picture alone is answered in the language of the talk before it."""
    remembered = [entry.content for entry in turn.conversation.history if entry.role == "user"]
    return language([*remembered, *(message.text for message in messages)])


def exchange(turn: Turn, messages: Sequence[Message], draft: Draft, key: str) -> list[HistoryEntry]:
    """What the conversation remembers of this turn."""
    reminded = [
        HistoryEntry(
            role="assistant", content=phrases.reminder(language([text]), text), at=messages[-1].sent_at, key=key
        )
        for text in draft.reminders
    ]
    if not draft.heard:
        return reminded
    answer = HistoryEntry(
        role="assistant",
        content=draft.text,
        at=draft.heard[-1].message.sent_at,
        key=key,
        pending=draft.pending,
        choices=draft.choices,
    )
    return [*reminded, *remembered(turn, draft.heard, fresh=draft.fresh), answer]


def remembered(turn: Turn, heard: Sequence[Heard], *, fresh: bool = False) -> list[HistoryEntry]:
    """The customer's side. A redriven message is remembered already."""
    known = set() if fresh else {entry.key for entry in turn.conversation.history}
    return [
        HistoryEntry(role="user", content=one.remembered, at=one.message.sent_at, key=one.message.key)
        for one in heard
        if one.message.key not in known and one.remembered.strip()
    ]
