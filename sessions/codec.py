"""Our values as compact JSON, and back.

Fields that have their default are left out, and unknown ones are ignored when read, so that processes of two
versions can share one Redis during an upgrade. Times are whole microseconds since the epoch. Lone surrogates
survive: whatever was accepted can be read again.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.values import Attachment, Choice, ConversationId, Media, Message, Part, Reply
from sessions.inbox import HistoryEntry, PartRecord, PartState, StoredReply

Fields = Mapping[str, Any]

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST = (datetime.min.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND
_LAST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND


def micros(moment: datetime) -> int:
    """A moment whose UTC has no year becomes the nearest that has one: what was accepted must be readable."""
    return max(_FIRST, min(_LAST, (moment - EPOCH) // _MICROSECOND))


def from_micros(value: int) -> datetime:
    return EPOCH + timedelta(microseconds=value)


def from_millis(value: int | bytes | float) -> datetime:
    return EPOCH + timedelta(milliseconds=int(value))


def millis(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)


def digest(text: str) -> str:
    """What `Conversation.recent` knows a sent text by: 32 hex characters."""
    return hashlib.sha256(dump_text(text)).hexdigest()[:32]


def part_digest(part: Part) -> str:
    """What `Conversation.recent` knows a part by: its text, and what is shown or sent with it."""
    shown = [[choice.id, choice.title, choice.description] for choice in part.choices]
    sent = _attachment_fields(part.attachment) if part.attachment else {}
    return digest(f"{part.text}\0{_encode([shown, sent])}" if shown or sent else part.text)


def dump_text(text: str) -> bytes:
    """What comes from a platform or a model may hold half a character."""
    return text.encode("utf-8", "surrogatepass")


def load_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _dump(value: object) -> bytes:
    return dump_text(_encode(value))


def _without_defaults(fields: Fields) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def dump_fields(fields: Fields) -> bytes:
    return _dump(fields)


def load_fields(data: bytes) -> Fields:
    """One JSON object."""
    fields: Fields = json.loads(data)
    return fields


def dump_message(message: Message) -> bytes:
    fields = _without_defaults(
        {
            "sender_name": message.sender_name,
            "quoted": message.quoted,
            "route": dict(message.route),
            "media": [_media_fields(media) for media in message.media],
            "redriven": message.redriven,
        }
    )
    return _dump(
        {
            "id": message.id,
            "conversation": message.conversation.key,
            "sender": message.sender,
            "text": message.text,
            "sent_at": micros(message.sent_at),
            "kind": message.kind,
            **fields,
        }
    )


def _media_fields(media: Media) -> dict[str, Any]:
    optional = {
        "mime": media.mime,
        "sha256": media.sha256,
        "caption": media.caption,
        "filename": media.filename,
    }
    fields = {"kind": media.kind, "id": media.id, **_without_defaults(optional)}
    return fields if media.seconds is None else {**fields, "seconds": media.seconds}


def load_message(data: bytes) -> Message:
    return _message(load_fields(data))


def load_messages(data: bytes) -> tuple[Message, ...]:
    """From a JSON array of messages, as a dead letter holds it."""
    return tuple(_message(fields) for fields in json.loads(data))


def _message(fields: Fields) -> Message:
    return Message(
        id=fields["id"],
        conversation=ConversationId.of(fields["conversation"]),
        sender=fields["sender"],
        sender_name=fields.get("sender_name", ""),
        text=fields["text"],
        media=tuple(_media(media) for media in fields.get("media", ())),
        sent_at=from_micros(fields["sent_at"]),
        quoted=fields.get("quoted", ""),
        kind=fields["kind"],
        route=fields.get("route", {}),
        redriven=fields.get("redriven", ""),
    )


def _media(fields: Fields) -> Media:
    return Media(
        kind=fields["kind"],
        id=fields["id"],
        mime=fields.get("mime", ""),
        sha256=fields.get("sha256", ""),
        caption=fields.get("caption", ""),
        filename=fields.get("filename", ""),
        seconds=fields.get("seconds"),
    )


def dump_entry(entry: HistoryEntry) -> bytes:
    fields = {"role": entry.role, "content": entry.content, "at": micros(entry.at), "key": entry.key}
    return _dump({**fields, **_without_defaults({"pending": entry.pending, "choices": entry.choices})})


def load_entry(data: bytes) -> HistoryEntry:
    fields = load_fields(data)
    return HistoryEntry(
        role=fields["role"],
        content=fields["content"],
        at=from_micros(fields["at"]),
        key=fields["key"],
        pending=fields.get("pending", ""),
        choices=tuple(fields.get("choices", ())),
    )


def dump_record(record: PartRecord) -> bytes:
    optional = {"platform_id": record.platform_id, "sends": record.sends, "refusals": record.refusals}
    return _dump({"state": record.state.value, "at": micros(record.at), **_without_defaults(optional)})


def _record(fields: Fields) -> PartRecord:
    return PartRecord(
        state=PartState(fields["state"]),
        at=from_micros(fields["at"]),
        platform_id=fields.get("platform_id", ""),
        sends=fields.get("sends", 0),
        refusals=fields.get("refusals", 0),
    )


def dump_reply(reply: Reply) -> bytes:
    """Without the conversation, which whoever stores it knows."""
    return _dump({"key": reply.key, "parts": list(map(_part_fields, reply.parts)), "route": dict(reply.route)})


def _part_fields(part: Part) -> list[Any]:
    """[text, repeated, template, choices, attachment] without the defaults at its end: what is stored most is
    stored shortest."""
    choices = [[choice.id, choice.title, choice.description] for choice in part.choices]
    attachment = _attachment_fields(part.attachment) if part.attachment else 0
    fields = [part.text, int(part.repeated), part.template, choices, attachment]
    while len(fields) > 1 and not fields[-1]:
        fields.pop()
    return fields


def _attachment_fields(attachment: Attachment) -> dict[str, Any]:
    optional = {
        "file": attachment.file,
        "url": attachment.url,
        "name": attachment.name,
        "mime": attachment.mime,
    }
    return {"kind": attachment.kind, **_without_defaults(optional)}


def _part(
    text: str,
    repeated: int = 0,
    template: str = "",
    choices: Sequence[Sequence[str]] = (),
    attachment: Fields | None = None,
    *_: object,
) -> Part:
    return Part(
        text=text,
        repeated=bool(repeated),
        template=template,
        choices=tuple(Choice(id=id_, title=title, description=more) for id_, title, more, *_ in choices),
        attachment=_attachment(attachment) if attachment else None,
    )


def _attachment(fields: Fields) -> Attachment:
    return Attachment(
        kind=fields["kind"],
        file=fields.get("file", ""),
        url=fields.get("url", ""),
        name=fields.get("name", ""),
        mime=fields.get("mime", ""),
    )


def load_stored(
    reply: bytes, records: Sequence[Fields], fallback: bytes, conversation: ConversationId
) -> StoredReply:
    fields = load_fields(reply)
    return StoredReply(
        reply=Reply(
            key=fields["key"],
            conversation=conversation,
            parts=tuple(_part(*part) for part in fields["parts"]),
            route=fields["route"],
        ),
        records=tuple(_record(record) for record in records),
        fallback=fallback.decode(),
    )
