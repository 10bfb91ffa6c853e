"""From an answer's Markdown to what a channel can show: files and pictures are lifted out of the text.

`![the plan](file:plan.png)` and `[price list](file:prices.pdf)` name files of `server.files_dir`; an https address
is lifted only if its host is one of `server.file_hosts`, for whoever steers the model could name any other. A
picture leaves nothing in the text, a linked file its words. Code is left as it is.
"""

import mimetypes
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from adapters.hosts import allowed
from adapters.surface import Content
from adapters.values import Attachment, Choice

_LINK = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]+`"  # code, which is not looked into
    r"|(?P<picture>!?)\[(?P<words>(?:[^\[\]\n]|\[[^\[\]\n]{0,100}+\]){0,500}+)\]"
    r"\((?:<(?P<bracketed>[^<>\[\]\n]{1,2000}+)>|(?P<target>[^()\[\]\s]{1,2000}+))(?:\s+\"[^\"\n]*\")?\)",
    re.DOTALL,
)
_UNFINISHED = re.compile(r"!?\[[^\[\]\n]{0,500}+(?:\](?:\([^()\[\]\s]{0,2000}+)?)?\Z")
_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+\n")
_KINDS = {"image": "image", "audio": "audio", "video": "video"}
MOST_ATTACHMENTS = 5
"""A reply is not a parcel: what an answer names beyond these stays text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifted:
    """A text without its attachments, and these."""

    markdown: str
    attachments: tuple[Attachment, ...]


def content(markdown: str, titles: Sequence[str], *, hosts: Collection[str], prompt: str) -> Content:
    """*titles* become choices whose ids are their numbers, so that a platform that gives only the id back says what
    a customer who types the number says."""
    lifted = lift(markdown, hosts)
    choices = tuple(Choice(id=str(number), title=title) for number, title in enumerate(titles, 1))
    return Content(markdown=lifted.markdown, choices=choices, attachments=lifted.attachments, prompt=prompt)


def lift(markdown: str, hosts: Collection[str]) -> Lifted:
    found: list[Attachment] = []

    def replaced(match: re.Match[str]) -> str:
        target = match["bracketed"] or match["target"] or ""
        attachment = _attachment(target, match["words"] or "", match["picture"] == "!", hosts) if target else None
        if attachment is None or len(found) >= MOST_ATTACHMENTS:
            return match[0]
        if attachment not in found:
            found.append(attachment)
        return "" if match["picture"] else match["words"] or attachment.name

    text = _LINK.sub(replaced, markdown)
    if found:
        text = _BLANK_LINES.sub("\n\n", text).strip()
    return Lifted(markdown=text, attachments=tuple(found))


def shown(markdown: str, hosts: Collection[str]) -> str:
    """A text that is still being written, as it may be shown: what begins like a link waits for its end."""
    return _UNFINISHED.sub("", lift(markdown, hosts).markdown)


def _attachment(target: str, words: str, picture: bool, hosts: Collection[str]) -> Attachment | None:
    if target.startswith("file:"):
        path = unquote(target.removeprefix("file:")).lstrip("/")
        return _described(path, words, picture, file=path) if path else None
    if not target.startswith("https://") or not allowed(target, hosts):
        return None
    path = unquote(urlsplit(target).path)
    page = not picture and mimetypes.guess_type(path)[0] in (None, "text/html")
    return None if page else _described(path, words, picture, url=target)


def _described(path: str, words: str, picture: bool, *, file: str = "", url: str = "") -> Attachment:
    name, mime = PurePosixPath(path).name, mimetypes.guess_type(path)[0] or ""
    kind = _KINDS.get(mime.partition("/")[0], "image" if picture and not mime else "document")
    return Attachment(kind=kind, file=file, url=url, name=_named(words.strip(), name), mime=mime)


def _named(words: str, name: str) -> str:
    """The words that the answer has for the file, with the ending that a phone opens it by."""
    ending = PurePosixPath(name).suffix
    if not words:
        return name
    return words if words.casefold().endswith(ending.casefold()) else f"{words}{ending}"
