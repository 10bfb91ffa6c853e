"""What every encrypted callback of WeCom shares: its envelope, the check of its address, retries (§1, §9.5)."""

import json
import secrets
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from bot.sandbox.simulator.envelope import Envelope, cdata
from bot.sandbox.simulator.journal import Delivery
from bot.sandbox.simulator.platform import Platform, Post

GARBAGE: Mapping[str, bytes] = {
    "empty": b"",
    "words": b"hello",
    "nothing_inside": b"<xml></xml>",
    "json": b'{"msgid": 7, "from": [], "msgtype": null}',
    "binary": bytes(range(1, 32)),
    "dtd": b'<!DOCTYPE xml [<!ENTITY e "e">]><xml><MsgType>&e;</MsgType></xml>',
    "file": b'<!DOCTYPE xml [<!ENTITY e SYSTEM "file:///etc/hostname">]><xml><Content>&e;</Content></xml>',
    "deep": b"<xml>" + b"<a>" * 2000 + b"</a>" * 2000 + b"</xml>",
}
"""What no bot can understand (§9.5)."""
CHECK_PATIENCE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clear:
    """A callback's content (XML or JSON); the same for every delivery, the envelope is not."""

    message_id: str
    text: str
    what: str = "message"


class Callbacks(Platform[Clear]):
    """*receive_id* closes each envelope: the corporation, or nothing for AI bots. *deliveries*: whether it is three
    or four in all is not documented; a log shows three (§1.5). *same_envelope*: a retry has the first one's.
    *literal_plus*: the + of base64 is not escaped in the query of the address check."""

    patience = timedelta(seconds=5)

    def __init__(
        self, *, token: str, encoding_aes_key: str, receive_id: str, webhook_url: str, strangers: bool
    ) -> None:
        super().__init__(webhook_url=webhook_url, strangers=strangers)
        self.token = token
        self.encoding_aes_key = encoding_aes_key
        self.deliveries = 3
        self.same_envelope = False
        self.literal_plus = False
        self._receive_id = receive_id
        self._sealed: dict[str, Post] = {}

    @property
    def envelope(self) -> Envelope:
        return Envelope(token=self.token, key=self.encoding_aes_key, receive_id=self._receive_id)

    @abstractmethod
    def outer(self, encrypted: str) -> bytes:
        """The body around *encrypted*."""

    def again_after(self, attempt: int) -> timedelta | None:
        """At once: the platform waited its five seconds already (§1.5)."""
        return timedelta() if attempt < self.deliveries else None

    def verify(self) -> Delivery:
        """The check of the callback URL (§1.2): the decrypted echostr must come back exactly, within a second."""
        echo = str(secrets.randbelow(10**19))
        query = self._signed_query(self.envelope.seal(echo), echo=True)
        if self.literal_plus:
            query = query.replace("%2B", "+")
        heard = self._post(lambda: Post(what="check", message_id="", method="GET", query=query), again=False)
        wrong = "echostr" if heard.body != echo.encode() else "too late" if heard.elapsed > CHECK_PATIENCE else ""
        if heard.status == 200 and wrong:
            self.breach("echostr_not_echoed", wrong)
            return Delivery(status=0, body=heard.body, elapsed=heard.elapsed, message_id="", error=wrong)
        return heard

    def compose(self, message: Clear) -> Post:
        if self.same_envelope and message.message_id in self._sealed:
            return self._sealed[message.message_id]
        post = self.sealed(Post(what=message.what, message_id=message.message_id), message.text.encode())
        self._sealed[message.message_id] = post
        return post

    def sealed(self, post: Post, body: bytes) -> Post:
        encrypted = self.envelope.seal(body.decode("utf-8", "replace"))
        return replace(
            post,
            query=self._signed_query(encrypted),
            headers={"Content-Type": "text/xml", "User-Agent": "Mozilla/4.0"},
            body=self.outer(encrypted),
            clear=body.decode("utf-8", "replace"),
        )

    def garbage(self, kind: str) -> Delivery:
        """A body of `GARBAGE`, well sealed: the bot may say what it likes to it, but must not break."""
        post = replace(self.sealed(Post(what="mischief", message_id=""), GARBAGE[kind]), what="mischief")
        delivery = self._post(lambda: post, again=False)
        if delivery.status and delivery.status >= 500:
            self.breach("broken_webhook_crashed", f"{kind}: the bot answered {delivery.status}")
        return delivery

    def forged(self, post: Post) -> Post:
        head, _, _ = post.query.partition("&")
        return replace(post, query=post.query.replace(head, f"msg_signature={'0' * 40}"))

    def _signed_query(self, encrypted: str, *, echo: bool = False) -> str:
        timestamp, nonce = str(int(self.clock.now().timestamp())), str(secrets.randbelow(10**10))
        query = {
            "msg_signature": self.envelope.signature(timestamp, nonce, encrypted),
            "timestamp": timestamp,
            "nonce": nonce,
        }
        return urlencode({**query, "echostr": encrypted} if echo else query)


def xml(fields: Mapping[str, Any]) -> str:
    """Fields as WeCom writes them: numbers bare, mappings nested, lists repeated, all else in CDATA."""
    return f"<xml>{_inside(fields)}</xml>"


def _inside(fields: Mapping[str, Any]) -> str:
    return "".join(_element(name, value) for name, value in fields.items())


def _element(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_element(name, each) for each in value)
    inner = (
        _inside(value)
        if isinstance(value, Mapping)
        else str(value)
        if isinstance(value, int)
        else cdata(str(value))
    )
    return f"<{name}>{inner}</{name}>"


def compact(value: Any) -> str:
    """JSON as WeCom writes it: slashes escaped (the AI bot's messages)."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")
