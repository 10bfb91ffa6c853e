"""WeCom's side in tests: its published vectors, and callbacks sealed by wechatpy, which shares no code with us."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element, SubElement, tostring
from xml.sax.saxutils import escape

from defusedxml.ElementTree import fromstring
from wechatpy.enterprise.crypto import PrpCrypto, WeChatCrypto
from wechatpy.utils import WeChatSigner

from adapters.values import Request

VECTORS = Path(__file__).parent.parent / "vectors" / "wecom"
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CORP = "wwkefutest00000001"
AGENT = 1000002
TOKEN = "KefuTestToken2026"
KEY = "Zx8Qm3TnB5vL0rYk7HcWd2SgJf9EaUp6iOoK1tMlXyR"
NEW_TOKEN = "KefuNewToken2027"
NEW_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
SECRET = "canary-corp-secret"
ACCESS_TOKEN = "canary-access-token"
SETTINGS: Mapping[str, Any] = {
    "platform": "wecom",
    "corp_id": CORP,
    "agent_id": AGENT,
    "secret": SECRET,
    "token": TOKEN,
    "encoding_aes_key": KEY,
}


def vector(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text("utf-8"))
    return found


def vectors(*modes: str) -> list[str]:
    """The names of the vectors of these modes."""
    index = json.loads((VECTORS / "index.json").read_text("utf-8"))["vectors"]
    return [each["id"] for each in index if each["mode"] in modes]


def request_of(found: Mapping[str, Any]) -> Request:
    """A vector's request as a web server would hand it over: the query decoded once, `+` as a space."""
    given = found["request"]
    return Request(
        method=given["method"],
        path="/webhooks/staff",
        query=dict(parse_qsl(given["query_string"], keep_blank_values=True)),
        headers={"content-type": given.get("content_type", "")},
        body=given.get("body", "").encode(),
        received_at=NOW,
    )


@dataclass(frozen=True, kw_only=True)
class Console:
    """The secrets as the platform holds them, and what it seals with them."""

    token: str = TOKEN
    key: str = KEY
    corp: str = CORP
    agent: str = str(AGENT)

    def post(self, inner: str | bytes, *, nonce: str = "n-1", timestamp: str = "1795100004") -> Request:
        """*inner* in the outer XML, as it is posted to the callback URL."""
        crypto = WeChatCrypto(self.token, self.key, self.corp)
        encrypt = PrpCrypto(crypto.key).encrypt(inner, self.corp).decode()
        return self.signed_post(encrypt, nonce=nonce, timestamp=timestamp)

    def signed_post(self, encrypt: str, *, nonce: str = "n-1", timestamp: str = "1795100004") -> Request:
        """A signed envelope around whatever *encrypt* is."""
        body = (
            f"<xml><ToUserName><![CDATA[{self.corp}]]></ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt>"
            f"<AgentID><![CDATA[{self.agent}]]></AgentID></xml>"
        )
        query = {
            "msg_signature": self.signature(encrypt, nonce, timestamp),
            "timestamp": timestamp,
            "nonce": nonce,
        }
        return Request(
            method="POST",
            path="/webhooks/staff",
            query=query,
            headers={"content-type": "text/xml"},
            body=body.encode(),
            received_at=NOW,
        )

    def signature(self, encrypt: str, nonce: str, timestamp: str) -> str:
        signer = WeChatSigner()
        signer.add_data(self.token, timestamp, nonce, encrypt)
        signature: str = signer.signature
        return signature

    def opened(self, body: bytes) -> dict[str, str]:
        """A passive answer as the platform reads it: the elements of its inner XML and their text."""
        outer = self.read(body.decode())
        plain: str = WeChatCrypto(self.token, self.key, self.corp).decrypt_message(
            {"Encrypt": outer["Encrypt"]}, outer["MsgSignature"], outer["TimeStamp"], outer["Nonce"]
        )
        return self.read(plain)

    def read(self, xml: str) -> dict[str, str]:
        return {each.tag: each.text or "" for each in fromstring(xml).iter()}

    def inner(self, kind: str = "text", *, user: str = "zhangsan", time: int = 1795100001, **fields: str) -> str:
        """A decrypted message. *fields* are element names and their text; `raw` is appended as it is."""
        raw = fields.pop("raw", "")
        named = {
            "ToUserName": self.corp,
            "FromUserName": user,
            "CreateTime": str(time),
            "MsgType": kind,
            **fields,
            "AgentID": self.agent,
        }
        elements = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in named.items() if value)
        return f"<xml>{elements}{raw}</xml>"

    def text(self, content: str, *, message_id: str = "7459035031717794886", user: str = "zhangsan") -> Request:
        return self.post(self.inner(Content=content, MsgId=message_id, user=user))


def mutations(payload: bytes) -> Iterator[bytes]:
    """The message with each element emptied, doubled, nested, renamed, removed, or filled with nonsense."""
    root = fromstring(payload)
    for place in range(len(root)):
        for change in (_emptied, _doubled, _nested, _renamed, _huge, _spaced, _odd, _removed):
            copy = fromstring(tostring(root))
            change(copy, copy[place])
            yield tostring(copy)


def _emptied(_: Element, element: Element) -> None:
    element.text = None


def _doubled(root: Element, element: Element) -> None:
    SubElement(root, element.tag).text = "other"


def _nested(_: Element, element: Element) -> None:
    SubElement(element, element.tag).text = "inner"


def _renamed(_: Element, element: Element) -> None:
    element.tag = element.tag.lower()


def _huge(_: Element, element: Element) -> None:
    element.text = "9" * 5000


def _spaced(_: Element, element: Element) -> None:
    element.text = f"\n {element.text}:*%\u202e\r\n "


def _odd(_: Element, element: Element) -> None:
    element.text = "-1.5e309"


def _removed(root: Element, element: Element) -> None:
    root.remove(element)
