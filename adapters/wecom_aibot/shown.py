"""What a customer sees of one answer: as it is kept between the processes, and as the platform wants it.

A stream is one bubble of text that is replaced as a whole, whenever the platform asks (WeCom sheet §4.4).
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from adapters.markdown import Dialect, Marks, Writer
from adapters.payload import at, read_object, text
from adapters.text import Limit, utf8_bytes
from adapters.values import Choice

LIMIT = Limit(size=20480, measure=utf8_bytes)
MOST_IMAGES = 10
LARGEST_IMAGE = 10 * 1024 * 1024
LONGEST_FEEDBACK_ID = 256

_WRITER = Writer(
    Marks(
        strong="**",
        em="*",
        code="`",
        fence=("```\n", "\n```"),
        heading="#",
        link="[{text}]({url})",
        gap="\n\n",
    )
)
_THOUGHTS = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL | re.IGNORECASE)
_STRAY = re.compile(r"</?think>", re.IGNORECASE)


def _render(markdown: str) -> str:
    """`<think>` would be shown as a model's thoughts, to be unfolded: they are nobody's business."""
    return _WRITER(_STRAY.sub("", _THOUGHTS.sub("", markdown)))


DIALECT = Dialect(_render)
"""The platform's markdown_v2. Tables become lists: older clients show them as plain text (WeCom sheet §6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One state of an answer. *images* are names of the operator's files. *by*: the key of the reply that ended it;
    "" while it grows, or where something else ended it. *waiting*: nothing of the answer is there yet."""

    content: str
    images: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    by: str = ""
    lang: str = ""
    waiting: bool = False

    def dump(self) -> str:
        fields = {
            "content": self.content,
            "images": list(self.images),
            "choices": [[each.id, each.title] for each in self.choices],
            "by": self.by,
            "lang": self.lang,
            "waiting": self.waiting,
        }
        kept = {name: value for name, value in fields.items() if value}
        return json.dumps(kept, ensure_ascii=False).encode("utf-8", "replace").decode()


def loaded(dumped: str) -> Shown:
    found = read_object(dumped.encode())
    images, choices = at(found, "images"), at(found, "choices")
    pairs = choices if isinstance(choices, list) else []
    return Shown(
        content=text(found, "content"),
        images=tuple(each for each in images if isinstance(each, str)) if isinstance(images, list) else (),
        choices=tuple(
            Choice(id=str(each[0]), title=str(each[1]))
            for each in pairs
            if isinstance(each, list) and len(each) == 2
        ),
        by=text(found, "by"),
        lang=text(found, "lang"),
        waiting=at(found, "waiting") is True,
    )


def far(dumped: str) -> int:
    """The characters of the answer that are shown; 0 while it waits."""
    shown = loaded(dumped)
    return 0 if shown.waiting else len(shown.content)


def clipped(content: str, *, room: int = LIMIT.size) -> str:
    """The beginning of *content* within *room* bytes, cut between characters."""
    return content.encode("utf-8", "replace")[:room].decode("utf-8", "ignore")


def ended_early(shown: Shown, notice: str) -> Shown:
    """*shown* with *notice* below what there is of the answer."""
    if shown.waiting or not shown.content.strip():
        return replace(shown, content=notice, waiting=False)
    kept = clipped(shown.content, room=LIMIT.size - utf8_bytes(notice) - 2).rstrip()
    return replace(shown, content=f"{kept}\n\n{notice}")


def stream(
    stream_id: str, content: str, *, finish: bool, images: Sequence[bytes] = (), feedback: str = ""
) -> Mapping[str, object]:
    """The `stream` object of an answer. Images go with the last one only."""
    fields: dict[str, object] = {"id": stream_id, "finish": finish, "content": clipped(content)}
    if feedback:
        fields["feedback"] = {"id": feedback[:LONGEST_FEEDBACK_ID]}
    if finish and images:
        fields["msg_item"] = [{"msgtype": "image", "image": _inline(each)} for each in images[:MOST_IMAGES]]
    return fields


def _inline(image: bytes) -> Mapping[str, str]:
    """The MD5 is the platform's check of the bytes before base64."""
    digest = hashlib.md5(image, usedforsecurity=False).hexdigest()
    return {"base64": base64.b64encode(image).decode(), "md5": digest}
