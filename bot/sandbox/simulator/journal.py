"""What happened on one platform, in order: said, posted to the bot, called by the bot, shown to a customer.

The page is drawn from this journal alone, and tests read it. Bounded: the oldest entries go first.
"""

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import uuid4

LONGEST = 5000
EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A customer wrote, or did something. *place* is the group, or "" in a direct chat; *style* the platform's word
    for what it is (tap: *fields* has the message_id and the choice), *fields* what it holds besides words; *media*
    names a file on the platform's shelf."""

    user: str
    name: str
    text: str
    message_id: str
    place: str
    at: datetime
    style: str = "text"
    media: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A request to the bot and its answer, or a frame of a long connection (*method* FRAME). *clear* is what an
    encrypted body holds. *status* 0: no answer, *error* says why. *what* is message, status or check; *attempt*
    counts from 1."""

    what: str
    message_id: str
    attempt: int
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    clear: str
    status: int
    answer: bytes
    error: str
    at: datetime
    elapsed: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request of the bot and our answer, or its frame (*method* FRAME). *endpoint* is the fault name (send,
    token, ...); *status* 0: the connection was cut. *reason* says why it was refused; *remarks* are breaches that
    the platform lets pass silently but that a customer would notice (a cut text, a swallowed duplicate)."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    endpoint: str
    status: int
    answer: bytes
    reason: str
    remarks: tuple[str, ...]
    at: datetime
    elapsed: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Something to tap. *id* is what the platform hands back to the bot."""

    id: str
    title: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMessage:
    """What a customer was shown. *to* is the user as named in `say`, or the group; *key* is the bot's own key
    where the platform has one; *raw* is the JSON that the bot sent; *style* is text or markdown. *choices* can be
    tapped; *media* names a file on the platform's shelf, or a public address."""

    to: str
    text: str
    key: str
    at: datetime
    raw: Any
    platform_id: str = ""
    style: str = "text"
    choices: tuple[Choice, ...] = ()
    media: str = ""
    media_kind: str = ""
    media_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """A message that the customer sees growing: the whole *text* so far. Its `SentMessage` comes at the end, under
    the same *platform_id*."""

    to: str
    text: str
    platform_id: str
    finished: bool
    at: datetime
    style: str = "markdown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """The bot broke a rule of the platform: a red line. *rule* is a snake_case word, *detail* what was seen."""

    rule: str
    detail: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """A small sign in the chat: the customer's message was read, the bot is typing, a reply's tick moved."""

    what: str
    user: str
    message_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What the bot answered to one webhook; *status* 0: nothing (*error* says why)."""

    status: int
    body: bytes
    elapsed: timedelta
    message_id: str
    error: str = ""


Entry = Said | Webhook | Call | SentMessage | Grown | Sign | Breach


@dataclass(slots=True)
class Journal:
    """Thread-safe. *epoch* tells a reader that the numbers began anew."""

    epoch: str = field(default_factory=lambda: uuid4().hex[:8])
    _entries: deque[tuple[int, Entry]] = field(default_factory=lambda: deque(maxlen=LONGEST))
    _calls: deque[Call] = field(default_factory=lambda: deque(maxlen=4 * LONGEST))
    _shown: deque[SentMessage] = field(default_factory=lambda: deque(maxlen=4 * LONGEST))
    _breaches: deque[Breach] = field(default_factory=lambda: deque(maxlen=LONGEST))
    _number: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def add(self, entry: Entry) -> None:
        with self._changed:
            self._number += 1
            self._entries.append((self._number, entry))
            if isinstance(entry, Call):
                self._calls.append(entry)
            elif isinstance(entry, SentMessage):
                self._shown.append(entry)
            elif isinstance(entry, Breach):
                self._breaches.append(entry)
            self._changed.notify_all()

    def after(self, number: int, *, wait: timedelta = timedelta()) -> Sequence[tuple[int, Entry]]:
        """The entries behind *number*; blocks up to *wait* for the first."""
        with self._changed:
            self._changed.wait_for(lambda: self._number > number, wait.total_seconds())
            fresh = min(self._number - number, len(self._entries))
            return [self._entries[index] for index in range(len(self._entries) - max(fresh, 0), len(self._entries))]

    def calls(self) -> list[Call]:
        with self._changed:
            return list(self._calls)

    def breaches(self) -> list[Breach]:
        with self._changed:
            return list(self._breaches)

    def shown(self, to: str | None = None) -> list[SentMessage]:
        with self._changed:
            return [message for message in self._shown if to is None or message.to == to]

    def wait_for_shown(self, count: int, wait: timedelta, to: str | None = None) -> list[SentMessage]:
        """At least *count* shown messages; raises TimeoutError."""
        with self._changed:
            enough = self._changed.wait_for(lambda: self._count(to) >= count, wait.total_seconds())
        found = self.shown(to)
        if not enough:
            raise TimeoutError(f"{len(found)} of {count} replies after {wait.total_seconds():g} s")
        return found

    def _count(self, to: str | None) -> int:
        return len(self._shown) if to is None else sum(message.to == to for message in self._shown)

    def clear(self) -> None:
        """Forgets everything; readers see a new epoch."""
        with self._changed:
            self._entries.clear()
            self._calls.clear()
            self._shown.clear()
            self._breaches.clear()
            self._number = 0
            self.epoch = uuid4().hex[:8]
            self._changed.notify_all()
