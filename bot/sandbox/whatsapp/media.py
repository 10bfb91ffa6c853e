"""Media of the Cloud API: upload, the two steps of a download, and deletion (§3.6)."""

import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from bot.sandbox.simulator.forms import form
from bot.sandbox.simulator.media import File, Shelf
from bot.sandbox.simulator.serving import Answer, Incoming, answer_json
from bot.sandbox.whatsapp.graph import graph_error, invalid, missing

URL_LIFE = timedelta(minutes=5)
FROM_WEBHOOK = timedelta(days=7)
UPLOADED = timedelta(days=30)
LARGEST = {
    "audio": 16_000_000,
    "image": 5_000_000,
    "video": 16_000_000,
    "sticker": 500_000,
    "document": 100_000_000,
}
"""Bytes (§3.6)."""
TYPES = {
    "image": ("image/jpeg", "image/png"),
    "audio": ("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"),
    "video": ("video/mp4", "video/3gpp"),
    "sticker": ("image/webp",),
}


class MediaDesk:
    """One number's media. *base* gives the platform's own address."""

    def __init__(self, shelf: Shelf, now: Callable[[], datetime], base: Callable[[], str]) -> None:
        self._shelf = shelf
        self._now = now
        self._base = base
        self._life: dict[str, timedelta] = {}
        self._links: dict[str, tuple[str, datetime]] = {}
        self.hidden_type = ""
        """A content type that downloads claim instead of their own; "" is honest."""
        self.slow = timedelta()
        """How long a download's body takes: half at once, the rest after it (§7.3)."""

    def keep(self, content: bytes, mime: str, name: str, *, uploaded: bool) -> str:
        """The new file's id."""
        id_ = str(secrets.randbelow(10**15) + 10**15)
        self._shelf.put(id_, File(content=content, mime=mime, name=name, at=self._now()))
        self._life[id_] = UPLOADED if uploaded else FROM_WEBHOOK
        return id_

    def find(self, id_: str) -> File | None:
        file = self._shelf.get(id_)
        alive = file is not None and self._now() - file.at <= self._life.get(id_, UPLOADED)
        return file if alive else None

    def upload(self, incoming: Incoming) -> Answer:
        fields = form(incoming)
        product, file = fields.get("messaging_product"), fields.get("file")
        if product is None or product[1] != b"whatsapp":
            raise missing("messaging_product")
        if file is None or not file[1]:
            raise missing("file")
        part, content = file
        mime = part.get_content_type()
        kind = next((kind for kind, known in TYPES.items() if mime in known), "document")
        if len(content) > LARGEST[kind]:
            raise invalid(f"{kind} of {len(content)} bytes", "media_too_large")
        return answer_json({"id": self.keep(content, mime, part.get_filename() or "", uploaded=True)})

    def resolve(self, id_: str) -> Answer:
        """The first step: an address that lives five minutes."""
        file = self.find(id_)
        if file is None:
            raise graph_error(400, 100, "Invalid parameter", "no such media")
        link = secrets.token_urlsafe(18)
        self._links[link] = (id_, self._now() + URL_LIFE)
        return answer_json(
            {
                "messaging_product": "whatsapp",
                "url": f"{self._base()}/lookaside/{link}",
                "mime_type": file.mime,
                "sha256": hashlib.sha256(file.content).hexdigest(),
                "file_size": str(len(file.content)),
                "id": id_,
            }
        )

    def download(self, link: str) -> Answer:
        """The second step: the bytes themselves."""
        id_, until = self._links.get(link, ("", self._now()))
        file = self.find(id_)
        if file is None or until <= self._now():
            return Answer(status=404, body=b"not found", content_type="text/plain")
        body = None if not self.slow else self._slowly(file.content)
        return Answer(body=b"" if body else file.content, content_type=self.hidden_type or file.mime, stream=body)

    def _slowly(self, content: bytes) -> Iterator[bytes]:
        half = max(1, len(content) // 2)
        yield content[:half]
        time.sleep(self.slow.total_seconds())
        if content[half:]:
            yield content[half:]

    def delete(self, id_: str) -> Answer:
        if not self._shelf.drop(id_):
            raise graph_error(400, 100, "Invalid parameter", "no such media")
        return answer_json({"success": True})


def described(id_: str, file: File, **more: Any) -> dict[str, Any]:
    """A file as a webhook shows it: its hash is base64 there (§2.2)."""
    digest = base64.b64encode(hashlib.sha256(file.content).digest()).decode()
    return {"mime_type": file.mime, "sha256": digest, "id": id_, **more}
