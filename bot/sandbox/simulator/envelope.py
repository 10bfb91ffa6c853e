"""The envelope of WeCom's callbacks and of DingTalk's events, from the platform's side: AES-256-CBC and a SHA-1
signature (WeCom sheet §1.4, DingTalk sheet §5)."""

import base64
import hashlib
import secrets
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

BLOCK = 32
"""Bytes: the padding goes up to 32, though AES has blocks of 16."""


class Spoiled(Exception):
    """The bot's envelope is not as the platform wants it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """*key* is the 43-character EncodingAESKey."""

    token: str
    key: str
    receive_id: str

    def seal(self, content: str, *, random: bytes | None = None) -> str:
        """The base64 of the encrypted content."""
        told = content.encode()
        plain = (random or secrets.token_bytes(16)) + len(told).to_bytes(4, "big") + told
        plain += self.receive_id.encode()
        pad = BLOCK - len(plain) % BLOCK
        encryptor = self._cipher().encryptor()
        sealed = encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()
        return base64.b64encode(sealed).decode()

    def open(self, sealed: str) -> str:
        """The content of what the bot sealed. Raises :class:`Spoiled` for whatever is not as it must be."""
        try:
            encrypted = base64.b64decode(sealed, validate=True)
        except ValueError:
            raise Spoiled("no base64") from None
        if not encrypted or len(encrypted) % 16:
            raise Spoiled("not a whole number of AES blocks")
        decryptor = self._cipher().decryptor()
        plain = decryptor.update(encrypted) + decryptor.finalize()
        pad = plain[-1]
        if not 1 <= pad <= BLOCK or plain[-pad:] != bytes([pad]) * pad:
            raise Spoiled("the padding is wrong")
        plain = plain[:-pad]
        length = int.from_bytes(plain[16:20], "big")
        if 20 + length + len(self.receive_id.encode()) != len(plain):
            raise Spoiled("the length or the receiver is wrong")
        if plain[20 + length :] != self.receive_id.encode():
            raise Spoiled("the receiver is wrong")
        try:
            return plain[20 : 20 + length].decode()
        except UnicodeDecodeError:
            raise Spoiled("no UTF-8") from None

    def signature(self, timestamp: str, nonce: str, encrypted: str) -> str:
        parts = sorted((self.token, timestamp, nonce, encrypted))
        return hashlib.sha1("".join(parts).encode()).hexdigest()  # noqa: S324 - the platform's own scheme

    def _cipher(self) -> Cipher[CBC]:
        key = base64.b64decode(self.key + "=")
        return Cipher(AES(key), CBC(key[:16]))


def cdata(text: str) -> str:
    """*text* for XML; a `]]>` in it is split over two sections."""
    return f"<![CDATA[{text.replace(']]>', ']]]]><![CDATA[>')}]]>"
