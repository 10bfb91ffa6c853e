"""What customers send and do, as the `messages` of a webhook has it: every type of §2.2, each with an example."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from bot.sandbox.simulator.media import PNG, File
from bot.sandbox.whatsapp.media import described

OGG = b"OggS" + bytes(24) + b"OpusHead" + bytes(64)
PDF = b"%PDF-1.4\n%an example\n%%EOF\n"
MP4 = bytes(4) + b"ftypisom" + bytes(64)
WEBP = b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(32)

FILES: Mapping[str, tuple[bytes, str, str]] = {
    "image": (PNG, "image/png", "photo.png"),
    "audio": (OGG, "audio/ogg; codecs=opus", "voice.ogg"),
    "video": (MP4, "video/mp4", "clip.mp4"),
    "document": (PDF, "application/pdf", "invoice.pdf"),
    "sticker": (WEBP, "image/webp", "sticker.webp"),
}

KINDS: Mapping[str, Mapping[str, Any]] = {
    "image": {"caption": ""},
    "audio": {},
    "video": {"caption": ""},
    "document": {"caption": "", "filename": "invoice.pdf"},
    "sticker": {},
    "location": {"latitude": 52.52, "longitude": 13.405, "name": "Alexanderplatz", "address": "Berlin"},
    "contacts": {"name": "Bea Example", "phone": "+4915112345678"},
    "button_reply": {"id": "choice-1", "title": "Yes"},
    "list_reply": {"id": "row-1", "title": "Order status", "description": ""},
    "nfm_reply": {"response": {"city": "Berlin"}},
    "button": {"payload": "track", "text": "Track my parcel"},
    "reaction": {"message_id": "", "emoji": "👍"},
    "order": {"text": "Please", "retailer_id": "sku-7", "quantity": 2, "item_price": 12.5, "currency": "EUR"},
    "unsupported": {"what": "poll_creation"},
    "edit": {"message_id": "", "text": "I meant Tuesday"},
    "revoke": {"message_id": ""},
    "forwarded": {"text": "Have you seen this?"},
    "referral": {"text": "I saw your ad", "source_id": "ad-1"},
    "group": {"text": "Hello all", "group_id": "group-1"},
    "number_changed": {"new": "14155550199"},
    "unknown": {},
}
"""What a customer can send besides text, with the fields of an example."""


def content(kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The message's own members; none of who sent it and when."""
    given = {**KINDS[kind], **fields}
    builder = BUILDERS.get(kind)
    return builder(given) if builder else {"type": kind, kind: {}}


def media_content(kind: str, id_: str, file: File, fields: Mapping[str, Any]) -> dict[str, Any]:
    more = {name: fields[name] for name in ("caption", "filename") if fields.get(name)}
    more |= {"audio": {"voice": True}, "sticker": {"animated": False}}.get(kind, {})
    return {"type": kind, kind: described(id_, file, **more)}


def _location(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "location", "location": {name: value for name, value in given.items() if value != ""}}


def _contacts(given: Mapping[str, Any]) -> dict[str, Any]:
    card = {"name": {"formatted_name": given["name"]}, "phones": [{"phone": given["phone"], "type": "CELL"}]}
    return {"type": "contacts", "contacts": [card]}


def _interactive(kind: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    def build(given: Mapping[str, Any]) -> dict[str, Any]:
        return {"type": "interactive", "interactive": {"type": kind, kind: {k: v for k, v in given.items() if v}}}

    return build


def _flow(given: Mapping[str, Any]) -> dict[str, Any]:
    reply = {"name": "flow", "body": "Sent", "response_json": json.dumps(given["response"])}
    return {"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": reply}}


def _reaction(given: Mapping[str, Any]) -> dict[str, Any]:
    reaction = {"message_id": given["message_id"]}
    return {"type": "reaction", "reaction": reaction | ({"emoji": given["emoji"]} if given["emoji"] else {})}


def _order(given: Mapping[str, Any]) -> dict[str, Any]:
    item = {
        "product_retailer_id": given["retailer_id"],
        "quantity": given["quantity"],
        "item_price": given["item_price"],
        "currency": given["currency"],
    }
    return {"type": "order", "order": {"catalog_id": "catalog-1", "text": given["text"], "product_items": [item]}}


def _unsupported(given: Mapping[str, Any]) -> dict[str, Any]:
    error = {"code": 131051, "title": "Message type unknown", "message": "Message type unknown"}
    return {"type": "unsupported", "errors": [error], "unsupported": {"type": given["what"]}}


def _edit(given: Mapping[str, Any]) -> dict[str, Any]:
    message = {"type": "text", "text": {"body": given["text"]}}
    return {"type": "edit", "edit": {"original_message_id": given["message_id"], "message": message}}


def _text(given: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": {"body": given["text"]}, **more}


BUILDERS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "location": _location,
    "contacts": _contacts,
    "button_reply": _interactive("button_reply"),
    "list_reply": _interactive("list_reply"),
    "nfm_reply": _flow,
    "button": lambda given: {"type": "button", "button": {"payload": given["payload"], "text": given["text"]}},
    "reaction": _reaction,
    "order": _order,
    "unsupported": _unsupported,
    "edit": _edit,
    "revoke": lambda given: {"type": "revoke", "revoke": {"original_message_id": given["message_id"]}},
    "forwarded": lambda given: _text(given, context={"forwarded": True}),
    "referral": lambda given: _text(
        given,
        referral={
            "source_url": "https://fb.me/example",
            "source_id": given["source_id"],
            "source_type": "ad",
            "headline": "Autumn sale",
            "body": "Everything must go",
            "media_type": "image",
        },
    ),
    "group": lambda given: _text(given, group_id=given["group_id"]),
    "unknown": lambda _: {"type": "hologram", "hologram": {"shape": "cube"}},
}
