"""What the Cloud API takes of a send, and what the customer then sees: every type and limit of §3.2."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from bot.sandbox.simulator.journal import Choice
from bot.sandbox.simulator.platform import member
from bot.sandbox.simulator.seen import Seen
from bot.sandbox.whatsapp.graph import graph_error, invalid, missing
from bot.sandbox.whatsapp.templates import BadTemplate
from bot.sandbox.whatsapp.templates import shown as template_text

LONGEST_TEXT = 4096
LONGEST_BODY = 1024
LONGEST_CALLBACK_DATA = 512
MEDIA = ("image", "audio", "video", "document", "sticker")


def seen(body: Mapping[str, Any]) -> Seen:
    """Raises Refusal for whatever breaks a limit of §3.2."""
    kind = body.get("type", "text")
    if body.get("recipient_type", "individual") not in ("individual", "group"):
        raise invalid("recipient_type")
    key = body.get("biz_opaque_callback_data", "")
    if not isinstance(key, str) or len(key) > LONGEST_CALLBACK_DATA:
        raise invalid("biz_opaque_callback_data", "callback_data_too_long")
    reader = READERS.get(str(kind))
    if reader is None:
        raise graph_error(400, 131051, "Unsupported message type", str(kind)[:40], rule="unknown_type")
    if reader is not _text and kind in body and not isinstance(body[kind], dict | list):
        raise missing(f"{kind} is an object")
    return reader(body)


def _text(body: Mapping[str, Any]) -> Seen:
    return Seen(text=_words(member(body, "text", "body"), "text.body", LONGEST_TEXT))


def _media(body: Mapping[str, Any]) -> Seen:
    kind = body["type"]
    if kind not in body:
        raise graph_error(
            400, 131051, "Unsupported message type", f"{kind} without its object", rule="unknown_type"
        )
    given = body[kind]
    id_, link = member(given, "id"), member(given, "link")
    if (id_ is None) == (link is None):
        raise missing(f"{kind}.id or {kind}.link, one of them")
    if link is not None and urlsplit(str(link)).scheme not in ("http", "https"):
        raise invalid(f"{kind}.link")
    caption = member(given, "caption")
    if caption is not None and kind in ("audio", "sticker"):
        raise invalid(f"{kind} has no caption", "caption_where_none_is")
    words = "" if caption is None else _words(caption, f"{kind}.caption", LONGEST_BODY)
    name = member(given, "filename") if kind == "document" else ""
    return Seen(text=words, media=str(id_ or link), media_kind=kind, media_name=str(name or ""))


def _interactive(body: Mapping[str, Any]) -> Seen:
    given = member(body, "interactive")
    kind = member(given, "type")
    builder = INTERACTIVE.get(str(kind))
    if builder is None:
        raise invalid("interactive.type", "unknown_type")
    header, footer = member(given, "header", "text"), member(given, "footer", "text")
    for words, what in ((header, "header"), (footer, "footer")):
        if words is not None:
            _words(words, f"interactive.{what}.text", 60)
    return builder(given)


def _buttons(given: Any) -> Seen:
    words = _words(member(given, "body", "text"), "interactive.body.text", LONGEST_BODY)
    buttons = member(given, "action", "buttons")
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= 3:
        raise invalid("1 to 3 buttons", "too_many_choices")
    choices = tuple(
        Choice(
            id=_words(member(each, "reply", "id"), "button id", 256),
            title=_words(member(each, "reply", "title"), "button title", 20),
        )
        for each in buttons
    )
    _unique(choices, titles=True)
    return Seen(text=words, choices=choices)


def _list(given: Any) -> Seen:
    words = _words(member(given, "body", "text"), "interactive.body.text", LONGEST_TEXT)
    _words(member(given, "action", "button"), "action.button", 20)
    sections = member(given, "action", "sections")
    if not isinstance(sections, list) or not 1 <= len(sections) <= 10:
        raise invalid("1 to 10 sections", "too_many_choices")
    for section in sections:
        if len(sections) > 1 or member(section, "title"):
            _words(member(section, "title"), "section title", 24)
    rows = [row for section in sections for row in member(section, "rows") or ()]
    if not 1 <= len(rows) <= 10:
        raise invalid("1 to 10 rows in all sections together", "too_many_choices")
    choices = tuple(_row(row) for row in rows)
    _unique(choices, titles=False)
    return Seen(text=words, choices=choices)


def _row(row: Any) -> Choice:
    described = member(row, "description")
    return Choice(
        id=_words(member(row, "id"), "row id", 200),
        title=_words(member(row, "title"), "row title", 24),
        description="" if described is None else _words(described, "row description", 72),
    )


def _unique(choices: tuple[Choice, ...], *, titles: bool) -> None:
    ids = {choice.id for choice in choices}
    if len(ids) < len(choices) or (titles and len({choice.title for choice in choices}) < len(choices)):
        raise invalid("ids (and the titles of buttons) are unique", "choices_not_unique")


def _cta_url(given: Any) -> Seen:
    words = _words(member(given, "body", "text"), "interactive.body.text", LONGEST_BODY)
    parameters = member(given, "action", "parameters")
    title = _words(member(parameters, "display_text"), "display_text", 20)
    url = _words(member(parameters, "url"), "url", 2000)
    return Seen(text=f"{words}\n\n{title}: {url}")


def _location_request(given: Any) -> Seen:
    if member(given, "action", "name") != "send_location":
        raise invalid("action.name")
    words = _words(member(given, "body", "text"), "interactive.body.text", LONGEST_BODY)
    return Seen(text=words, choices=(Choice(id="send_location", title="📍"),))


INTERACTIVE: Mapping[str, Callable[[Any], Seen]] = {
    "button": _buttons,
    "list": _list,
    "cta_url": _cta_url,
    "location_request_message": _location_request,
}


def _reaction(body: Mapping[str, Any]) -> Seen:
    _words(member(body, "reaction", "message_id"), "reaction.message_id", 512)
    emoji = member(body, "reaction", "emoji")
    if not isinstance(emoji, str):
        raise missing("reaction.emoji")
    return Seen(text=emoji)


def _location(body: Mapping[str, Any]) -> Seen:
    latitude, longitude = member(body, "location", "latitude"), member(body, "location", "longitude")
    if latitude is None or longitude is None:
        raise missing("location.latitude and location.longitude")
    return Seen(text=f"📍 {latitude}, {longitude}")


def _contacts(body: Mapping[str, Any]) -> Seen:
    cards = member(body, "contacts")
    if not isinstance(cards, list) or not cards:
        raise missing("contacts")
    names = [_words(member(card, "name", "formatted_name"), "formatted_name", 512) for card in cards]
    return Seen(text="👤 " + ", ".join(names))


def _template(body: Mapping[str, Any]) -> Seen:
    try:
        return Seen(text=template_text(body.get("template")))
    except BadTemplate as error:
        raise graph_error(error.status, error.code, error.message, error.details, rule="template_wrong") from error


READERS: Mapping[str, Callable[[Mapping[str, Any]], Seen]] = {
    "text": _text,
    "interactive": _interactive,
    "reaction": _reaction,
    "location": _location,
    "contacts": _contacts,
    "template": _template,
    **dict.fromkeys(MEDIA, _media),
}


def _words(value: Any, what: str, longest: int) -> str:
    if not isinstance(value, str) or not value.strip():
        raise missing(what)
    if len(value) > longest:
        raise invalid(f"{what} has {len(value)} characters, not at most {longest}", "too_long")
    return value
