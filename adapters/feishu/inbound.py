"""What Feishu tells the bot, as events (DingTalk sheet, appendix A)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.errors import Malformed
from adapters.payload import Json, at, objects, read_json, text
from adapters.values import ControlEvent, ConversationId, Event, Media, Message


@dataclass(frozen=True, slots=True)
class Inbound:
    """Reads one message event for *channel*."""

    channel: str
    account: str
    bot: str

    def events(self, event: Json, received_at: datetime) -> Sequence[Event]:
        """Nothing for other bots, and for a group's talk that does not mention ours."""
        message, sender = at(event, "event", "message"), text(event, "event", "sender", "sender_id", "open_id")
        chat, number = text(message, "chat_id"), text(message, "message_id")
        if not (chat and number and sender):
            raise Malformed("a message without the ids of its chat, sender or itself")
        mentioned = {text(each, "key"): each for each in objects(message, "mentions")}
        ours = {key for key, each in mentioned.items() if self.bot and text(each, "id", "open_id") == self.bot}
        group = text(message, "chat_type") != "p2p"
        if text(event, "event", "sender", "sender_type") != "user" or (group and not ours):
            return ()
        names = {key: "" if key in ours else f"@{text(each, 'name')}" for key, each in mentioned.items()}
        try:
            where = ConversationId(
                channel=self.channel, account=self.account, peer=f"{chat}:{sender}" if group else sender
            )
            said = self._message(message, where, sender, names, received_at)
        except ValueError as error:  # an id that is too long for a key
            raise Malformed(str(error)) from None
        if said.kind in ("text", "post") and not (said.text or said.media):
            return (ControlEvent(channel=self.channel, what="blank_message", at=said.sent_at, conversation=where),)
        return (said,)

    def _message(
        self, message: Json, where: ConversationId, sender: str, names: Mapping[str, str], received_at: datetime
    ) -> Message:
        kind, number = text(message, "message_type"), text(message, "message_id")
        try:
            content = read_json(text(message, "content").encode())
        except Malformed:
            content = None
        words = "\n".join(_post(content, names)) if kind == "post" else _named(text(content, "text"), names)
        made = text(message, "create_time")
        sent_at = (
            datetime.fromtimestamp(int(made) / 1000, UTC) if re.fullmatch(r"[0-9]{1,14}", made) else received_at
        )
        return Message(
            id=number,
            conversation=where,
            sender=sender,
            text=words.strip(),
            media=tuple(_attachments(content, kind)),
            sent_at=sent_at,
            kind=kind or "unknown",
            route={"chat": text(message, "chat_id"), "message": "" if where.peer == sender else number},
        )


def _named(words: str, names: Mapping[str, str]) -> str:
    """Placeholders become names in one pass: a name that looks like a placeholder stays one."""
    named = re.sub(r"@_user_\d{1,4}", lambda found: names.get(found.group(), found.group()), words)
    return named.replace("@_all", "@all")


def _rows(content: Json) -> Iterator[list[dict[str, Json]]]:
    """A post's paragraphs, as their elements."""
    rows = at(content, "content")
    for row in rows if isinstance(rows, list) else ():
        yield list(objects({"row": row}, "row"))


def _post(content: Json, names: Mapping[str, str]) -> Iterator[str]:
    """A post's title and paragraphs."""
    yield text(content, "title")
    for row in _rows(content):
        yield "".join(_element(item, names) for item in row)


def _element(item: Json, names: Mapping[str, str]) -> str:
    words, link, who = text(item, "text"), text(item, "href"), text(item, "user_id")
    if text(item, "tag") == "at":
        return names.get(who, "@all" if who == "@_all" else f"@{text(item, 'user_name')}")
    return f"{words} ({link})" if link and link != words else words


_KINDS = {
    "image": "image",
    "img": "image",
    "file": "file",
    "audio": "audio",
    "media": "video",
    "sticker": "sticker",
}
"""By a message's type, and by the tag of an element in a post."""


def _attachments(content: Json, kind: str) -> Iterator[Media]:
    """By the key that `messages/{message_id}/resources/{key}` takes; a video's own image is no picture."""
    inside = [(text(item, "tag"), item) for row in _rows(content) for item in row]
    for tag, item in inside if kind == "post" else [(kind, content)]:
        key = text(item, "file_key") or text(item, "image_key")
        if tag in _KINDS and key:
            length = text(item, "duration")
            seconds = int(length) / 1000 if re.fullmatch(r"[0-9]{1,10}", length) else None
            yield Media(kind=_KINDS[tag], id=key, filename=text(item, "file_name"), seconds=seconds)
