"""From a webhook's envelope to events: entry × change × item (sheet §2). One bad item never stops the others.

Which array a value holds decides, never the position: a status is not a message, a `standby` copy belongs to
another sender's thread, and an answer to either would be a fault that customers see.
"""

from collections.abc import Callable, Iterator, Mapping

from adapters.payload import Json, at, objects, text
from adapters.values import Event
from adapters.whatsapp.messages import message, person, platform_error, status
from adapters.whatsapp.source import Source, word

ACCOUNT_FIELDS = frozenset(
    {
        "account_update",
        "account_alerts",
        "account_review_update",
        "account_settings_update",
        "business_capability_update",
        "business_username_updates",
        "message_template_status_update",
        "message_template_quality_update",
        "message_template_components_update",
        "template_category_update",
        "phone_number_name_update",
        "phone_number_quality_update",
        "payment_configuration_update",
        "partner_solutions",
        "security",
    }
)
"""About the account, not about a customer (sheet §2.6)."""


def events(source: Source, body: Json) -> Iterator[Event]:
    """All events of *body*, in its order. Another product's webhook on the same URL has none."""
    if text(body, "object") != "whatsapp_business_account":
        return
    for entry in objects(body, "entry"):
        for change in objects(entry, "changes"):
            yield from _change(source, text(change, "field"), at(change, "value"))


def _change(source: Source, field: str, value: Json) -> Iterator[Event]:
    number = at(value, "metadata", "phone_number_id")
    reader = _READERS.get(field)
    if field in ACCOUNT_FIELDS:
        yield source.event(field, event=word(value, "event"))
    elif reader is None:
        yield source.event("unhandled_field", field=field[:64])
    elif number != source.account and (number is not None or field == "messages"):
        yield source.event(
            "unknown_account", field=field, phone_number_id=word(value, "metadata", "phone_number_id")
        )
    else:
        yield from reader(source, value)


def _messages(source: Source, value: Json) -> Iterator[Event]:
    people = list(objects(value, "contacts"))
    for item in objects(value, "messages"):
        yield message(source, item, people)
    for item in objects(value, "statuses"):
        yield status(source, item)
    for error in objects(value, "errors"):
        yield platform_error(source, error)


def _standby(source: Source, value: Json) -> Iterator[Event]:
    """Copies of a thread that another sender owns, below `value.standby`: an answer would seize it (sheet §2.7)."""
    people = list(objects(value, "standby", "contacts"))
    for item in objects(value, "standby", "messages"):
        yield source.event("standby_message", item, peer=person(item, people).peer)
    for item in objects(value, "standby", "statuses"):
        yield source.event("standby_status", item, status=word(item, "status"))
    for item in objects(value, "standby", "message_echoes"):
        yield source.event("standby_echo", item, peer=_addressee(item))


def _handovers(source: Source, value: Json) -> Iterator[Event]:
    """Who owns the thread from now on; every inner field is optional (sheet §2.7)."""
    kind = text(value, "type")
    what = kind if kind in ("control_passed", "control_taken") else "control_changed"
    peer = text(value, "sender", "user_id") or text(value, "sender", "phone_number").lstrip("+")
    yield source.event(what, value, peer=peer, new_owner=word(value, kind, "new_owner_role"))


def _echoes(source: Source, value: Json) -> Iterator[Event]:
    """What a colleague wrote from the phone app that shares the number: a human has taken over."""
    for item in objects(value, "message_echoes"):
        yield source.event("staff_message", item, peer=_addressee(item))


def _preferences(source: Source, value: Json) -> Iterator[Event]:
    for item in objects(value, "user_preferences"):
        peer = text(item, "user_id") or text(item, "wa_id")
        yield source.event("marketing_preference", item, peer=peer, value=word(item, "value"))


def _addressee(echo: Json) -> str:
    """The customer whom an echoed message went to; the placement of `to` differs between pages."""
    ways = (
        text(echo, "to_user_id"),
        text(echo, "to"),
        text(echo, "message", "to_user_id"),
        text(echo, "message", "to"),
    )
    return next(filter(None, ways), "")


_READERS: Mapping[str, Callable[[Source, Json], Iterator[Event]]] = {
    "messages": _messages,
    "standby": _standby,
    "messaging_handovers": _handovers,
    "smb_message_echoes": _echoes,
    "message_echoes": _echoes,
    "user_preferences": _preferences,
}
