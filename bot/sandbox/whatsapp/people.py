"""The customers: with a phone number, a hidden one, one that has two forms, or one that changes (§2.4, §8)."""

import hashlib
import re
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any

USER_ID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")


@dataclass(slots=True, kw_only=True)
class Person:
    """A customer; *user* is the name that tests use. *wa_id* is "" where the phone number is hidden, *user_id*
    where the webhook is of the time before these ids (§2.4)."""

    user: str
    name: str
    wa_id: str
    user_id: str
    wrote_at: datetime | None = None


class People:
    """Everybody who ever wrote. Thread-safe."""

    def __init__(self) -> None:
        self._known: dict[str, Person] = {}
        self._guard = threading.RLock()

    def meet(self, user: str, name: str, *, user_ids: bool = True) -> Person:
        """Who *user* is, known from now on. Without *user_ids*: as webhooks named people before these ids."""
        hidden = USER_ID.fullmatch(user) is not None
        with self._guard:
            person = self._known.get(user)
            if person is None:
                user_id = user if hidden else bsuid(user)
                person = Person(user=user, name=name, wa_id="" if hidden else user, user_id=user_id)
                for known_as in {user, user_id, *other_forms(person.wa_id)}:
                    self._known[known_as] = person
            return person if user_ids else Person(user=user, name=name, wa_id=user, user_id="")

    def find(self, wanted: str) -> Person | None:
        """By phone number in digits, in either form, or by user id."""
        with self._guard:
            return self._known.get(wanted)

    def move(self, person: Person, new_wa_id: str) -> str:
        """The customer takes another number, and with it another user id (§2.4); returns the old user id."""
        with self._guard:
            old = person.user_id
            person.wa_id, person.user_id = new_wa_id, bsuid(new_wa_id)
            for known_as in (person.user, new_wa_id, person.user_id):
                self._known[known_as] = person
            self._known.pop(old, None)
            return old


def contact(person: Person) -> dict[str, Any]:
    """A person's place in `contacts[]` (§2.1)."""
    fields: dict[str, Any] = {"profile": {"name": person.name}}
    if person.wa_id:
        fields["wa_id"] = person.wa_id
    if person.user_id:
        fields["user_id"] = person.user_id
    return fields


def bsuid(number: str) -> str:
    return f"US.{hashlib.sha256(number.encode()).hexdigest()[:20]}"


def other_forms(number: str) -> tuple[str, ...]:
    """How else a number of Mexico, Argentina or Brazil is dialled (§8)."""
    if found := re.fullmatch(r"52(1?)(\d{10})", number):
        return ("52" + ("" if found[1] else "1") + found[2],)
    if found := re.fullmatch(r"54(9?)(\d{10})", number):
        return ("54" + ("" if found[1] else "9") + found[2],)
    if found := re.fullmatch(r"55(\d{2})(9?)(\d{8})", number):
        return (f"55{found[1]}" + ("" if found[2] else "9") + found[3],)
    return ()
