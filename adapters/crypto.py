"""Sealed callbacks: the signature, the AES envelope and encrypted files of WeCom (WeCom sheet §1.4 and §4.2).

    signature  sha1 of token, timestamp, nonce and ciphertext, sorted and joined
    plaintext  16 random bytes + length (4 bytes, big-endian) + message + receive id
    ciphertext AES-256-CBC, the key's first 16 bytes as IV, PKCS#7 to multiples of 32 bytes, in base64

Everything up to and including the receive id is proof of origin, so its failure is :class:`Unverified`, always the
same class with the same answer: whoever knows the token but not the key learns nothing about padding or lengths.
What is wrong inside an authentic envelope (not UTF-8, no XML, no JSON) is :class:`Malformed`.

Feishu's events have neither a length nor an id inside: the IV comes first, then the JSON (:func:`open_event`).
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC

from adapters.errors import Malformed, Unverified
from adapters.signing import same

KEY_SIZE = 32
PAD_BLOCK = 32
_RANDOM_SIZE = 16
_LENGTH_SIZE = 4
_AES_BLOCK = 16
_HEX_KEY = re.compile(r"[0-9a-fA-F]{64}")


class Flaw(StrEnum):
    """Why an envelope was refused. The words are those of the test vectors; `envelope` is ours: the unsigned words
    around the ciphertext contradict what is inside."""

    MISSING_ENCRYPT = "missing_encrypt"
    ENVELOPE = "envelope"
    SIGNATURE = "signature"
    BASE64 = "base64"
    CIPHERTEXT_LENGTH = "ciphertext_length"
    PADDING = "padding"
    LENGTH = "length"
    RECEIVE_ID = "receive_id"
    UTF8 = "utf8"
    XML = "xml"
    XML_DTD_FORBIDDEN = "xml_dtd_forbidden"
    JSON = "json"


NEXT_STEP = {
    Flaw.MISSING_ENCRYPT: "the body is no callback envelope: whoever posts here is not the platform",
    Flaw.ENVELOPE: "the words around the ciphertext were changed on the way",
    Flaw.SIGNATURE: "compare the token in the platform's console with the channel's `token`",
    Flaw.BASE64: "signed, but no ciphertext: a proxy in between may change the body",
    Flaw.CIPHERTEXT_LENGTH: "signed, but cut: a proxy in between may change the body",
    Flaw.PADDING: "compare the EncodingAESKey in the platform's console with the channel's `encoding_aes_key`",
    Flaw.LENGTH: "compare the EncodingAESKey in the platform's console with the channel's `encoding_aes_key`",
    Flaw.RECEIVE_ID: "the callback is for another company: compare the channel's `corp_id` with the console",
}
"""What an operator does about each flaw that points at the configuration."""


class NotSealed(Unverified):
    """The envelope proves no origin."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(f"{flaw}: {NEXT_STEP.get(flaw, 'whoever posts here is not the platform')}")
        self.flaw = flaw


class BadContent(Malformed):
    """An authentic envelope around something unreadable."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(f"the decrypted message is unreadable: {flaw}")
        self.flaw = flaw


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A signed envelope, as it is received or to be given back."""

    encrypt: str
    signature: str
    timestamp: str
    nonce: str


class Seal:
    """One token and one key. *receive_id* is the corp id of a company's app, and "" for its AI bots.

    Raises ValueError, naming the setting, for an empty token or a key that is not 43 characters of base64.
    """

    def __init__(self, *, token: str, encoding_aes_key: str, receive_id: str) -> None:
        if not token:
            raise ValueError("token is empty: copy it from the console's callback settings")
        self._token = token
        self._key = callback_key(encoding_aes_key)
        self._receive_id = receive_id.encode()

    def signature(self, *, timestamp: str, nonce: str, encrypt: str) -> str:
        """40 lower-case hex digits over the values alone."""
        joined = "".join(sorted((self._token, timestamp, nonce, encrypt)))
        # SHA-1 is the platform's choice, not ours.
        return hashlib.sha1(joined.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()

    def fits(self, sealed: Sealed) -> bool:
        """Whether the signature is ours."""
        expected = self.signature(timestamp=sealed.timestamp, nonce=sealed.nonce, encrypt=sealed.encrypt)
        return same(expected, sealed.signature)

    def open(self, sealed: Sealed) -> str:
        """The message inside. Raises :class:`NotSealed` or, for what is not UTF-8, :class:`BadContent`."""
        if not self.fits(sealed):
            raise NotSealed(Flaw.SIGNATURE)
        return self.decrypt(sealed.encrypt)

    def decrypt(self, encrypt: str) -> str:
        """As :meth:`open` after the signature, in the order of the sheet's §1.4."""
        message = _message(_unpadded(self._key, _ciphertext(encrypt)), self._receive_id)
        try:
            return message.decode()
        except UnicodeDecodeError:
            raise BadContent(Flaw.UTF8) from None

    def encrypt(self, text: str, *, random16: bytes | None = None) -> str:
        """The base64 of *text* under this key; *random16* makes it reproducible."""
        salt = secrets.token_bytes(_RANDOM_SIZE) if random16 is None else random16
        if len(salt) != _RANDOM_SIZE:
            raise ValueError(f"the random prefix has {len(salt)} bytes, not {_RANDOM_SIZE}")
        message = text.encode()
        plain = salt + len(message).to_bytes(_LENGTH_SIZE, "big") + message + self._receive_id
        pad = PAD_BLOCK - len(plain) % PAD_BLOCK
        coder = Cipher(AES256(self._key), CBC(self._key[:_AES_BLOCK])).encryptor()
        return base64.b64encode(coder.update(plain + bytes([pad]) * pad) + coder.finalize()).decode()

    def close(self, text: str, *, timestamp: str, nonce: str, random16: bytes | None = None) -> Sealed:
        """*text* encrypted and signed, for an answer in the same HTTP exchange."""
        encrypt = self.encrypt(text, random16=random16)
        signature = self.signature(timestamp=timestamp, nonce=nonce, encrypt=encrypt)
        return Sealed(encrypt=encrypt, signature=signature, timestamp=timestamp, nonce=nonce)


def opened_by(seals: Iterable[Seal], sealed: Sealed) -> tuple[str, Seal]:
    """The message in *sealed*, and the first of *seals* that opens it: while secrets are rotated there are several.
    Raises as :meth:`Seal.open`, with the refusal of the first whose signature fits."""
    refusal = NotSealed(Flaw.SIGNATURE)
    for seal in seals:
        try:
            return seal.open(sealed), seal
        except NotSealed as error:
            refusal = error if refusal.flaw is Flaw.SIGNATURE else refusal
    raise refusal


def callback_key(encoding_aes_key: str) -> bytes:
    """The 32 bytes behind an EncodingAESKey. Its last character may carry unused bits (the platform's own sample
    does), so it is never compared with a re-encoding. Raises ValueError."""
    if len(encoding_aes_key) != 43:
        raise ValueError(
            f"encoding_aes_key has {len(encoding_aes_key)} characters, not 43: copy the EncodingAESKey"
            " from the console's callback settings"
        )
    try:
        key = base64.b64decode(encoding_aes_key + "=", validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_SIZE:
        raise ValueError("encoding_aes_key is not base64 of 32 bytes: copy the EncodingAESKey from the console")
    return key


def file_key(text: str) -> bytes:
    """The key of an encrypted file: 43 characters, 44 with `=`, or 64 hex digits, all seen in the field
    (WeCom sheet §4.2). Raises ValueError."""
    return bytes.fromhex(text) if _HEX_KEY.fullmatch(text) else callback_key(text.removesuffix("="))


def decrypt_file(content: bytes, key: bytes) -> bytes:
    """The file behind an AI bot's media URL. Raises :class:`BadContent`."""
    try:
        return _unpadded(key, _whole_blocks(content))
    except NotSealed as error:
        raise BadContent(error.flaw) from None


def open_event(encrypt: str, encrypt_key: str) -> bytes:
    """The JSON of a Feishu event (DingTalk sheet, appendix A): the key is the SHA-256 of *encrypt_key*, the first
    16 bytes are the IV. Nothing here proves an origin: that is for the signature, or the token inside. Raises
    :class:`BadContent`."""
    try:
        content = _ciphertext(encrypt)
        iv, sealed = content[:_AES_BLOCK], _whole_blocks(content[_AES_BLOCK:])
        return _unpadded(hashlib.sha256(encrypt_key.encode()).digest(), sealed, iv=iv)
    except NotSealed as error:
        raise BadContent(error.flaw) from None


def _ciphertext(encrypt: str) -> bytes:
    if not encrypt:
        raise NotSealed(Flaw.MISSING_ENCRYPT)
    try:
        content = base64.b64decode(encrypt, validate=True)
    except ValueError:
        raise NotSealed(Flaw.BASE64) from None
    return _whole_blocks(content)


def _whole_blocks(content: bytes) -> bytes:
    if not content or len(content) % _AES_BLOCK:
        raise NotSealed(Flaw.CIPHERTEXT_LENGTH)
    return content


def _unpadded(key: bytes, content: bytes, *, iv: bytes = b"") -> bytes:
    """Without *iv*, that is the key's beginning. Every pad byte is looked at. `cryptography`'s PKCS7(128) refuses
    WeCom's own sample (its pad is 30 bytes), and PKCS7(256) wants multiples of 32, which nobody promises."""
    coder = Cipher(AES256(key), CBC(iv or key[:_AES_BLOCK])).decryptor()
    padded = coder.update(content) + coder.finalize()
    pad = padded[-1]
    if not 1 <= pad <= min(PAD_BLOCK, len(padded)) or padded[-pad:] != bytes([pad]) * pad:
        raise NotSealed(Flaw.PADDING)
    return padded[:-pad]


def _message(plain: bytes, receive_id: bytes) -> bytes:
    """The length field is checked against the whole, not by slicing: with an empty receive id a slice past the
    end would pass (vector neg_aibot_length_overflow)."""
    start = _RANDOM_SIZE + _LENGTH_SIZE
    if len(plain) < start:
        raise NotSealed(Flaw.LENGTH)
    end = start + int.from_bytes(plain[_RANDOM_SIZE:start], "big")
    if end > len(plain):
        raise NotSealed(Flaw.LENGTH)
    if plain[end:] != receive_id:
        raise NotSealed(Flaw.RECEIVE_ID)
    return plain[start:end]
