"""The bodies of a send, by the shape that the customer sees (sheet §3.2). Limits hold before anything is sent."""

import json
from collections.abc import Mapping
from typing import Any

from adapters.text import Limit
from adapters.values import Action, Choice, Part
from adapters.whatsapp.limits import (
    BODY,
    BUTTON,
    BUTTON_ID,
    BUTTONS,
    ROW,
    ROW_DESCRIPTION,
    ROW_ID,
    ROWS,
    TEXT,
    clipped,
    fits,
    is_link,
    titles,
)
from adapters.whatsapp.refusal import impossible

Body = Mapping[str, Any]

LOCATION = "send_location"
"""The id of a choice that, alone, asks the customer for a location."""


def text_message(text: str, *, preview: bool) -> Body:
    if not text.strip():
        raise impossible("there is no text to send")
    if not fits(text, TEXT):
        raise impossible(f"a text has at most {TEXT.size} characters", Action.SPLIT)
    shown = {"preview_url": True} if preview else {}
    return {"type": "text", "text": {"body": text, **shown}}


def interactive(part: Part, *, list_button: str, header: Body | None = None) -> Body:
    """What can be tapped: one link, a request for the location, up to three buttons, or else a list. *header* is
    an image, a video or a document above it."""
    [first, *others] = part.choices
    if not others and not header and first.id == LOCATION:
        return location_request(part.text)
    if not others and opens_link(first):
        return link_button(part.text, first.title, first.description, header)
    if len(part.choices) <= BUTTONS and fits(part.text, BODY):
        return buttons(part.text, part.choices, header)
    if header:
        raise impossible(f"below a file there are at most {BUTTONS} choices and {BODY.size} characters")
    return choice_list(part.text, part.choices, list_button)


def opens_link(choice: Choice) -> bool:
    return is_link(choice.description)


def buttons(text: str, choices: tuple[Choice, ...], header: Body | None = None) -> Body:
    _check_body(text, BODY)
    _check_ids(choices, BUTTON_ID)
    shown_titles = titles(choices, BUTTON)
    shown = [
        {"type": "reply", "reply": {"id": choice.id, "title": title}}
        for choice, title in zip(choices, shown_titles, strict=True)
    ]
    return _interactive("button", text, {"buttons": shown}, header)


def choice_list(text: str, choices: tuple[Choice, ...], button: str) -> Body:
    _check_body(text, TEXT)
    if len(choices) > ROWS:
        raise impossible(f"a list has at most {ROWS} rows in all, not {len(choices)}")
    _check_ids(choices, ROW_ID)
    shown_titles = titles(choices, ROW)
    rows = [_row(choice, title) for choice, title in zip(choices, shown_titles, strict=True)]
    action = {"button": clipped(button, BUTTON), "sections": [{"rows": rows}]}
    return _interactive("list", text, action)


def _row(choice: Choice, title: str) -> Body:
    description = clipped(" ".join(choice.description.split()), ROW_DESCRIPTION)
    return {"id": choice.id, "title": title, **({"description": description} if description else {})}


def link_button(text: str, title: str, url: str, header: Body | None = None) -> Body:
    """`cta_url`: a button that opens *url*. No answer comes back."""
    _check_body(text, BODY)
    if not is_link(url):
        raise impossible("a button opens https addresses only")
    parameters = {"display_text": clipped(" ".join(title.split()), BUTTON), "url": url}
    return _interactive("cta_url", text, {"name": "cta_url", "parameters": parameters}, header)


def location_request(text: str) -> Body:
    """The answer is a message of type `location` that quotes this one."""
    _check_body(text, BODY)
    return _interactive("location_request_message", text, {"name": "send_location"})


def media_message(kind: str, reference: Body, caption: str) -> Body:
    """*reference* holds `id` or `link`, and what the kind has besides. Sound has no caption."""
    if not caption:
        return {"type": kind, kind: reference}
    if kind == "audio":
        raise impossible("a sound has no text beside it: send the text alone")
    if not fits(caption, BODY):
        raise impossible(f"a caption has at most {BODY.size} characters", Action.SPLIT)
    return {"type": kind, kind: {**reference, "caption": caption}}


def reaction(message_id: str, emoji: str) -> Body:
    """On a message of at most 30 days. Whether "" takes a reaction back is UNCONFIRMED: none is ever taken back."""
    return {"type": "reaction", "reaction": {"message_id": message_id, "emoji": emoji}}


def read_receipt(message_id: str) -> Body:
    """Marks as read and shows "typing …" until our answer, or for 25 seconds (sheet §3.5)."""
    return {"status": "read", "message_id": message_id, "typing_indicator": {"type": "text"}}


def encoded(body: Body) -> bytes:
    whole = {"messaging_product": "whatsapp", **body}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _interactive(kind: str, text: str, action: Body, header: Body | None = None) -> Body:
    above = {"header": header} if header else {}
    return {"type": "interactive", "interactive": {"type": kind, **above, "body": {"text": text}, "action": action}}


def _check_body(text: str, limit: Limit) -> None:
    if not text.strip():
        raise impossible("choices need a text above them")
    if not fits(text, limit):
        raise impossible(f"the text above what can be tapped has at most {limit.size} characters", Action.SPLIT)


def _check_ids(choices: tuple[Choice, ...], longest: int) -> None:
    """An id comes back with the tap: a clipped one would be another."""
    ids = [choice.id for choice in choices]
    if not all(0 < len(each) <= longest for each in ids) or len(set(ids)) < len(ids):
        raise impossible(f"each choice needs an id of its own, of 1 to {longest} characters")
