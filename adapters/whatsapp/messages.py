"""The items of `messages`: what customers wrote, and what only looks like it (sheet §2.1–§2.4).

Text, media, taps, orders, places and cards start a turn. Reactions, edits, system changes and what the customer's
app could not send never do.
"""

import re
from collections.abc import Iterable

from adapters.payload import Json, at, text
from adapters.values import Control, ControlEvent, Event, Message
from adapters.whatsapp.content import Content, content
from adapters.whatsapp.source import Person, Source, first_code, person, usable_id, word

_SYSTEM = frozenset({"user_changed_number", "user_changed_user_id", "customer_identity_changed"})
_MOVES = frozenset({"user_changed_number", "user_changed_user_id"})
_USER_ID = r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}"
_MOVED = re.compile(rf"changed from ({_USER_ID}) to ({_USER_ID})\W*$")
"""The end of a system message's body. The beginning holds the customer's own name, which may say anything."""


def message(source: Source, item: Json, people: Iterable[Json]) -> Event:
    """A Message, if it is one that is answered; a ControlEvent otherwise."""
    kind = text(item, "type")
    if text(item, "group_id"):
        return source.event("group_message", item, peer=text(item, "group_id"))
    if kind == "system":
        return _system(source, item)
    sender = person(item, people)
    source.people.see(sender.phone, sender.user_id)
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
        route=_route(sender, item, said),
    )


def _route(sender: Person, item: Json, said: Content) -> dict[str, str]:
    """The ways to the customer; and what was tapped, and which advertisement led here, for whoever looks."""
    ways = {
        "to": sender.phone,
        "recipient": sender.user_id,
        "message_id": text(item, "id"),
        "choice": said.choice,
        "referral": word(item, "referral", "source_type"),
        "referral_id": word(item, "referral", "source_id"),
        "ctwa_clid": text(item, "referral", "ctwa_clid")[:512],
    }
    return {name: value for name, value in ways.items() if value}


def _unanswered(source: Source, item: Json, kind: str, peer: str) -> ControlEvent:
    """A reaction, an edit, what the customer's app could not send: noted, and never answered."""
    match kind:
        case "reaction":
            emoji = word(item, kind, "emoji")
            removed = "" if emoji else "true"
            target = text(item, kind, "message_id")
            return source.event("reaction", item, peer=peer, target=target, emoji=emoji, removed=removed)
        case "edit" | "revoke":
            target = text(item, kind, "original_message_id")
            return source.event(f"message_{kind}", item, peer=peer, target=target)
        case "interactive" if word(item, kind, "type") == "call_permission_reply":
            reply = at(item, kind, "call_permission_reply")
            said, until = word(reply, "response"), word(reply, "expiration_timestamp")
            return source.event("call_permission", item, peer=peer, response=said, until=until)
        case _:
            unsupported = word(item, "unsupported", "type") or word(item, "type")
            return source.event("unsupported_message", item, peer=peer, type=unsupported, code=first_code(item))


def _system(source: Source, item: Json) -> ControlEvent:
    """A customer's number or user id changed: the conversation goes on under the new one."""
    system = at(item, "system")
    kind = word(system, "type")
    user_id = text(system, "user_id")
    peer = user_id or text(system, "wa_id") or text(item, "from_user_id") or text(item, "from")
    previous = _previous(source, item, peer) if kind in _MOVES else ""
    source.people.see(text(system, "wa_id"), user_id)  # only now: until here the number meant the old user id
    if previous:
        return source.event(Control.IDENTITY_CHANGED, item, peer=peer, previous=previous, type=kind)
    return source.event(kind if kind in _SYSTEM else "system_message", item, peer=peer)


def _previous(source: Source, item: Json, peer: str) -> str:
    """What the conversation was keyed by until now: the user id that the platform names since August 2026, or that
    its text ends with; else the sender's own, or one known for the old number; else that number. The same when the
    change is told again, because it could not be kept."""
    system = at(item, "system")
    moved = _MOVED.search(text(system, "body"))
    ways = (
        text(system, "previous_user_id"),
        moved[1] if moved and moved[2] == text(system, "user_id") else "",
        text(item, "from_user_id"),
        *source.people.user_ids(text(item, "from")),
        text(item, "from"),
    )
    return next((each for each in ways if each != peer and usable_id(each)), "")
