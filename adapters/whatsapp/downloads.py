"""Customers' files, in two steps: an id gives an address that lives five minutes, the address gives the bytes
(sheet §3.6). The token goes to Meta's own hosts only, and what comes back is believed only after it was looked at.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from datetime import datetime
from urllib.parse import urljoin

from adapters.channel import Download
from adapters.errors import MediaLost
from adapters.hosts import allowed
from adapters.http import HttpAnswer, MaybeSent, NotSent, TooLarge
from adapters.payload import Json, text
from adapters.sniffing import plausible, sniff
from adapters.values import Media, Unknown
from adapters.whatsapp.graph import Graph
from adapters.whatsapp.settings import WhatsAppSettings
from adapters.whatsapp.verdict import refusal

_ID = re.compile(r"[A-Za-z0-9_.-]{1,255}")
_HEX = re.compile(r"[0-9A-Fa-f]{64}")
_REDIRECTS = 3
_GONE = frozenset({"33", "100"})
"""Of an object's address: there is none of this id (any more)."""


class Downloads:
    """Raises MediaLost where it is final, NotSent and MaybeSent where another try may help."""

    def __init__(self, settings: WhatsAppSettings, graph: Graph, now: Callable[[], datetime]) -> None:
        self._graph = graph
        self._now = now
        self._hosts = (*settings.media_hosts, settings.api_base)
        self._most = settings.largest_media

    def fetch(self, media: Media) -> Download:
        """An address that has died meanwhile is asked for once more."""
        if not _ID.fullmatch(media.id):
            raise MediaLost("the attachment's id is none")
        found, answer = self._once(media)
        if answer.status == 404:
            found, answer = self._once(media)
        self._check_status(answer)
        return Download(content=answer.body, mime=_checked(media, found, answer.body))

    def _once(self, media: Media) -> tuple[Json, HttpAnswer]:
        found = self._resolved(media.id)
        size = text(found, "file_size")  # a string or a number
        if size.isdecimal() and int(size) > self._most:
            raise MediaLost(f"the attachment is larger than {self._most} bytes")
        return found, self._loaded(text(found, "url"))

    def _resolved(self, media_id: str) -> Json:
        answer = self._graph.get(media_id, {"phone_number_id": self._graph.number})
        failed = refusal(answer, self._now())
        if isinstance(failed, Unknown):
            raise MaybeSent(failed.reason)
        if failed and failed.code not in _GONE and (failed.account or not failed.permanent):
            raise NotSent(failed.reason)
        if failed:
            raise MediaLost(f"the attachment is not there any more, or another number's (code {failed.code})")
        return answer.json

    def _loaded(self, url: str) -> HttpAnswer:
        for _ in range(_REDIRECTS + 1):
            if not allowed(url, self._hosts):
                raise MediaLost("the attachment's address is not one of media_hosts")
            try:
                answer = self._graph.download(url, self._most)
            except TooLarge:
                raise MediaLost(f"the attachment is larger than {self._most} bytes") from None
            if not 300 <= answer.status < 400:
                return answer
            url = urljoin(url, answer.headers.get("location", ""))
        raise MediaLost("the attachment's address leads on and on")

    def _check_status(self, answer: HttpAnswer) -> None:
        if answer.status == 200:
            return
        if answer.status in (401, 403):  # both addresses were fresh
            raise NotSent(f"HTTP {answer.status} for an attachment: is access_token still valid?")
        if answer.status == 429 or answer.status >= 500:
            raise MaybeSent(f"HTTP {answer.status} for an attachment")
        raise MediaLost(f"HTTP {answer.status} for an attachment, twice: is access_token that of the number?")


def _checked(media: Media, found: Json, content: bytes) -> str:
    """The type of *content*, after its digest and its type were held against what the platform said."""
    digest = hashlib.sha256(content).digest()
    for said in (media.sha256, text(found, "sha256")):
        if (expected := _digest(said)) and expected != digest:
            raise MediaLost("the attachment's bytes are not those that were announced")
    claimed, mime = media.mime or text(found, "mime_type"), sniff(content)
    if not content or not plausible(claimed, mime):
        raise MediaLost(f"the attachment was to be {claimed[:64] or 'a file'}, and is {mime}")
    if media.kind == "audio" and mime.startswith("video/"):
        return mime.replace("video/", "audio/", 1)  # a container without pictures
    return mime


def _digest(said: str) -> bytes:
    """SHA-256 as hex or as base64 (the webhook's; which one `GET /{media}` uses is UNCONFIRMED); empty where it is
    neither."""
    if _HEX.fullmatch(said):
        return bytes.fromhex(said)
    try:
        found = base64.b64decode(said, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return found if len(found) == 32 else b""
