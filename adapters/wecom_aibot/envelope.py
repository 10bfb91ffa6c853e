"""The encrypted JSON around an AI bot's callbacks and around our answers to them (WeCom sheet §4.1)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from adapters.crypto import BadContent, Flaw, NotSealed, Seal, opened_by
from adapters.errors import Malformed
from adapters.payload import Json, read_object, text
from adapters.signing import secrets
from adapters.values import Request, Response
from adapters.wecom.envelope import echostr, sealed_in
from adapters.wecom_aibot.settings import WeComAiBotSettings

RECEIVE_ID = ""
"""An AI bot's, where an app has its company's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A proven message, with the pair of secrets that opened it: the platform reads the answer with the same."""

    text: str
    seal: Seal
    nonce: str

    def body(self) -> dict[str, Json]:
        """Raises :class:`~adapters.crypto.BadContent`."""
        try:
            return read_object(self.text.encode(), forgiving=True)
        except Malformed:
            raise BadContent(Flaw.JSON) from None

    def answer(self, content: Mapping[str, object], *, timestamp: int, random16: bytes | None = None) -> Response:
        """*content*, sealed; all four fields, with the nonce of the callback's own URL."""
        plain = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace").decode()
        sealed = self.seal.close(plain, timestamp=str(timestamp), nonce=self.nonce, random16=random16)
        fields = {
            "encrypt": sealed.encrypt,
            "msgsignature": sealed.signature,
            "timestamp": timestamp,
            "nonce": sealed.nonce,
        }
        return Response(body=json.dumps(fields).encode(), content_type="application/json")


class Callback:
    """The callback's secrets. While they are rotated, each token goes with each key. Raises ValueError."""

    def __init__(self, settings: WeComAiBotSettings) -> None:
        tokens = secrets(settings.token, settings.token_previous)
        keys = secrets(settings.encoding_aes_key, settings.encoding_aes_key_previous)
        self.seals = [
            Seal(token=token, encoding_aes_key=key, receive_id=RECEIVE_ID) for token, key in product(tokens, keys)
        ]

    def open(self, request: Request) -> Opened:
        """The message of a GET's `echostr` or of a POST's body. Raises :class:`~adapters.crypto.NotSealed`, or
        :class:`~adapters.crypto.BadContent` for what is not UTF-8."""
        sealed = sealed_in(request, _encrypt(request))
        plain, seal = opened_by(self.seals, sealed)
        return Opened(text=plain, seal=seal, nonce=sealed.nonce)


def _encrypt(request: Request) -> str:
    if request.method == "GET":
        return echostr(request)
    return _field(request.body) if request.method == "POST" else ""


def _field(body: bytes) -> str:
    try:
        return text(read_object(body), "encrypt")
    except Malformed:
        raise NotSealed(Flaw.JSON) from None
