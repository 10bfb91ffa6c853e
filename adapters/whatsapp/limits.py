"""What the platform takes at most (sheet §3.2, §3.6), and how texts are made to fit.

Whether Meta counts code points or UTF-16 units is not published (sheet §9): the larger count is used.
"""

import re
from collections.abc import Iterable, Sequence

from adapters.surface import Menu, Surface
from adapters.text import Limit, split, utf16_units
from adapters.values import Choice


def _units(size: int) -> Limit:
    return Limit(size=size, measure=utf16_units)


TEXT = _units(4096)
BODY = _units(1024)
"""The text above buttons, of a link and of a location request; and a caption."""
BUTTON = _units(20)
ROW = _units(24)
ROW_DESCRIPTION = _units(72)
CALLBACK = 512
BUTTONS = 3
ROWS = 10
"""Of a list, in all its sections together."""
BUTTON_ID = 256
ROW_ID = 200

MEDIA_TYPES = {
    "image": frozenset({"image/jpeg", "image/png"}),
    "audio": frozenset({"audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"}),
    "video": frozenset({"video/mp4", "video/3gpp"}),
}
"""What each kind may be; a document may be anything."""
_MIB = 1024 * 1024
MEDIA_BYTES = {"image": 5 * _MIB, "audio": 16 * _MIB, "video": 16 * _MIB, "document": 100 * _MIB}

SURFACE = Surface(
    buttons=Menu(most=BUTTONS, title=BUTTON, body=BODY),
    menu=Menu(most=ROWS, title=ROW, body=TEXT, description=ROW_DESCRIPTION),
    attachments=frozenset(MEDIA_BYTES),
    caption=BODY,
    typing=True,
    quotes=True,
    hears=frozenset({"image", "audio", "video", "document", "sticker"}),
    note="One message for each answer, since most cost money; pictures that are neither JPEG nor PNG, or too "
    "large, go as documents. A single choice whose description is an https address is a button that opens it.",
)


_LINK = re.compile(r"https://[^\s/?#@]+(?:[/?#]\S*)?")


def is_link(url: str) -> bool:
    """Whether *url* is an https address that Meta would open or fetch, without a user in it."""
    return bool(_LINK.fullmatch(url))


def fits(text: str, limit: Limit) -> bool:
    return limit.measure(text) <= limit.size


def clipped(text: str, limit: Limit) -> str:
    """*text* within *limit*, with "…" where something was cut off."""
    if fits(text, limit):
        return text
    return split(text, Limit(size=limit.size - 1, measure=limit.measure))[0] + "…"


def titles(choices: Iterable[Choice], limit: Limit) -> Sequence[str]:
    """The titles, each on one line, within *limit* and unlike the others: the platform refuses two of the same."""
    made: list[str] = []
    for choice in choices:
        title = clipped(" ".join(choice.title.split()) or choice.id, limit)
        number = 2
        while title in made:
            head = clipped(title, Limit(size=limit.size - 3, measure=limit.measure))
            title, number = f"{head} {number}", number + 1
        made.append(title)
    return made
