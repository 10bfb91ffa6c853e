"""Who speaks to a customer besides us: another sender on the same number, or a colleague with a phone (sheet §2.7).

Our answer would seize a conversation that another sender owns, so copies of theirs are never messages. They carry
the ids of the real events, too, and none of them is kept under such an id.
"""

from collections.abc import Iterator

from adapters.payload import Json, objects, text
from adapters.values import Control, ControlEvent, Event
from adapters.whatsapp.source import Source, contact, person, word


def standby(source: Source, value: Json) -> Iterator[Event]:
    """Copies of a thread that another sender owns, below `value.standby`."""
    people = list(objects(value, "standby", "contacts"))
    for item in objects(value, "standby", "messages"):
        yield source.event("standby_message", item, peer=person(item, people).peer)
    for item in objects(value, "standby", "statuses"):
        yield source.event("standby_status", item, status=word(item, "status"))
    for item in objects(value, "standby", "message_echoes"):
        yield source.event("standby_echo", item, peer=_addressee(source, item, people))


def handovers(source: Source, value: Json) -> Iterator[Event]:
    """Who owns the thread from now on. Every inner field is optional: where nobody is named, nothing follows, since
    what belongs to another arrives as a standby copy anyway."""
    kind = text(value, "type")
    phone = text(value, "sender", "phone_number") or text(value, "sender", "wa_id")
    peer = source.peer(user_id=text(value, "sender", "user_id"), phone=phone)
    owner, before = word(value, kind, "new_owner_role"), word(value, kind, "previous_owner_role")
    what = kind if kind in ("control_passed", "control_taken") else "control_changed"
    if owner:
        what = Control.HUMAN_LEFT if owner in source.roles else Control.HUMAN_TOOK_OVER
    elif before in source.roles:
        what = Control.HUMAN_TOOK_OVER
    yield source.event(what, value, peer=peer, type=kind[:64], new_owner=owner, previous_owner=before)


def echoes(source: Source, value: Json) -> Iterator[Event]:
    """What a colleague wrote from the phone app that shares the number: a human has taken over."""
    people = list(objects(value, "contacts"))
    for item in objects(value, "message_echoes"):
        yield _echo(source, item, people)


def _echo(source: Source, item: Json, people: list[dict[str, Json]]) -> ControlEvent:
    """An echo that carries callback data was sent by a program, as ours are: no human has taken over."""
    peer = _addressee(source, item, people)
    if text(item, "biz_opaque_callback_data") or text(item, "message", "biz_opaque_callback_data"):
        return source.event("program_message", item, peer=peer)
    return source.event(Control.HUMAN_TOOK_OVER, item, peer=peer, by="staff", type=word(item, "type"))


def preferences(source: Source, value: Json) -> Iterator[Event]:
    for item in objects(value, "user_preferences"):
        peer = source.peer(user_id=text(item, "user_id"), phone=text(item, "wa_id"))
        wish, category = word(item, "value"), word(item, "category")
        yield source.event("marketing_preference", item, peer=peer, value=wish, category=category)


def _addressee(source: Source, echo: Json, people: list[dict[str, Json]]) -> str:
    """The customer whom an echoed message went to; the placement of `to` differs between pages."""
    user_id = text(echo, "to_user_id") or text(echo, "message", "to_user_id") or text(echo, "recipient")
    phone = text(echo, "to") or text(echo, "message", "to")
    return source.peer(user_id=user_id or text(contact(people, "", phone), "user_id"), phone=phone)
