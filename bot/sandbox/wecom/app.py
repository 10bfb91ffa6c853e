"""A WeCom (企业微信) self-built app as a bot meets it (WeCom sheet §1 to §3, §9).

Encrypted callbacks with a five-second limit and three deliveries; tokens; `message/send` with everything that the
real one does without a word: cuts at 2,048 bytes, swallows identical requests, drops what is over a rate.
"""

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

from bot.sandbox.simulator.envelope import Envelope, cdata
from bot.sandbox.simulator.faults import Fault
from bot.sandbox.simulator.journal import Delivery, Said, SentMessage
from bot.sandbox.simulator.limits import Bucket
from bot.sandbox.simulator.platform import Exchange, Platform, Post, Refusal, Route, member, route
from bot.sandbox.simulator.serving import Answer, Incoming, answer_json

LARGEST_TEXT = 2048
"""Bytes of UTF-8; what is over is cut silently (§3.3)."""
TOKEN_LIFE = timedelta(seconds=7200)
LONGEST_CHECK = 4 * 3600
DELIVERIES = 3
"""Whether it is three or four in all is not documented; a log shows three (§1.5)."""


ESCAPED = re.compile(rb"(?<!\\)(?:\\\\)*\\u(?!00[01])")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberMessage:
    """A member's text; the XML is the same for every delivery, the envelope is not."""

    message_id: str
    xml: str


def errcode(code: int, message: str, peer: str = "127.0.0.1", **more: Any) -> dict[str, Any]:
    """An answer's body; HTTP is always 200 (§3)."""
    hint = f"hint: [{secrets.randbelow(10**19)}], from ip: {peer}"
    told = (
        message
        if code == 0
        else f"{message}, {hint}, more info at https://open.work.weixin.qq.com/devtool/query?e={code}"
    )
    return {"errcode": code, "errmsg": told, **more}


def refusal(code: int, message: str, peer: str = "127.0.0.1") -> Refusal:
    return Refusal(answer_json(errcode(code, message, peer)), f"{code}: {message}")


class WeComPlatform(Platform[MemberMessage]):
    """One corporation with one app. A *user* is a userid; WeCom compares those without case."""

    name = "wecom"
    patience = timedelta(seconds=5)
    presets: ClassVar[Mapping[str, tuple[str, Fault]]] = {
        "lost": ("send", Fault(cut_after_accept=True)),
        "busy": ("send", Fault(status=200, json=errcode(-1, "system busy"))),
        "rate": ("send", Fault(status=200, json=errcode(45033, "api concurrent out of limit"))),
        "slow": ("send", Fault(delay=timedelta(seconds=5))),
    }

    def __init__(
        self,
        *,
        corp_id: str = "ww7f3a1c05e2b94d68",
        agent_id: int = 1000002,
        secret: str = "sandbox-app-secret-000000000000000000000000",  # noqa: S107 - a fake's fixed credentials
        token: str = "sandboxtoken",  # noqa: S107
        encoding_aes_key: str = "c2FuZGJveGVuY29kaW5nYWVza2V5MDEyMzQ1Njc4OTA",
        webhook_url: str = "",
        strangers: bool = True,
    ) -> None:
        super().__init__(webhook_url=webhook_url, strangers=strangers)
        self.corp_id = corp_id
        self.agent_id = agent_id
        self.secret = secret
        self.token = token
        self.encoding_aes_key = encoding_aes_key
        self.token_life = TOKEN_LIFE
        self.trusted_ip = True
        """False: every call but gettoken is refused with 60020 (§3.2)."""
        self._access_token = ""
        self._expires: datetime | None = None
        self._expired: set[str] = set()
        self._members: dict[str, str] = {}
        self._requests: dict[str, tuple[datetime, str]] = {}
        self._rates: dict[str, Bucket] = {}

    def routes(self) -> Sequence[Route]:
        return (
            route("GET", r"/cgi-bin/gettoken", "token", self._on_gettoken),
            route("POST", r"/cgi-bin/message/send", "send", self._on_send),
            route("GET", r"/cgi-bin/getcallbackip", "getcallbackip", self._on_callback_ip),
            route("GET", r"/cgi-bin/agent/get", "agent", self._on_agent),
        )

    def unknown_path(self) -> Answer:
        return answer_json(errcode(40066, "invalid url"))

    def forget_tokens(self) -> None:
        """The current token becomes invalid early: 40014 for it, a new one from gettoken."""
        with self._guard:
            self._access_token = ""

    def again_after(self, attempt: int) -> timedelta | None:
        """At once: the platform waited its five seconds already (§1.5)."""
        return timedelta() if attempt < DELIVERIES else None

    def customers(self) -> Sequence[Mapping[str, str]]:
        return (
            {"user": "ZhangWei", "name": "张伟", "hint": "member"},
            {"user": "LiNa", "name": "李娜", "hint": "member"},
        )

    # ------------------------------------------------------------------ a member writes

    def say(self, text: str, *, user: str = "ZhangWei", name: str = "", message_id: str | None = None) -> Delivery:
        """Posts one encrypted text message; *message_id* is the MsgId, a 64-bit number."""
        at = self.clock.now()
        number = message_id or f"7{secrets.randbelow(10**18):018d}"
        with self._guard:
            self._members[user.casefold()] = user
        xml = (
            f"<xml><ToUserName>{cdata(self.corp_id)}</ToUserName><FromUserName>{cdata(user)}</FromUserName>"
            f"<CreateTime>{int(at.timestamp())}</CreateTime><MsgType>{cdata('text')}</MsgType>"
            f"<Content>{cdata(text)}</Content><MsgId>{number}</MsgId><AgentID>{self.agent_id}</AgentID></xml>"
        )
        said = Said(user=user, name=name or user, text=text, message_id=number, place="", at=at)
        return self._deliver(said, MemberMessage(message_id=number, xml=xml))

    def verify(self) -> Delivery:
        """The check of the callback URL (§1.2): the decrypted echostr must come back exactly, within a second."""
        echo = str(secrets.randbelow(10**19))
        post = Post(
            what="check", message_id="", method="GET", query=self._signed_query(self._seal(echo), echo=True)
        )
        heard = self._post(lambda: post, again=False)
        wrong = (
            "echostr" if heard.body != echo.encode() else "too late" if heard.elapsed.total_seconds() > 1 else ""
        )
        if heard.status == 200 and wrong:
            return Delivery(status=0, body=heard.body, elapsed=heard.elapsed, message_id="", error=wrong)
        return heard

    def compose(self, message: MemberMessage) -> Post:
        encrypted = self._seal(message.xml)
        body = (
            f"<xml><ToUserName>{cdata(self.corp_id)}</ToUserName><Encrypt>{cdata(encrypted)}</Encrypt>"
            f"<AgentID>{cdata(str(self.agent_id))}</AgentID></xml>"
        )
        return Post(
            what="message",
            message_id=message.message_id,
            query=self._signed_query(encrypted),
            headers={"Content-Type": "text/xml", "User-Agent": "Mozilla/4.0"},
            body=body.encode(),
            clear=message.xml,
        )

    def _seal(self, content: str) -> str:
        return self._envelope().seal(content)

    def _envelope(self) -> Envelope:
        return Envelope(token=self.token, key=self.encoding_aes_key, receive_id=self.corp_id)

    def _signed_query(self, encrypted: str, *, echo: bool = False) -> str:
        timestamp, nonce = str(int(self.clock.now().timestamp())), str(secrets.randbelow(10**10))
        query = {
            "msg_signature": self._envelope().signature(timestamp, nonce, encrypted),
            "timestamp": timestamp,
            "nonce": nonce,
        }
        return urlencode({**query, "echostr": encrypted} if echo else query)

    # ------------------------------------------------------------------ the bot calls

    def _on_gettoken(self, exchange: Exchange) -> Answer:
        incoming = exchange.incoming
        if incoming.argument("corpid") != self.corp_id:
            raise refusal(40013, "invalid corpid", incoming.peer)
        if incoming.argument("corpsecret") != self.secret:
            raise refusal(40001, "invalid credential", incoming.peer)
        with self._guard:
            now = self.clock.now()
            if not self._access_token or self._expires is None or self._expires <= now:
                if self._access_token:
                    self._expired.add(self._access_token)
                self._access_token = secrets.token_urlsafe(96)
                self._expires = now + self.token_life
            left = int((self._expires - now).total_seconds())
            return answer_json(
                {"errcode": 0, "errmsg": "ok", "access_token": self._access_token, "expires_in": left}
            )

    def _authorise(self, incoming: Incoming) -> None:
        given = incoming.argument("access_token")
        with self._guard:
            current, expires = self._access_token, self._expires
            expired = given in self._expired or (given == current and expires and expires <= self.clock.now())
        if not given:
            raise refusal(41001, "access_token missing", incoming.peer)
        if expired:
            raise refusal(42001, "access_token expired", incoming.peer)
        if given != current:
            raise refusal(40014, "invalid access_token", incoming.peer)
        if not self.trusted_ip:
            raise refusal(60020, "not allow to access from your ip", incoming.peer)

    def _on_send(self, exchange: Exchange) -> Answer:
        self._authorise(exchange.incoming)
        body = exchange.incoming.json()
        if not isinstance(body, dict):
            raise refusal(40035, "invalid request body")
        self._check_message(body)
        if ESCAPED.search(exchange.incoming.body):
            exchange.remarks.append("escaped: the request holds \\uXXXX, which WeCom may refuse with 40033")
        members, invalid = self._receivers(body)
        msgid = self._shown_once(exchange, body)
        if msgid is None:
            msgid = secrets.token_urlsafe(48)
            self._remember_request(exchange, body, msgid)
            for member_id in members:
                self._show(exchange, member_id, body, msgid)
        lists = {"invaliduser": "|".join(user.casefold() for user in invalid)} if invalid else {}
        return answer_json({"errcode": 0, "errmsg": "ok", **lists, "msgid": msgid})

    def _check_message(self, body: dict[str, Any]) -> None:
        if body.get("agentid") != self.agent_id or isinstance(body.get("agentid"), bool):
            raise refusal(41011 if "agentid" not in body else 301002, "agentid missing or not of this token's app")
        kind = body.get("msgtype")
        if kind not in ("text", "markdown"):
            raise refusal(40008, "invalid message type (the sandbox shows text and markdown)")
        content = member(body, kind, "content")
        if not isinstance(content, str) or not content.strip():
            raise refusal(44004, "empty content")

    def _receivers(self, body: dict[str, Any]) -> tuple[list[str], list[str]]:
        """Who gets it and who cannot, as the platform names them."""
        wanted = [user for user in str(body.get("touser", "")).split("|") if user]
        if not wanted:
            raise refusal(82001, "touser, toparty and totag are all empty")
        if len(wanted) > 1000:
            raise refusal(40032, "more than 1000 users")
        with self._guard:
            known = {user: self._members.get(user.casefold()) for user in wanted}
        members = [name or user for user, name in known.items() if name or self.strangers]
        invalid = [user for user, name in known.items() if not name and not self.strangers]
        if not members:
            raise refusal(81013, "all receivers are invalid")
        return members, invalid

    def _shown_once(self, exchange: Exchange, body: dict[str, Any]) -> str | None:
        """The msgid of the identical request within the asked interval, if there was one (§3.3)."""
        if body.get("enable_duplicate_check") != 1:
            return None
        asked = body.get("duplicate_check_interval", 1800)
        interval = timedelta(seconds=min(asked if isinstance(asked, int) else 1800, LONGEST_CHECK))
        with self._guard:
            seen = self._requests.get(_digest(exchange.incoming.body))
        if seen is None or self.clock.now() - seen[0] > interval:
            return None
        exchange.remarks.append("duplicate: identical request within the interval, not shown again")
        return seen[1]

    def _remember_request(self, exchange: Exchange, body: dict[str, Any], msgid: str) -> None:
        with self._guard:
            self._requests[_digest(exchange.incoming.body)] = (self.clock.now(), msgid)
            if len(self._requests) > 20_000:
                del self._requests[next(iter(self._requests))]

    def _show(self, exchange: Exchange, user: str, body: dict[str, Any], msgid: str) -> None:
        now = self.clock.now()
        if self.limits:
            with self._guard:
                allowed = self._rates.setdefault(user, Bucket(30, timedelta(seconds=2))).take(now)
            if not allowed:
                exchange.remarks.append("dropped: more than 30 messages a minute to this member")
                return
        kind = body["msgtype"]
        content = body[kind]["content"]
        shown = cut(content)
        if shown != content:
            exchange.remarks.append(f"truncated: {len(content.encode())} bytes, {LARGEST_TEXT} shown")
        self.journal.add(SentMessage(to=user, text=shown, key="", at=now, raw=body, platform_id=msgid, style=kind))

    def _on_callback_ip(self, exchange: Exchange) -> Answer:
        self._authorise(exchange.incoming)
        return answer_json({"errcode": 0, "errmsg": "ok", "ip_list": ["127.0.0.1"]})

    def _on_agent(self, exchange: Exchange) -> Answer:
        self._authorise(exchange.incoming)
        if exchange.incoming.argument("agentid") != str(self.agent_id):
            raise refusal(301002, "agentid is not of this token's app", exchange.incoming.peer)
        return answer_json(
            {"errcode": 0, "errmsg": "ok", "agentid": self.agent_id, "name": "Example Shop", "close": 0}
        )


def cut(text: str) -> str:
    """The first 2,048 bytes, at a character's edge."""
    return text.encode("utf-8", "replace")[:LARGEST_TEXT].decode("utf-8", "ignore")


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
