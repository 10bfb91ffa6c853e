"""Which parts of a reply go out together.

The platform gives one question a stream and one further message, so parts are carried in loads as large as one
message may be. The first part of a load sends it; with the others, it has gone out already.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.text import utf8_bytes
from adapters.values import Attachment, Choice, Part
from adapters.wecom_aibot.shown import LIMIT, MOST_IMAGES, clipped

_GAP = "\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """*number* 0 is the first; *first* is the index of its first part."""

    number: int
    first: int
    parts: tuple[Part, ...]

    @property
    def content(self) -> str:
        return _GAP.join(part.text for part in self.parts if part.text.strip())

    @property
    def choices(self) -> tuple[Choice, ...]:
        return next((part.choices for part in reversed(self.parts) if part.choices), ())

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        return tuple(part.attachment for part in self.parts if part.attachment)


def load_of(parts: Sequence[Part], index: int, *, with_pictures: bool = True) -> Load:
    """The load that part *index* is in. Without *with_pictures*, each attachment is a load of its own."""
    for number, (first, last) in enumerate(_loads(parts, with_pictures=with_pictures)):
        if first <= index < last:
            return Load(number=number, first=first, parts=tuple(parts[first:last]))
    raise IndexError(index)


def _loads(parts: Sequence[Part], *, with_pictures: bool) -> list[tuple[int, int]]:
    loads: list[tuple[int, int]] = []
    size = images = first = 0
    for index, part in enumerate(parts):
        more = utf8_bytes(part.text) + len(_GAP)
        picture = 1 if part.attachment else 0
        apart = not with_pictures and index > 0 and bool(part.attachment or parts[index - 1].attachment)
        if index > first and (apart or size + more > LIMIT.size or images + picture > MOST_IMAGES):
            loads.append((first, index))
            first, size, images = index, 0, 0
        size, images = size + more, images + picture
    return [*loads, (first, len(parts))]


def numbered(load: Load) -> str:
    """The text of *load* where there are neither buttons nor pictures: choices as numbered lines, files by name."""
    lines = [f"{number}. {each.title}" for number, each in enumerate(load.choices, 1)]
    return with_names("\n\n".join(filter(None, [load.content, "\n".join(lines)])), load.attachments)


def with_names(content: str, attachments: Sequence[Attachment]) -> str:
    """*content*, and below it the files that cannot be shown."""
    files = "\n".join(f"📎 {each.name or each.file}" for each in attachments)
    return clipped(_GAP.join(filter(None, [content, files])))
