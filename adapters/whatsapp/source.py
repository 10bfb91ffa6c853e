"""Whose webhook is being read, and how its values are made. Nothing here raises for what a body holds."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.payload import Json, objects, text
from adapters.values import LONGEST_ID, ControlEvent, ConversationId
from adapters.whatsapp.aliases import People

_LONGEST_WORD = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One configured number. *now* dates what carries no time of its own; *roles* are ours where several senders
    share a conversation; *waba* is the number's account where it is configured."""

    channel: str
    account: str
    now: datetime
    waba: str
    roles: tuple[str, ...]
    people: People

    def conversation(self, peer: str) -> ConversationId | None:
        """The conversation with *peer*; None where that can be no id."""
        if not usable_id(peer):
            return None
        return ConversationId(channel=self.channel, account=self.account, peer=peer)

    def time(self, item: Json) -> datetime:
        """The `timestamp` of *item*: a text of unix seconds; of an account's change the `time`, a number."""
        try:
            return datetime.fromtimestamp(int(text(item, "timestamp") or text(item, "time")), UTC)
        except (ValueError, OverflowError, OSError):
            return self.now

    def event(self, what: str, item: Json = None, *, peer: str = "", **detail: str) -> ControlEvent:
        """*what* is from a closed list, since it labels a metric; the platform's own words go into *detail*."""
        return ControlEvent(
            channel=self.channel,
            what=what,
            at=self.time(item),
            conversation=self.conversation(peer),
            detail={name: value for name, value in detail.items() if value},
        )

    def peer(self, *, user_id: str, phone: str) -> str:
        """What the conversation of somebody is keyed by, of whom an event may name the phone number alone."""
        digits = "".join(filter(str.isdecimal, phone)) if phone[:1] in "+0123456789" else phone
        return user_id or self.people.user_id(digits) or digits


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
    have another order, lack profiles, or be missing. An item that names nobody is that of the only contact."""
    user_id, phone, listed = text(item, "from_user_id"), text(item, "from"), list(people)
    nameless = not user_id and not phone and len(listed) == 1
    found = listed[0] if nameless else contact(listed, user_id, phone)
    return Person(
        user_id=user_id or text(found, "user_id"),
        phone=phone or text(found, "wa_id"),
        name=text(found, "profile", "name") or text(found, "profile", "username"),
    )


def contact(people: Iterable[Json], user_id: str, phone: str) -> Json:
    listed = list(people)
    for name, wanted in (("user_id", user_id), ("wa_id", phone)):
        for each in listed:
            if wanted and text(each, name) == wanted:
                return each
    return None


def usable_id(given: str) -> bool:
    return 0 < len(given) <= LONGEST_ID


def word(source: Json, *path: str) -> str:
    """One of the platform's own words at *path*; anything long is no such word."""
    return text(source, *path)[:_LONGEST_WORD]


def first_code(item: Json) -> str:
    return next((word(error, "code") for error in objects(item, "errors")), "")
