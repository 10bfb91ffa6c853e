"""What goes by a long connection, as journal entries beside the webhooks and the calls."""

import json
from datetime import datetime, timedelta
from typing import Any

from bot.sandbox.simulator.journal import Call, Webhook


def to_bot(
    what: str, message_id: str, topic: str, data: Any, *, at: datetime, took: timedelta, answer: bytes, error: str
) -> Webhook:
    """A frame of the platform; *answer* is the bot's acknowledgement, where there is one."""
    return Webhook(
        what=what,
        message_id=message_id,
        attempt=1,
        method="FRAME",
        url=topic,
        headers={},
        body=json.dumps(data, ensure_ascii=False).encode("utf-8", "replace"),
        clear="",
        status=0 if error else 200,
        answer=answer,
        error=error,
        at=at,
        elapsed=took,
    )


def of_bot(command: str, data: Any, answer: Any, *, at: datetime, took: timedelta, reason: str) -> Call:
    """A frame of the bot, and what the platform answers."""
    return Call(
        method="FRAME",
        path=command,
        query="",
        headers={},
        body=json.dumps(data, ensure_ascii=False).encode("utf-8", "replace"),
        endpoint=command,
        status=200,
        answer=json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace"),
        reason=reason,
        remarks=(),
        at=at,
        elapsed=took,
    )
