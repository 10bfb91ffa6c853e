"""The values that every channel speaks: requests in, events between, replies and outcomes out.

All are frozen, slotted and keyword-only; every datetime is aware (UTC).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self
from urllib.parse import quote, unquote

LONGEST_ID = 512
"""Characters of one part of a key. Platforms' own ids are far shorter; a longer one is an attack or a bug."""


def _escaped(*parts: str) -> str:
    """Joins *parts* so that `a:b` + `c` and `a` + `b:c` give different keys."""
    return ":".join(quote(part, safe="") for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request as received. Header names are lower-case; *body* is the raw bytes that were signed."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    endpoint: str = ""
    """What follows the channel's own address: `card` of `/webhooks/<channel>/card`; "" is the main one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What the platform gets back in the same HTTP exchange."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationId:
    """Who talks where: *channel* is the configured name, *account* the business's own id on the platform,
    *peer* the user, or the group (and user). Raises ValueError for an empty or over-long part."""

    channel: str
    account: str
    peer: str

    def __post_init__(self) -> None:
        for part in (self.channel, self.account, self.peer):
            if not 0 < len(part) <= LONGEST_ID:
                raise ValueError(f"a conversation id's part has {len(part)} characters, not 1 to {LONGEST_ID}")

    @property
    def key(self) -> str:
        return _escaped(self.channel, self.account, self.peer)

    @property
    def label(self) -> str:
        """The conversation's name in logs: always the same, and nobody's phone number."""
        return f"{self.channel}:{hashlib.sha256(self.key.encode()).hexdigest()[:12]}"

    @classmethod
    def of(cls, key: str) -> Self:
        channel, account, peer = (unquote(part) for part in key.split(":"))
        return cls(channel=channel, account=account, peer=peer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """An attachment by reference. *kind* is image, audio, video, document, sticker or file; *id* is what the
    platform's download call takes; *seconds* is the length of audio and video."""

    kind: str
    id: str
    mime: str = ""
    sha256: str = ""
    caption: str = ""
    filename: str = ""
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What one customer sent once. *kind* is the platform's own type word; *text* is what the model reads
    (a caption, a button's title, a list row, a typed text); *quoted* the words of the message that this one replies
    to, or its id (`Channel.quotes_by_id`); *route* is all that a reply needs to find its way (flat, strings only;
    may hold credentials, so never logged). *redriven* is the dead letter that brought the message back, if any."""

    id: str
    conversation: ConversationId
    sender: str
    sender_name: str = ""
    text: str
    media: tuple[Media, ...] = ()
    sent_at: datetime
    quoted: str = ""
    kind: str = "text"
    route: Mapping[str, str] = field(default_factory=dict)
    redriven: str = ""

    def __post_init__(self) -> None:
        if not 0 < len(self.id) <= LONGEST_ID:
            raise ValueError(f"a message id has {len(self.id)} characters, not 1 to {LONGEST_ID}")

    @property
    def key(self) -> str:
        """Names this message for ever: a second delivery has the same key."""
        return _escaped(self.conversation.channel, self.conversation.account, self.id)


class DeliveryState(StrEnum):
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    PLAYED = "played"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusUpdate:
    """The platform's later word on a message of ours. *reply_key* is our key where the platform echoes it,
    *pricing* the snake_case word of how it is billed where it says so (`regular`, `free_customer_service`, …)."""

    channel: str
    platform_id: str
    state: DeliveryState
    at: datetime
    reply_key: str = ""
    error: str = ""
    pricing: str = ""


class Control(StrEnum):
    """The control events that change what the desk does. Any other word is noted, counted and nothing more."""

    HUMAN_TOOK_OVER = (
        "human_took_over"  # the bot is silent in *conversation* until a human leaves it, or long enough
    )
    HUMAN_LEFT = "human_left"  # the bot answers again
    IDENTITY_CHANGED = "identity_changed"  # *conversation* goes on where that of the peer detail["previous"] ended
    ACCOUNT_BLOCKED = "account_blocked"  # nothing can be sent until an operator acts; detail["reason"] says why
    ACCOUNT_RESTORED = "account_restored"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlEvent:
    """Something that is no message but that we must know: a human took over, a user id changed, …
    *what* is a snake_case word, of :class:`Control` where it has consequences; *detail* is flat and holds no
    message text."""

    channel: str
    what: str
    at: datetime
    conversation: ConversationId | None = None
    detail: Mapping[str, str] = field(default_factory=dict)


Event = Message | StatusUpdate | ControlEvent

NOTICE = "notice"
"""The kind of a message that no customer wrote: the platform only says that there is something to fetch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a platform handed out when asked: *events* in its order, the *cursor* behind them, and whether there is
    *more*."""

    events: tuple[Event, ...]
    cursor: str
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An answer that the customer can give with one tap. *id* comes back with it (at most 100 of A-Z a-z 0-9 _ -),
    *title* is what is shown, and what the tap then says."""

    id: str
    title: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file to send. *kind* is image, audio, video or document; *file* its name among the operator's own, or else
    *url* a public https address; *name* is what the customer sees."""

    kind: str
    file: str = ""
    url: str = ""
    name: str = ""
    mime: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One sendable piece of a reply, already in the platform's dialect and within its limits. With an *attachment*,
    *text* is its caption; with *choices*, what is asked.
    *repeated*: the same words went to this conversation a short while ago, on purpose. *template*: the name of the
    approved template that carries the text outside the platform's reply window; "" for a free message."""

    text: str
    repeated: bool = False
    template: str = ""
    choices: tuple[Choice, ...] = ()
    attachment: Attachment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer of one turn. *key* is derived from the turn's first message: same turn, same key, for ever."""

    key: str
    conversation: ConversationId
    parts: tuple[Part, ...]
    route: Mapping[str, str]

    def part_key(self, index: int) -> str:
        """The key that the platform gets for part *index*; the first part's is the reply's own."""
        return self.key if index == 0 else f"{self.key}.{index}"


def reply_key(first: Message) -> str:
    """32 hex characters: fits every platform's field (WeCom customer service allows 32). A redriven turn gets a new
    reply, and so a key of its own: under the old one the platform may know the hand-over text already."""
    named = f"{first.key} {first.redriven}" if first.redriven else first.key
    return hashlib.sha256(named.encode()).hexdigest()[:32]


class Action(StrEnum):
    """What a platform's refusal asks of us; the error tables map every documented code to one of these."""

    RETRY = "retry"  # temporary: again after a delay
    GIVE_UP = "give_up"  # final for this message
    ALERT = "alert"  # final, and an operator must act (account, permission, configuration)
    TOKEN = "token"  # noqa: S105  credentials: fetch anew, once
    WINDOW = "window"  # the reply window is closed: a template or a human
    SPLIT = "split"  # too long
    REROUTE = "reroute"  # this way is closed, another may be open
    HUMAN = "human"  # a human has the conversation: silence, as after HUMAN_TOOK_OVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The platform accepted the part. *platform_id* may be empty where it names none."""

    platform_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The platform said no, and surely did not deliver. *reason* is for the operator: the platform's code,
    its meaning and the next step, never a message's words or a secret. *account*: not this message but the whole
    account was refused, so that others need not try either."""

    reason: str
    action: Action
    code: str = ""
    retry_after: timedelta | None = None
    account: bool = False

    @property
    def permanent(self) -> bool:
        return self.action not in (Action.RETRY, Action.TOKEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """We may or may not have been heard: read timeout, connection cut after the bytes went out, 5xx without
    a body that the platform's error table knows."""

    reason: str


Outcome = Delivered | Refused | Unknown


class Promise(StrEnum):
    """What the channel lets us do about :class:`Unknown`."""

    KEYED = "keyed"  # resend with the same key, any number of times
    CONTENT_CHECKED = "content_checked"  # resend the byte-identical body with the duplicate check on
    OBSERVABLE = "observable"  # wait for the status callback that echoes our key, then resend once
    BLIND = "blind"  # nothing: at most one resend, counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A platform's access token and when it ends."""

    value: str
    expires_at: datetime
