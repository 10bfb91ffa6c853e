"""The built-in tool `set_reminder`: the desk writes to the customer again, at a time that the customer named."""

from datetime import datetime, timedelta
from typing import Protocol

from inference.tools.schema import Schema
from inference.tools.tool import Act, Arguments, Occasion, ToolFailed

SOONEST = timedelta(0)
LATEST = timedelta(days=30)
LONGEST_TEXT = 300

DESCRIPTION = (
    "Send this customer a reminder at a later time, in this chat. Only when the customer asks for it and names the "
    "time; ask for what is missing. The result says whether it is set."
)
SCHEMA = Schema.of(
    text={
        "type": "string",
        "minLength": 1,
        "maxLength": LONGEST_TEXT,
        "description": "What to remind of, in the customer's language, without the time",
    },
    time={
        "type": "string",
        "maxLength": 40,
        "description": "When, as ISO 8601 with the UTC offset, such as 2026-11-20T17:30:00+08:00; within 30 days",
    },
)


class Remind(Protocol):
    """What the desk lends the tool. False: a reminder of that *name* is set already in this conversation."""

    def __call__(self, origin: object, *, text: str, due: datetime, name: str) -> bool: ...


def act_with(remind: Remind) -> Act:
    def act(arguments: Arguments, occasion: Occasion) -> object:
        due = _due(arguments["time"], occasion.now)
        text = " ".join(arguments["text"].split())
        if not text:
            raise ToolFailed("the text of the reminder is empty", outcome="invalid")
        new = remind(occasion.origin, text=text, due=due, name=occasion.key)
        return {"set": True, "time": due.isoformat(), "text": text, **({} if new else {"note": "was set already"})}

    return act


def _due(given: str, now: datetime) -> datetime:
    """In the zone that the model named. Raises :class:`ToolFailed`, with the present time where that helps."""
    try:
        due = datetime.fromisoformat(given)
        ahead = due - now if due.tzinfo else None
    except (ValueError, OverflowError):
        raise ToolFailed("the time is not ISO 8601, such as 2026-11-20T17:30:00+08:00", outcome="invalid") from None
    if ahead is None:
        raise ToolFailed("the time has no UTC offset; add one, such as +08:00", outcome="invalid")
    if ahead <= SOONEST:
        raise ToolFailed(f"the time is past; it is {now.isoformat(timespec='seconds')} now", outcome="invalid")
    if ahead > LATEST:
        raise ToolFailed(f"the time is more than {LATEST.days} days ahead", outcome="invalid")
    return due
