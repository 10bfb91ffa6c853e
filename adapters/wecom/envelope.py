"""What arrives at a WeCom callback URL, opened: URL checks and messages, in XML or JSON (WeCom sheet §1.2 to §1.4).

Nothing before the signature is trusted: whatever is wrong with the outer envelope is no proof of origin.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Self

from pydantic import SecretStr

from adapters.crypto import Flaw, NotSealed, Seal, Sealed, opened_by
from adapters.errors import Malformed
from adapters.payload import read_object
from adapters.payload import text as json_text
from adapters.values import Request
from adapters.wecom.settings import CallbackSettings
from adapters.xml import BadXml, read_xml


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The outer layer of a POST. *to* and *agent* are not signed; "" where absent."""

    encrypt: str
    to: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A proven message, and the unsigned words around it."""

    text: str
    envelope: Envelope
    seal: Seal
    """The secrets that opened it."""


class Callback:
    """One callback URL's secrets. While they are being rotated, each token goes with each key: an operator may
    change one today and the other tomorrow. Raises ValueError for a bad key."""

    def __init__(
        self,
        *,
        receive_id: str,
        token: SecretStr,
        key: SecretStr,
        token_previous: SecretStr | None = None,
        key_previous: SecretStr | None = None,
    ) -> None:
        tokens = (token, token_previous) if token_previous else (token,)
        keys = (key, key_previous) if key_previous else (key,)
        self._receive_id = receive_id
        self._seals = [
            Seal(token=one.get_secret_value(), encoding_aes_key=two.get_secret_value(), receive_id=receive_id)
            for one, two in product(tokens, keys)
        ]

    @classmethod
    def of(cls, settings: CallbackSettings, *, receive_id: str) -> Self:
        return cls(
            receive_id=receive_id,
            token=settings.token,
            key=settings.encoding_aes_key,
            token_previous=settings.token_previous,
            key_previous=settings.encoding_aes_key_previous,
        )

    @property
    def seals(self) -> Sequence[Seal]:
        """The current one first."""
        return self._seals

    def open(self, request: Request) -> Opened:
        """The message of a GET's `echostr` or of a POST's body. Raises :class:`~adapters.crypto.NotSealed`, or
        :class:`~adapters.crypto.BadContent` for what is not UTF-8."""
        is_check = request.method == "GET"
        envelope = Envelope(encrypt=echostr(request)) if is_check else read_envelope(request.body)
        text, seal = opened_by(self._seals, sealed_in(request, envelope.encrypt))
        if envelope.to not in ("", self._receive_id):
            raise NotSealed(Flaw.ENVELOPE)
        return Opened(text=text, envelope=envelope, seal=seal)


def echostr(request: Request) -> str:
    """What a URL check sends. A literal `+` of its base64 has become a space when the query was decoded (WeCom
    sheet §1.2)."""
    return request.query.get("echostr", "").replace(" ", "+")


def sealed_in(request: Request, encrypt: str) -> Sealed:
    """*encrypt*, with what the address says of it. Raises :class:`~adapters.crypto.NotSealed` for an empty one."""
    if not encrypt:
        raise NotSealed(Flaw.MISSING_ENCRYPT)
    signature, timestamp, nonce = (request.query.get(name, "") for name in ("msg_signature", "timestamp", "nonce"))
    return Sealed(encrypt=encrypt, signature=signature, timestamp=timestamp, nonce=nonce)


def read_envelope(body: bytes) -> Envelope:
    """The outer XML; JSON is read as well, since the platform's own pages hint at it (WeCom sheet §1.3)."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotSealed(Flaw.UTF8) from None
    envelope = _of_json(text) if text.lstrip()[:1] == "{" else _of_xml(text)
    if not envelope.encrypt:
        raise NotSealed(Flaw.MISSING_ENCRYPT)
    return envelope


def _of_xml(text: str) -> Envelope:
    try:
        root = read_xml(text)
    except BadXml as error:
        raise NotSealed(Flaw.XML_DTD_FORBIDDEN if error.forbidden else Flaw.XML) from None
    return Envelope(
        encrypt=root.findtext("Encrypt", ""), to=root.findtext("ToUserName", ""), agent=root.findtext("AgentID", "")
    )


def _of_json(text: str) -> Envelope:
    """Names come in either case: `Encrypt` on one page, `encrypt` on another."""
    try:
        found = {name.lower(): value for name, value in read_object(text.encode()).items()}
    except Malformed:
        raise NotSealed(Flaw.JSON) from None
    return Envelope(
        encrypt=json_text(found, "encrypt"), to=json_text(found, "tousername"), agent=json_text(found, "agentid")
    )
