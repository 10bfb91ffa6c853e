"""What the platform tells the bot of the bot's own messages: sent, delivered, read, failed (§2.5)."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.sandbox.whatsapp.people import Person

FREE_REPLIES = 1000
"""Delivered a number and month, then they cost (§4.2)."""


@dataclass(slots=True, kw_only=True)
class Habits:
    """How the statuses of an accepted message come. *off*: never; *reads*: the customer looks at the chat;
    *early*: `sent` before the answer to the send; *skips*: `read` without `delivered`; *fails*: the code of a
    failure that is told after the message was accepted, 0: none."""

    off: bool = False
    reads: bool = False
    early: bool = False
    skips: bool = False
    fails: int = 0

    def states(self) -> tuple[str, ...]:
        if self.fails:
            return ("sent", "failed")
        if not self.reads:
            return ("sent", "delivered")
        return ("sent", "read") if self.skips else ("sent", "delivered", "read")


@dataclass(slots=True)
class Pricing:
    """Counts what was delivered; the first thousand service messages are free (§4.2)."""

    _delivered: int = 0
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def next(self, *, template: bool) -> dict[str, Any]:
        category = "utility" if template else "service"
        with self._guard:
            self._delivered += not template
            free = not template and self._delivered <= FREE_REPLIES
        kind = "free_customer_service" if free else "regular"
        return {"billable": not free, "pricing_model": "PMP", "type": kind, "category": category}


def status(
    message_id: str,
    state: str,
    person: Person,
    *,
    at: int,
    key: str = "",
    pricing: Mapping[str, Any] | None = None,
    error: int = 0,
) -> dict[str, Any]:
    """One entry of `statuses[]`; *at* in Unix seconds. A failed one names no user id (§2.4)."""
    told: dict[str, Any] = {"id": message_id, "status": state, "timestamp": str(at)}
    if person.wa_id:
        told["recipient_id"] = person.wa_id
    if person.user_id and state != "failed":
        told["recipient_user_id"] = person.user_id
    if key:
        told["biz_opaque_callback_data"] = key
    if pricing and state in ("sent", "delivered"):
        told["pricing"] = dict(pricing)
    if state == "failed":
        told["errors"] = [{"code": error, "title": "played failure", "message": "played failure"}]
    return told
