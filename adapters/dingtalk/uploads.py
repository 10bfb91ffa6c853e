"""Our own files on their way to DingTalk (DingTalk sheet §6, §2.4): what it takes, and how it wants to be told."""

import hashlib
import re
import struct
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.channel import Services
from adapters.dingtalk.api import OpenApi
from adapters.dingtalk.lengths import amr_milliseconds, mp4_shape
from adapters.dingtalk.verdict import refusal
from adapters.files import NoFile
from adapters.multipart import multipart
from adapters.payload import text
from adapters.sniffing import sniff
from adapters.values import Action, Attachment, Refused, Unknown

MEGABYTE = 1024 * 1024
KEPT = timedelta(hours=1)
"""For so long a media id is used again. It is reusable (§6); for how long is not documented."""
MOST_KEPT = 256
_EXTENSION = re.compile(r"\.([A-Za-z0-9]{1,8})$")
_UNSAFE = re.compile(r'[\x00-\x1f\x7f"\\/]')


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What DingTalk takes of one kind: its *word* for it, *most* bytes, file names' *endings*, the bytes' *types*
    (empty: any)."""

    word: str
    most: int
    endings: frozenset[str]
    types: frozenset[str] = frozenset()


KINDS: Mapping[str, Kind] = {
    "image": Kind(
        word="image",
        most=20 * MEGABYTE,
        endings=frozenset({"jpg", "jpeg", "gif", "png", "bmp"}),
        types=frozenset({"image/jpeg", "image/gif", "image/png", "image/bmp"}),
    ),
    # mp3 and wav can be uploaded, but `sampleAudio` plays ogg and amr only: amr is what both take (§2.4, §6).
    "audio": Kind(word="voice", most=2 * MEGABYTE, endings=frozenset({"amr"}), types=frozenset({"audio/amr"})),
    "video": Kind(word="video", most=20 * MEGABYTE, endings=frozenset({"mp4"}), types=frozenset({"video/mp4"})),
    "document": Kind(
        word="file",
        most=20 * MEGABYTE,
        endings=frozenset({"doc", "docx", "xls", "xlsx", "ppt", "pptx", "zip", "pdf", "rar"}),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """A file that DingTalk has. *name* and *ending* are what the customer sees."""

    media_id: str
    content: bytes
    name: str
    ending: str


class Uploads:
    """Brings files to DingTalk, each once in a while."""

    def __init__(self, services: Services, api: OpenApi) -> None:
        self._services = services
        self._api = api
        self._known: dict[str, tuple[str, datetime]] = {}
        self._guard = threading.Lock()

    def bring(self, attachment: Attachment) -> Uploaded | Refused | Unknown:
        """Raises as `OpenApi.upload`."""
        kind = KINDS[attachment.kind]
        try:
            content = self._services.files.read(attachment)
        except NoFile as error:
            return Refused(reason=str(error), action=Action.GIVE_UP)
        name = shown_name(attachment)
        complaint = _complaint(kind, name, content)
        if complaint:
            return Refused(reason=f"{attachment.file}: {complaint}", action=Action.GIVE_UP)
        given = self._upload(kind.word, name, content)
        if not isinstance(given, str):
            return given
        return Uploaded(media_id=given, content=content, name=name, ending=_ending(name))

    def bring_cover(self) -> str | Refused | Unknown:
        """A plain picture: a video message wants one to show before it plays."""
        return self._upload("image", "cover.png", plain_png(320, 180))

    def _upload(self, word: str, name: str, content: bytes) -> str | Refused | Unknown:
        digest = f"{word}:{_ending(name)}:{hashlib.sha256(content).hexdigest()}"
        with self._guard:
            media_id, until = self._known.get(digest, ("", self._services.now()))
        if media_id and until > self._services.now():
            return media_id
        body, content_type = multipart("media", content, filename=name, mime=sniff(content))
        answer = self._api.upload(word, body, content_type)
        refused = refusal(answer, self._services.now())
        if refused is not None:
            return refused
        media_id = text(answer.json, "media_id")
        if not media_id:
            return Unknown(reason="HTTP 200 without media_id")
        with self._guard:
            if len(self._known) >= MOST_KEPT:
                self._known.clear()
            self._known[digest] = (media_id, self._services.now() + KEPT)
        return media_id


def shown_name(attachment: Attachment) -> str:
    """The name that the customer sees, always with the file's own ending."""
    own = _UNSAFE.sub("_", attachment.file.rpartition("/")[2])
    name = _UNSAFE.sub("_", attachment.name) or own
    return name if _ending(name) or not _ending(own) else f"{name}.{_ending(own)}"


def _ending(name: str) -> str:
    found = _EXTENSION.search(name)
    return found.group(1).lower() if found else ""


def _complaint(kind: Kind, name: str, content: bytes) -> str:
    if not content or len(content) > kind.most:
        return f"DingTalk takes 1 byte to {kind.most // MEGABYTE} MB of this kind"
    if (kind.types and sniff(content) not in kind.types) or _ending(name) not in kind.endings:
        return f"DingTalk takes {', '.join(sorted(kind.endings))} here: convert the file"
    return ""


def message_of(uploaded: Uploaded, kind: str, cover: str) -> tuple[str, dict[str, str]]:
    """`msgKey` and `msgParam` of an uploaded file (§2.4). All values are strings."""
    if kind == "image":
        return "sampleImageMsg", {"photoURL": uploaded.media_id}
    if kind == "audio":
        length = amr_milliseconds(uploaded.content)
        return "sampleAudio", {"mediaId": uploaded.media_id, "duration": str(length)}
    if kind == "video":
        shape = mp4_shape(uploaded.content)
        return "sampleVideo", {
            "duration": str(shape.seconds),
            "videoMediaId": uploaded.media_id,
            "videoType": "mp4",
            "picMediaId": cover,
            "height": str(shape.height),
            "width": str(shape.width),
        }
    return "sampleFile", {"mediaId": uploaded.media_id, "fileName": uploaded.name, "fileType": uploaded.ending}


def plain_png(width: int, height: int) -> bytes:
    """A dark grey picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\x00" + b"\x30" * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
