"""A file over the long connection, in pieces (WeCom sheet §4.7)."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from adapters.payload import Json, text
from adapters.sniffing import sniff
from adapters.values import Attachment, Refused, Unknown
from adapters.wecom.api import Result
from adapters.wecom_aibot.frames import UPLOAD_BEGIN, UPLOAD_CHUNK, UPLOAD_END, command

MIB = 1024 * 1024
CHUNK = 512 * 1024
"""Bytes before base64."""

Ask = Callable[[str], Result]
"""Says a frame, and brings the platform's answer to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What the platform takes as its *type*: so many bytes, and of these MIME types (none: any)."""

    type: str
    largest: int
    mimes: frozenset[str] = frozenset()

    def takes(self, content: bytes) -> bool:
        fits = SMALLEST <= len(content) <= self.largest
        return fits and (not self.mimes or sniff(content) in self.mimes)


SMALLEST = 6
FILE = Kind(type="file", largest=20 * MIB)
KINDS: Mapping[str, Kind] = {
    "image": Kind(type="image", largest=10 * MIB, mimes=frozenset({"image/png", "image/jpeg"})),
    "audio": Kind(type="voice", largest=2 * MIB, mimes=frozenset({"audio/amr"})),
    "video": Kind(type="video", largest=10 * MIB, mimes=frozenset({"video/mp4"})),
    "document": FILE,
}
"""By the kind of an attachment (WeCom sheet §7)."""


def kind_of(attachment: Attachment, content: bytes) -> Kind | None:
    """What it is sent as: a plain file, where it is no picture, sound or film that the platform takes; None: it
    cannot be sent at all."""
    fitting = (kind for kind in (KINDS.get(attachment.kind, FILE), FILE) if kind.takes(content))
    return next(fitting, None)


def upload(kind: Kind, file: str, content: bytes, ask: Ask) -> str | Refused | Unknown:
    """The media id, good for three days."""
    pieces = [content[place : place + CHUNK] for place in range(0, len(content), CHUNK)]
    begin = {
        "type": kind.type,
        "filename": PurePosixPath(file).name,
        "total_size": len(content),
        "total_chunks": len(pieces),
        "md5": hashlib.md5(content, usedforsecurity=False).hexdigest(),
    }
    begun = _asked(ask, UPLOAD_BEGIN, begin, "upload_id")
    if not isinstance(begun, str):
        return begun
    for index, piece in enumerate(pieces):
        chunk = {"upload_id": begun, "chunk_index": index, "base64_data": base64.b64encode(piece).decode()}
        result = ask(command(UPLOAD_CHUNK, chunk))
        if isinstance(result, Refused | Unknown):
            return result
    return _asked(ask, UPLOAD_END, {"upload_id": begun}, "media_id")


def _asked(ask: Ask, cmd: str, body: Mapping[str, object], field: str) -> str | Refused | Unknown:
    """The *field* of the answer. Whether it stands in a body of its own is not said: either place will do."""
    result = ask(command(cmd, body))
    if isinstance(result, Refused | Unknown):
        return result
    return _found(result, field) or Unknown(reason=f"the platform's answer to {cmd} has no {field}")


def _found(answer: Json, field: str) -> str:
    return text(answer, "body", field) or text(answer, field)
