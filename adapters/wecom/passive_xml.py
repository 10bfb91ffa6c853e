"""Answers in the same HTTP exchange: encrypted XML, for the few events that allow them (WeCom sheet §1.6)."""

from datetime import datetime

from adapters.crypto import Seal, Sealed
from adapters.text import Limit, split, utf8_bytes
from adapters.values import Response
from adapters.xml import NOT_XML

LONGEST = Limit(size=2048, measure=utf8_bytes)


def text_reply(text: str, *, member: str, corp_id: str, at: datetime) -> str:
    """The platform would cut silently what is over 2,048 bytes; here it is cut between words."""
    (content, *_) = split(text, LONGEST) or ("",)
    return _inner("text", f"<Content>{cdata(content)}</Content>", member=member, corp_id=corp_id, at=at)


def button_reply(words: str, *, member: str, corp_id: str, at: datetime) -> str:
    """The clicker's card shows *words* on a button that is spent."""
    fields = f"<Button><ReplaceName>{cdata(words)}</ReplaceName></Button>"
    return _inner("update_button", fields, member=member, corp_id=corp_id, at=at)


def _inner(kind: str, fields: str, *, member: str, corp_id: str, at: datetime) -> str:
    """The direction is the reverse of a message's."""
    return (
        f"<xml><ToUserName>{cdata(member)}</ToUserName><FromUserName>{cdata(corp_id)}</FromUserName>"
        f"<CreateTime>{int(at.timestamp())}</CreateTime><MsgType>{cdata(kind)}</MsgType>{fields}</xml>"
    )


def cdata(text: str) -> str:
    """*text* in one or more CDATA sections, without what XML cannot hold."""
    return f"<![CDATA[{NOT_XML.sub('', text).replace(']]>', ']]]]><![CDATA[>')}]]>"


def response(inner: str, seal: Seal, *, at: datetime, nonce: str, random16: bytes | None = None) -> Response:
    sealed = seal.close(inner, timestamp=str(int(at.timestamp())), nonce=nonce, random16=random16)
    return Response(body=envelope(sealed).encode(), content_type="text/xml; charset=utf-8")


def envelope(sealed: Sealed) -> str:
    return (
        f"<xml><Encrypt>{cdata(sealed.encrypt)}</Encrypt><MsgSignature>{cdata(sealed.signature)}</MsgSignature>"
        f"<TimeStamp>{sealed.timestamp}</TimeStamp><Nonce>{cdata(sealed.nonce)}</Nonce></xml>"
    )
