"""Files that go out: uploaded once and sent by id, or fetched by Meta from a public address (sheet §3.6)."""

import hashlib
import mimetypes
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from adapters.files import Files, NoFile
from adapters.http import HttpAnswer
from adapters.payload import text
from adapters.rules import honest
from adapters.sniffing import UNKNOWN, sniff
from adapters.values import Action, Attachment, Refused, Unknown
from adapters.whatsapp.graph import Graph
from adapters.whatsapp.limits import MEDIA_BYTES, MEDIA_TYPES, is_link
from adapters.whatsapp.refusal import Refusal, impossible
from adapters.whatsapp.verdict import refusal

KEPT = timedelta(days=28)
"""How long an uploaded file is sent again by its id: Meta keeps it for 30 days."""
REMEMBERED = 256
_MIME = re.compile(r"[\w.+-]+/[\w.+-]+")
_LONGEST_NAME = 240
_SOUND = {"video/mp4": "audio/mp4"}
"""An MP4 without pictures may call itself the general kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """*kind* as it is sent, and its object: `id` or `link`, and what the kind has besides. *digest* names an
    upload."""

    kind: str
    reference: dict[str, Any]
    digest: str = ""


class Attachments:
    """Thread-safe; what was uploaded is remembered in this process only."""

    def __init__(self, graph: Graph, files: Files, now: Callable[[], datetime]) -> None:
        self._graph = graph
        self._files = files
        self._now = now
        self._uploads: OrderedDict[str, tuple[str, datetime]] = OrderedDict()
        self._guard = threading.Lock()

    def ready(self, attachment: Attachment) -> Ready:
        """*attachment* as it can be sent. Raises :class:`Refusal`."""
        if not attachment.file:
            return _linked(attachment)
        try:
            content = self._files.read(attachment)
        except NoFile as error:
            raise impossible(str(error)) from None
        kind, mime = _fitting(attachment, content)
        digest = f"{mime} {hashlib.sha256(content).hexdigest()}"
        reference: dict[str, Any] = {"id": self._uploaded(digest, content, mime, _shown_name(attachment))}
        if kind == "document":
            reference["filename"] = _shown_name(attachment)
        if mime == "audio/ogg" and b"OpusHead" in content[:100]:
            reference["voice"] = True  # shown as a voice message: Ogg with Opus only
        return Ready(kind=kind, reference=reference, digest=digest)

    def forget(self, ready: Ready) -> None:
        """The platform would not send what was uploaded: the next try uploads it anew."""
        with self._guard:
            self._uploads.pop(ready.digest, None)

    def _uploaded(self, digest: str, content: bytes, mime: str, name: str) -> str:
        with self._guard:
            media_id, until = self._uploads.get(digest, ("", self._now()))
        if media_id and self._now() < until:
            return media_id
        media_id = self._upload(content, mime, name)
        with self._guard:
            self._uploads[digest] = (media_id, self._now() + KEPT)
            if len(self._uploads) > REMEMBERED:
                self._uploads.popitem(last=False)
        return media_id

    def _upload(self, content: bytes, mime: str, name: str) -> str:
        """No customer sees an upload: one that ended unknown is made again."""
        answer = honest("WhatsApp", lambda: self._graph.upload(content, mime, name))
        uploaded = answer if isinstance(answer, Refused | Unknown) else self._uploaded_as(answer)
        if isinstance(uploaded, Refused):
            raise Refusal(uploaded)
        if isinstance(uploaded, Unknown):
            raise Refusal(Refused(reason=f"the upload failed: {uploaded.reason}", action=Action.RETRY))
        return uploaded

    def _uploaded_as(self, answer: HttpAnswer) -> str | Refused | Unknown:
        return (
            refusal(answer, self._now())
            or text(answer.json, "id")
            or Unknown(reason="it was answered without an id")
        )


def _linked(attachment: Attachment) -> Ready:
    """The platform fetches a link itself, and keeps it for ten minutes."""
    if not is_link(attachment.url):
        raise impossible("a file is sent from server.files_dir, or from a public https address")
    if attachment.kind not in MEDIA_BYTES:
        raise impossible("the file is of no kind that can be sent: image, audio, video or document")
    named = {"filename": _shown_name(attachment)} if attachment.kind == "document" else {}
    return Ready(kind=attachment.kind, reference={"link": attachment.url, **named})


def _fitting(attachment: Attachment, content: bytes) -> tuple[str, str]:
    """The kind and type under which *content* can go. A picture, sound or film of another type, or too large for
    its kind, goes as a document. Raises :class:`Refusal`."""
    if not content:
        raise impossible(f"{attachment.file}: the file is empty")
    found = sniff(content)
    mime = _SOUND.get(found, found) if attachment.kind == "audio" else found
    if mime in MEDIA_TYPES.get(attachment.kind, ()) and len(content) <= MEDIA_BYTES[attachment.kind]:
        return attachment.kind, mime
    if len(content) > MEDIA_BYTES["document"]:
        raise impossible(f"{attachment.file}: larger than the 100 MB that WhatsApp takes")
    guessed = attachment.mime or mimetypes.guess_type(attachment.name or attachment.file)[0] or ""
    vague = found in (UNKNOWN, "text/plain", "application/zip")
    return "document", guessed if vague and _MIME.fullmatch(guessed) else found


def _shown_name(attachment: Attachment) -> str:
    name = attachment.name or PurePosixPath(attachment.file).name or "file"
    return " ".join(name.split())[:_LONGEST_NAME]
