"""What one message says, by its type (sheet §2.2): one small reader each, in a table."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from adapters.errors import Malformed
from adapters.payload import Json, at, objects, read_object, text
from adapters.values import Media

_LONGEST_ABOUT = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What the model reads, the attachments, and the id of what was tapped."""

    text: str = ""
    media: tuple[Media, ...] = ()
    choice: str = ""

    def __bool__(self) -> bool:
        return bool(self.text or self.media)


def content(message: Json) -> Content:
    """The content of *message*; empty where its type is none that a customer is answered for, or where the object
    that the type promises is missing (`interactive` was seen without it)."""
    kind = text(message, "type")
    reader = READERS.get(kind)
    said = reader(at(message, kind)) if reader else Content()
    return replace(said, text="\n".join(filter(None, [said.text, *_about(message)]))) if said else said


def _about(message: Json) -> Iterator[str]:
    """What the customer was looking at when writing: "is this still there?" cannot be answered without it. These
    are not the platform's words either, and the model is to trust them no more than the customer's."""
    if source := text(message, "referral", "source_type"):
        shown = (text(message, "referral", name)[:_LONGEST_ABOUT] for name in ("headline", "body"))
        named = " – ".join(filter(None, shown))
        yield f"(came from this {source[:20]}: {named})" if named else f"(came from an {source[:20]})"
    if product := text(message, "context", "referred_product", "product_retailer_id"):
        yield f"(about the product {product[:_LONGEST_ABOUT]})"


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
    """Of a kind that is not known here (a product, since August 2026), the title, or else whatever it holds."""
    kind = text(reply, "type")
    if kind == "nfm_reply":
        fields = "\n".join(_flow(text(reply, kind, "response_json")))
        return Content(text=fields or text(reply, kind, "body"))
    title = text(reply, kind, "title") or "\n".join(_fields(at(reply, kind)))
    return Content(text=title, choice=text(reply, kind, "id"))


def _flow(response: str) -> Iterator[str]:
    """The fields that the customer filled in; the answer of a flow is JSON within a string."""
    try:
        yield from _fields(read_object(response.encode("utf-8", "replace")))
    except Malformed:
        return


def _fields(filled: Json) -> Iterator[str]:
    """A line for each; those of an address lie one level down."""
    for name, value in filled.items() if isinstance(filled, dict) else ():
        inner = value if isinstance(value, dict) else {name: value}
        for each in inner:
            if (shown := _plain(inner[each])) and each != "flow_token":
                yield f"{each}: {shown}"


def _plain(value: Json) -> str:
    """A value that a form can have, as text: words, numbers, yes or no, several of them."""
    if isinstance(value, list):
        return ", ".join(filter(None, map(_plain, value)))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, str | int | float) else ""


def _button(button: Json) -> Content:
    return Content(text=text(button, "text"), choice=text(button, "payload"))


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
