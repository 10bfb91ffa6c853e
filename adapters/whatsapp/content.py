"""What one message says, by its type (sheet §2.2): one small reader each, in a table."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from adapters.errors import Malformed
from adapters.payload import Json, at, objects, read_object, text
from adapters.values import Media


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What the model reads, and the attachments."""

    text: str = ""
    media: tuple[Media, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.text or self.media)


def content(message: Json) -> Content:
    """The content of *message*; empty where its type is none that a customer is answered for, or where the object
    that the type promises is missing (`interactive` was seen without it)."""
    kind = text(message, "type")
    reader = READERS.get(kind)
    return reader(at(message, kind)) if reader else Content()


def _typed(body: Json) -> Content:
    return Content(text=text(body, "body"))


def _media(kind: str) -> Callable[[Json], Content]:
    def read(found: Json) -> Content:
        if not text(found, "id"):
            return Content()
        caption = text(found, "caption")
        media = Media(
            kind=kind,
            id=text(found, "id"),
            mime=text(found, "mime_type").split(";")[0].strip(),  # "audio/ogg; codecs=opus"
            sha256=text(found, "sha256"),
            caption=caption,
            filename=text(found, "filename"),  # the customer's own words: never a path
        )
        return Content(text=caption, media=(media,))

    return read


def _location(place: Json) -> Content:
    spot = f"{_number(place, 'latitude')}, {_number(place, 'longitude')}"
    if spot == ", ":
        return Content()
    return Content(text="\n".join(line for line in (text(place, "name"), text(place, "address"), spot) if line))


def _contacts(cards: Json) -> Content:
    return Content(text="\n".join(filter(None, (_card(card) for card in objects({"cards": cards}, "cards")))))


def _card(card: Json) -> str:
    reached = [text(phone, "phone") for phone in objects(card, "phones")]
    reached += [text(email, "email") for email in objects(card, "emails")]
    name = text(card, "name", "formatted_name") or text(card, "name", "first_name")
    return ": ".join(filter(None, (name, ", ".join(filter(None, reached)))))


def _interactive(reply: Json) -> Content:
    kind = text(reply, "type")
    if kind == "nfm_reply":
        return Content(text="\n".join(_flow(text(reply, kind, "response_json"))))
    return Content(text=text(reply, kind, "title")) if kind in ("button_reply", "list_reply") else Content()


def _flow(response: str) -> Iterator[str]:
    """The fields that the customer filled in; the answer of a flow is JSON within a string."""
    try:
        fields = read_object(response.encode("utf-8", "replace"))
    except Malformed:
        return
    for name in fields:
        value = text(fields, name)
        if value and name != "flow_token":
            yield f"{name}: {value}"


def _button(button: Json) -> Content:
    return Content(text=text(button, "text"))


def _order(order: Json) -> Content:
    lines = [text(order, "text"), *(_item(item) for item in objects(order, "product_items"))]
    return Content(text="\n".join(filter(None, lines)))


def _item(item: Json) -> str:
    price = f"{_number(item, 'item_price')} {text(item, 'currency')}".strip()
    return f"{_number(item, 'quantity') or '1'} × {text(item, 'product_retailer_id')} ({price})"


def _number(source: Json, name: str) -> str:
    """A number as written, whole or not; "" for anything else."""
    value = at(source, name)
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else text(source, name)


READERS: Mapping[str, Callable[[Json], Content]] = {
    "text": _typed,
    **{kind: _media(kind) for kind in ("image", "audio", "video", "document", "sticker")},
    "location": _location,
    "contacts": _contacts,
    "interactive": _interactive,
    "button": _button,
    "order": _order,
}
