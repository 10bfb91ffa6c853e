"""Reminders: messages that the desk puts into a conversation itself, to be said when they are due."""

from datetime import datetime

from adapters.values import Message
from sessions.schedule import Schedule

KIND = "reminder"
_ID = "reminder:"


class Reminders:
    """What the tool `set_reminder` is lent (:class:`inference.tools.reminder.Remind`)."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule

    def remind(self, origin: object, *, text: str, due: datetime, name: str) -> bool:
        """*origin* is the customer's message that asked for it: the reminder goes the same way, and its `sent_at`
        is when the customer was heard last, for platforms that let nobody write who was not."""
        if not isinstance(origin, Message):
            raise TypeError("a reminder needs the customer's message that asked for it")
        message = Message(
            id=f"{_ID}{name}",
            conversation=origin.conversation,
            sender=origin.sender,
            text=text,
            sent_at=origin.sent_at,
            kind=KIND,
            route=origin.route,
        )
        return self._schedule.schedule(message, due=due, name=name)


def is_reminder(message: Message) -> bool:
    """Both: a platform may one day have a type of that name."""
    return message.kind == KIND and message.id.startswith(_ID)
