"""A customer's encrypted file: behind a URL that lives five minutes (WeCom sheet §4.2)."""

from collections.abc import Sequence

from adapters.channel import Download, Services
from adapters.crypto import BadContent, decrypt_file, file_key
from adapters.errors import MediaLost
from adapters.hosts import allowed
from adapters.http import MaybeSent, TooLarge
from adapters.signing import secrets
from adapters.sniffing import plausible, sniff
from adapters.values import Media, Message
from adapters.wecom_aibot.settings import WeComAiBotSettings

LARGEST = 10 * 1024 * 1024
"""Bytes. The platform lets people send ten times as much; no model reads it."""


class Attachments:
    """Fetches and opens the files that customers send to one bot."""

    def __init__(self, settings: WeComAiBotSettings, services: Services) -> None:
        self._http = services.http
        self._hosts = (*settings.media_hosts, settings.api_base)
        self._keys = secrets(settings.encoding_aes_key, settings.encoding_aes_key_previous)

    def fetch(self, media: Media, message: Message) -> Download:
        if not allowed(media.id, self._hosts):
            raise MediaLost("the file lies on a host that is not in media_hosts")
        try:
            answer = self._http.call("GET", media.id, most=LARGEST)
        except TooLarge:
            raise MediaLost(f"the file is larger than {LARGEST} bytes") from None
        if answer.status >= 500 or answer.status == 429:
            raise MaybeSent(f"HTTP {answer.status}")
        if answer.status != 200:
            raise MediaLost(f"HTTP {answer.status}: the address of a file lives five minutes")
        content = self._opened(answer.body, self._keys_of(media, message))
        mime = sniff(content)
        if media.kind == "image" and not plausible("image/", mime):
            raise MediaLost(f"no image but {mime}")
        return Download(content=content, mime=mime)

    def _keys_of(self, media: Media, message: Message) -> Sequence[str]:
        """A long connection names a key for each file; by URL it is the callback's own."""
        own = message.route.get(f"aeskey_{message.media.index(media)}", "") if media in message.media else ""
        return (own,) if own else self._keys

    def _opened(self, content: bytes, keys: Sequence[str]) -> bytes:
        for key in keys:
            try:
                return decrypt_file(content, file_key(key))
            except (BadContent, ValueError):
                continue
        raise MediaLost("the file does not open with the key that belongs to it")
