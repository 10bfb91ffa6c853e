"""What became of our replies, and faults of the whole number (sheet §2.5).

Statuses are handed on as they come, in any order: the store keeps the highest.
"""

import re
from collections.abc import Iterator

from adapters.payload import Json, at, objects, text
from adapters.values import Control, DeliveryState, Event, StatusUpdate
from adapters.whatsapp.errors import rule, said
from adapters.whatsapp.source import Source, first_code, word

_STATES = {state.value: state for state in DeliveryState}
_WORD = re.compile(r"[a-z_]{1,40}")


def statuses(source: Source, value: Json) -> Iterator[Event]:
    for item in objects(value, "statuses"):
        source.people.see(text(item, "recipient_id"), text(item, "recipient_user_id"))
        yield from status(source, item)


def status(source: Source, item: Json) -> Iterator[Event]:
    """The platform's word on a message of ours; our key comes back as `biz_opaque_callback_data`. A failure that
    would meet every message stops the number, as it does when it comes with the send's own answer."""
    state = _STATES.get(text(item, "status"))
    if state is None:
        yield source.event("unhandled_status", item, status=word(item, "status"))
        return
    code = first_code(item)
    yield StatusUpdate(
        channel=source.channel,
        platform_id=text(item, "id"),
        state=state,
        at=source.time(item),
        reply_key=text(item, "biz_opaque_callback_data"),
        error=said(code) if code else "",
        pricing=pricing(at(item, "pricing")),
    )
    if state is DeliveryState.FAILED and rule(code).account:
        yield source.event(Control.ACCOUNT_BLOCKED, item, code=code, reason=said(code))


def pricing(told: Json) -> str:
    """`pricing.type`; before July 2025 there was `billable` only, which is being retired."""
    kind = text(told, "type").replace("-", "_")
    if kind:
        return kind if _WORD.fullmatch(kind) else ""
    billable = at(told, "billable")
    return ("regular" if billable else "free") if isinstance(billable, bool) else ""


def blocks(error: Json) -> bool:
    """Whether *error* stops the whole number or account."""
    return rule(word(error, "code")).account


def platform_error(source: Source, error: Json) -> Event:
    """A fault of the whole number or account, told beside no message."""
    code = word(error, "code")
    what = Control.ACCOUNT_BLOCKED if blocks(error) else "platform_error"
    return source.event(what, code=code, reason=said(code))
