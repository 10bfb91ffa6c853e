"""From an AI bot's callback, by URL or by frame, to an event (WeCom sheet §4.2, §4.3)."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from adapters.payload import Json, at, objects, text
from adapters.values import LONGEST_ID, ControlEvent, ConversationId, Event, Media, Message
from adapters.wecom.inbound import seconds
from adapters.wecom_aibot.cards import tapped

POLL = "stream"
"""The `msgtype` with which the platform asks for the rest of an answer: no message, and never in the inbox."""
KNOWN_EVENTS = frozenset(("enter_chat", "template_card_event", "feedback_event", "disconnected_event"))
_FIRST_MENTION = re.compile(r"^\s*@\S+\s*")
_RATED = {"1": "accurate", "2": "inaccurate", "3": "withdrawn"}
_LONGEST_DETAIL = 256
_KINDS = {"image": "image", "file": "file", "video": "video"}


class Inbound:
    """Reads what is sent to one bot. *bot_name* is what stands behind the @; "" if it is one word."""

    def __init__(self, *, channel: str, bot_id: str, bot_name: str = "") -> None:
        self._channel = channel
        self._bot_id = bot_id
        self._bot_name = bot_name

    def event(self, body: Json, *, received_at: datetime, req_id: str = "") -> Event | None:
        """What *body* says; None for a poll. What is readable but not for us (another bot's, an unknown type, no
        sender) is a ControlEvent. *req_id* is the frame's, on a long connection."""
        kind = text(body, "msgtype")
        received_at = received_at.astimezone(UTC)
        if text(body, "aibotid") not in ("", self._bot_id):
            return self._control("other_bot", received_at, {})
        if kind == POLL:
            return None
        conversation = self._conversation(body)
        if kind == "event":
            return self._event(body, conversation, received_at, req_id)
        read = _READERS.get(kind)
        if read is None or conversation is None or not _usable(text(body, "msgid")):
            what = "unknown_message" if read is None else "unreadable_message"
            return self._control(what, received_at, {"type": kind})
        said = self._without_mention(read(body), in_group=_in_group(body))
        return self._message(body, conversation, kind, said, received_at, req_id)

    def _message(
        self, body: Json, conversation: ConversationId, kind: str, said: str, at_: datetime, req_id: str
    ) -> Message:
        attached = [*_attached(body), *_attached(at(body, "quote"))]
        keys = {f"aeskey_{place}": key for place, (_, key) in enumerate(attached) if key}
        message = Message(
            id=text(body, "msgid"),
            conversation=conversation,
            sender=text(body, "from", "userid"),
            text=said,
            media=tuple(media for media, _ in attached),
            sent_at=at_,
            quoted=_words(at(body, "quote")),
            kind=kind,
        )
        route = {
            "at": at_.isoformat(),
            "chat": text(body, "chatid") if _in_group(body) else text(body, "from", "userid"),
            "chat_type": "group" if _in_group(body) else "single",
            "response_url": text(body, "response_url"),
            "req_id": req_id,
            # Only a message opens a stream: nothing that is written later could be shown for an event.
            "stream": "" if kind == "template_card_event" else stream_id(message),
            **keys,
        }
        return replace(message, route={name: value for name, value in route.items() if value})

    def _event(self, body: Json, conversation: ConversationId | None, received_at: datetime, req_id: str) -> Event:
        name = text(body, "event", "eventtype")
        at_ = seconds(text(body, "create_time"), received_at)
        if name == "template_card_event" and conversation and _usable(text(body, "msgid")):
            said = tapped(at(body, "event", name))
            if said:
                return self._message(body, conversation, name, said, received_at, req_id)
        known = name in KNOWN_EVENTS
        detail = {"event": "" if known else name, **_rating(at(body, "event", name))}
        return self._control(name if known else "unknown_event", at_, detail, conversation)

    def _control(
        self, what: str, at_: datetime, detail: Mapping[str, str], conversation: ConversationId | None = None
    ) -> ControlEvent:
        named = {name: value[:_LONGEST_DETAIL] for name, value in detail.items() if value}
        return ControlEvent(channel=self._channel, what=what, at=at_, conversation=conversation, detail=named)

    def _conversation(self, body: Json) -> ConversationId | None:
        """In a group, each member's own: the bot hears only what is said to it."""
        user, chat = text(body, "from", "userid"), text(body, "chatid")
        peer = f"{chat}:{user}" if _in_group(body) else user
        if not user or not _usable(peer):
            return None
        return ConversationId(channel=self._channel, account=self._bot_id, peer=peer)

    def _without_mention(self, said: str, *, in_group: bool) -> str:
        if not in_group:
            return said
        name = f"@{self._bot_name}"
        if self._bot_name and name in said:
            before, _, after = said.partition(name)
            return f"{before.rstrip()} {after.lstrip()}".strip()
        return _FIRST_MENTION.sub("", said, count=1)


def stream_id(message: Message) -> str:
    """The same for every delivery of *message*, so that a second one is answered with the same bubble."""
    return hashlib.sha256(message.key.encode()).hexdigest()[:32]


def _in_group(body: Json) -> bool:
    """`chattype` is missing in some events (WeCom sheet §4.3)."""
    return text(body, "chattype") == "group" or (not text(body, "chattype") and bool(text(body, "chatid")))


def _usable(identity: str) -> bool:
    return 0 < len(identity) <= LONGEST_ID


def _rating(event: Json) -> Mapping[str, str]:
    """What a customer thinks of an answer; not in which words."""
    reasons = at(event, "inaccurate_reason_list")
    return {
        "rated": _RATED.get(text(event, "type"), ""),
        "answer": text(event, "id"),
        "reasons": ",".join(str(each) for each in reasons if isinstance(each, int))
        if isinstance(reasons, list)
        else "",
    }


Read = Callable[[Json], str]


def _words(struct: Json) -> str:
    """The text of a message or of a quote, whatever its type."""
    read = _READERS.get(text(struct, "msgtype"))
    return read(struct) if read else ""


def _mixed(body: Json) -> str:
    lines = (text(item, "text", "content") for item in objects(body, "mixed", "msg_item"))
    return "\n".join(line for line in lines if line)


_READERS: Mapping[str, Read] = {
    "text": lambda body: text(body, "text", "content"),
    "voice": lambda body: text(body, "voice", "content"),  # transcribed by the platform; there is no sound
    "mixed": _mixed,
    **dict.fromkeys(_KINDS, lambda _body: ""),
}


def _attached(struct: Json) -> list[tuple[Media, str]]:
    """The attachments of a message or of a quote, each with its own key ("" where it has none)."""
    kind = text(struct, "msgtype")
    if kind == "mixed":
        return [each for item in objects(struct, "mixed", "msg_item") for each in _attached(item)]
    # An image's address was seen under either name (WeCom sheet §4.2).
    url = text(struct, kind, "url") or text(struct, kind, "pic_url")
    if kind not in _KINDS or not url:
        return []
    return [(Media(kind=_KINDS[kind], id=url), text(struct, kind, "aeskey"))]
