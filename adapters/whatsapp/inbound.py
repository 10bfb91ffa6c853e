"""From a webhook's envelope to events: entry × change × item (sheet §2). One bad item never stops the others.

Which array a value holds decides, never the position: a status is not a message, a `standby` copy belongs to
another sender's thread, and an answer to either would be a fault that customers see.
"""

from collections.abc import Callable, Iterator, Mapping

from adapters.payload import Json, at, objects, text
from adapters.values import Event
from adapters.whatsapp.account import ACCOUNT_FIELDS, account_event
from adapters.whatsapp.messages import message
from adapters.whatsapp.source import Source, word
from adapters.whatsapp.statuses import blocks, platform_error, statuses
from adapters.whatsapp.threads import echoes, handovers, preferences, standby


def events(source: Source, body: Json) -> Iterator[Event]:
    """All events of *body*, in its order. Another product's webhook on the same URL has none."""
    if text(body, "object") != "whatsapp_business_account":
        return
    for entry in objects(body, "entry"):
        for change in objects(entry, "changes"):
            yield from _change(source, text(change, "field"), at(change, "value"), entry)


def _change(source: Source, field: str, value: Json, entry: Json) -> Iterator[Event]:
    reader = _READERS.get(field)
    if field in ACCOUNT_FIELDS:
        yield from _account(source, field, value, entry)
    elif reader is None:
        yield source.event("unhandled_field", field=field[:64])
    elif _is_ours(source, field, value):
        yield from reader(source, value)
    else:
        number = word(value, "metadata", "phone_number_id") or word(value, "recipient", "phone_number_id")
        yield source.event("unknown_account", field=field, phone_number_id=number)


def _is_ours(source: Source, field: str, value: Json) -> bool:
    """Several numbers of one app share the URL. Only handovers and preferences may leave out which one it is."""
    number = at(value, "metadata", "phone_number_id")
    if number is None and field == "messaging_handovers":
        number = at(value, "recipient", "phone_number_id")
    return number == source.account or (number is None and field != "messages")


def _account(source: Source, field: str, value: Json, entry: Json) -> Iterator[Event]:
    """An app can serve several accounts; without a `waba_id` in the settings, all news may be of ours."""
    waba = text(entry, "id")
    if source.waba and waba != source.waba:
        yield source.event("unknown_account", entry, field=field, waba_id=waba[:64])
    else:
        yield account_event(source, field, value, entry)


def _messages(source: Source, value: Json) -> Iterator[Event]:
    """Errors beside messages are about those: they tell why a message lacks what its type promises (sheet §2.2)."""
    people = list(objects(value, "contacts"))
    for person in people:
        source.people.see(text(person, "wa_id"), text(person, "user_id"))
    messages, errors = list(objects(value, "messages")), list(objects(value, "errors"))
    for item in messages:
        yield message(source, {"errors": [*errors], **item}, people)
    yield from statuses(source, value)
    for error in errors:
        if not messages or blocks(error):
            yield platform_error(source, error)


_READERS: Mapping[str, Callable[[Source, Json], Iterator[Event]]] = {
    "messages": _messages,
    "standby": standby,
    "messaging_handovers": handovers,
    "smb_message_echoes": echoes,
    "message_echoes": echoes,
    "user_preferences": preferences,
}
