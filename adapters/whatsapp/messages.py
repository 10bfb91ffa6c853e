"""The items of the field `messages`: what customers wrote, and what became of our replies (sheet §2.1–§2.5)."""

from collections.abc import Iterable
from dataclasses import dataclass

from adapters.payload import Json, at, objects, text
from adapters.values import ControlEvent, DeliveryState, Event, Message, StatusUpdate
from adapters.whatsapp.content import Content, content
from adapters.whatsapp.errors import rule
from adapters.whatsapp.source import Source, usable_id, word

_SYSTEM = frozenset({"user_changed_number", "user_changed_user_id", "customer_identity_changed"})
_STATES = {state.value: state for state in DeliveryState}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A customer. *user_id* is business-scoped and opaque; *phone* is digits, and absent for many since 2026."""

    user_id: str
    phone: str
    name: str

    @property
    def peer(self) -> str:
        """What the conversation is keyed by (sheet §2.4)."""
        return self.user_id or self.phone


def person(item: Json, people: Iterable[Json]) -> Person:
    """Who sent *item*: joined with `contacts` by user id, then by phone, never by position, since the list may
    have another order, lack profiles, or be missing."""
    user_id, phone = text(item, "from_user_id"), text(item, "from")
    contact = _contact(list(people), user_id, phone)
    return Person(
        user_id=user_id or text(contact, "user_id"),
        phone=phone or text(contact, "wa_id"),
        name=text(contact, "profile", "name"),
    )


def _contact(people: list[Json], user_id: str, phone: str) -> Json:
    for name, wanted in (("user_id", user_id), ("wa_id", phone)):
        for each in people:
            if wanted and text(each, name) == wanted:
                return each
    return None


def message(source: Source, item: Json, people: Iterable[Json]) -> Event:
    """A Message, if it is one that is answered; a ControlEvent otherwise."""
    kind = text(item, "type")
    if text(item, "group_id"):
        return source.event("group_message", item, peer=text(item, "group_id"))
    if kind == "system":
        return _system(source, item)
    sender = person(item, people)
    said = content(item)
    return _said(source, item, sender, said) if said else _unanswered(source, item, kind, sender.peer)


def _said(source: Source, item: Json, sender: Person, said: Content) -> Event:
    conversation = source.conversation(sender.peer)
    if conversation is None or not usable_id(text(item, "id")):
        return source.event("unreadable_item", item, type=word(item, "type"))
    return Message(
        id=text(item, "id"),
        conversation=conversation,
        sender=sender.peer,
        sender_name=sender.name,
        text=said.text,
        media=said.media,
        sent_at=source.time(item),
        quoted=text(item, "context", "id"),
        kind=text(item, "type"),
        route=_route(sender, text(item, "id")),
    )


def _route(sender: Person, message_id: str) -> dict[str, str]:
    ways = {"to": sender.phone, "recipient": sender.user_id, "message_id": message_id}
    return {name: value for name, value in ways.items() if value}


def _unanswered(source: Source, item: Json, kind: str, peer: str) -> ControlEvent:
    """A reaction, an edit, what the customer's app could not send: noted, and never answered."""
    match kind:
        case "reaction":
            removed = "" if text(item, kind, "emoji") else "true"
            return source.event("reaction", item, peer=peer, target=text(item, kind, "message_id"), removed=removed)
        case "edit" | "revoke":
            target = text(item, kind, "original_message_id")
            return source.event(f"message_{kind}", item, peer=peer, target=target)
        case _:
            unsupported = word(item, "unsupported", "type") or word(item, "type")
            return source.event("unsupported_message", item, peer=peer, type=unsupported, code=_first_code(item))


def _system(source: Source, item: Json) -> ControlEvent:
    """A customer's number or user id changed. *previous* is the key of the conversation until then, where the
    platform tells it: at first it stood in the text only (sheet §2.2)."""
    system = at(item, "system")
    kind = text(system, "type")
    now_known = text(system, "user_id") or text(system, "wa_id")
    peer = now_known or text(item, "from_user_id") or text(item, "from")
    before = text(system, "previous_user_id") or ("" if text(system, "user_id") else text(item, "from"))
    previous = source.conversation(before) if before != peer else None
    what = kind if kind in _SYSTEM else "system_message"
    return source.event(what, item, peer=peer, previous=previous.key if previous else "")


def status(source: Source, item: Json) -> Event:
    """The platform's word on a message of ours; our key comes back as `biz_opaque_callback_data`."""
    state = _STATES.get(text(item, "status"))
    if state is None:
        return source.event("unhandled_status", item, status=word(item, "status"))
    code = _first_code(item)
    return StatusUpdate(
        channel=source.channel,
        platform_id=text(item, "id"),
        state=state,
        at=source.time(item),
        reply_key=text(item, "biz_opaque_callback_data"),
        error=rule(code).reason(code) if code else "",
    )


def platform_error(source: Source, error: Json) -> ControlEvent:
    """A fault of the whole number or account (sheet §2.5, last item)."""
    code = word(error, "code")
    return source.event("platform_error", code=code, reason=rule(code).reason(code))


def _first_code(item: Json) -> str:
    return next((word(error, "code") for error in objects(item, "errors")), "")
