"""A Feishu (飞书) app's bot as a bot meets it (DingTalk sheet, appendix A).

Encrypted, signed events that are posted up to five times; tokens; sends and replies that remember a `uuid` for an
hour, limit sizes and know messages that were withdrawn.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from bot.sandbox.simulator.faults import Fault
from bot.sandbox.simulator.journal import Delivery, Said, SentMessage
from bot.sandbox.simulator.limits import Bucket
from bot.sandbox.simulator.platform import Exchange, Platform, Post, Refusal, Route, member, route
from bot.sandbox.simulator.serving import Answer, Incoming, answer_json

TOKEN_LIFE = timedelta(seconds=7200)
REMEMBERS = timedelta(hours=1)
LARGEST = {"text": 150 * 1024, "post": 30 * 1024}
"""Bytes of a request's body."""
AGAIN = (timedelta(seconds=15), timedelta(minutes=5), timedelta(hours=1), timedelta(hours=6))
BLOCK = 16


def refusal(code: int, message: str, status: int = 400) -> Refusal:
    return Refusal(answer_json({"code": code, "msg": message}, status), f"{code}: {message}")


def _fault(code: int, message: str, status: int = 400) -> Fault:
    return Fault(status=status, json={"code": code, "msg": message}, headers={"x-ogw-ratelimit-reset": "3"})


class FeishuPlatform(Platform[dict[str, Any]]):
    """One app. A *user* is an open id. Without *encrypt_key* events are neither encrypted nor signed."""

    name = "feishu"
    patience = timedelta(seconds=3)
    presets: ClassVar[Mapping[str, tuple[str, Fault]]] = {
        "lost": ("send", Fault(cut_after_accept=True)),
        "busy": ("send", _fault(230049, "The message is being sent")),
        "rate": ("send", _fault(99991400, "request trigger frequency limit", 429)),
        "slow": ("send", Fault(delay=timedelta(seconds=5))),
    }

    def __init__(
        self,
        *,
        app_id: str = "cli_sandbox00000001",
        app_secret: str = "sandbox-app-secret",  # noqa: S107 - a fake's fixed credentials
        verification_token: str = "sandbox-verification-token",  # noqa: S107
        encrypt_key: str = "sandbox-encrypt-key",
        bot_open_id: str = "ou_sandboxbot",
        webhook_url: str = "",
        strangers: bool = True,
    ) -> None:
        super().__init__(webhook_url=webhook_url, strangers=strangers)
        self.app_id = app_id
        self.app_secret = app_secret
        self.verification_token = verification_token
        self.encrypt_key = encrypt_key
        self.bot_open_id = bot_open_id
        self.withdrawn: set[str] = set()
        """Messages that their customers took back."""
        self._access_token = ""
        self._expires: datetime | None = None
        self._chats: dict[str, str] = {}
        self._seen: dict[str, tuple[datetime, str]] = {}
        self._rates: dict[str, Bucket] = {}

    def routes(self) -> Sequence[Route]:
        return (
            route("POST", r"/open-apis/auth/v3/tenant_access_token/internal", "token", self._on_token),
            route("POST", r"/open-apis/im/v1/messages", "send", self._on_send),
            route("POST", r"/open-apis/im/v1/messages/[^/]+/reply", "send", self._on_reply),
            route("GET", r"/open-apis/bot/v3/info", "info", self._on_info),
        )

    def unknown_path(self) -> Answer:
        return Answer(status=404, body=b"404 page not found", content_type="text/plain")

    def forget_tokens(self) -> None:
        with self._guard:
            self._access_token = ""

    def again_after(self, attempt: int) -> timedelta | None:
        return AGAIN[attempt - 1] if attempt <= len(AGAIN) else None

    def customers(self) -> Sequence[Mapping[str, str]]:
        return (
            {"user": "ou_zhangwei", "name": "张伟", "hint": "member"},
            {"user": "ou_lina", "name": "李娜", "hint": "group", "place": "oc_aftersales"},
        )

    # ------------------------------------------------------------------ a customer writes

    def say(
        self,
        text: str,
        *,
        user: str = "ou_zhangwei",
        name: str = "",
        group: str = "",
        message_id: str | None = None,
        mention: bool = True,
    ) -> Delivery:
        """Posts one text message. In a *group* the bot is mentioned first, unless *mention* is False."""
        at, number = self.clock.now(), message_id or f"om_{secrets.token_hex(16)}"
        called = bool(group and mention)
        chat = group or f"oc_{hashlib.sha256(user.encode()).hexdigest()[:32]}"
        message: dict[str, Any] = {
            "message_id": number,
            "create_time": str(int(at.timestamp() * 1000)),
            "chat_id": chat,
            "chat_type": "group" if group else "p2p",
            "message_type": "text",
            "content": _dumped({"text": f"@_user_1 {text}" if called else text}),
        }
        if called:
            message["mentions"] = [{"key": "@_user_1", "id": {"open_id": self.bot_open_id}, "name": "示例商店"}]
        with self._guard:
            self._chats[chat] = group or user
        said = Said(user=user, name=name or user, text=text, message_id=number, place=group, at=at)
        sender = {"sender_id": {"open_id": user}, "sender_type": "user", "tenant_key": "sandbox"}
        return self._deliver(said, self._event({"sender": sender, "message": message}))

    def _event(self, event: dict[str, Any]) -> dict[str, Any]:
        header = {
            "event_id": secrets.token_hex(16),
            "event_type": "im.message.receive_v1",
            "create_time": str(int(self.clock.now().timestamp() * 1000)),
            "token": self.verification_token,
            "app_id": self.app_id,
            "tenant_key": "sandbox",
        }
        return {"schema": "2.0", "header": header, "event": event}

    def verify(self) -> Delivery:
        """The check of the request URL: the challenge must come back within a second. It is not signed."""
        challenge = secrets.token_hex(16)
        event = {"type": "url_verification", "challenge": challenge, "token": self.verification_token}
        heard = self._post(lambda: self._posted("check", "", event, signed=False), again=False)
        answer = Incoming(method="POST", path="", body=heard.body).json()
        late = heard.elapsed > timedelta(seconds=1)
        wrong = "challenge" if member(answer, "challenge") != challenge else "too late" if late else ""
        if heard.status == 200 and wrong:
            return Delivery(status=0, body=heard.body, elapsed=heard.elapsed, message_id="", error=wrong)
        return heard

    def compose(self, message: dict[str, Any]) -> Post:
        return self._posted("message", message["event"]["message"]["message_id"], message, signed=True)

    def _posted(self, what: str, message_id: str, event: dict[str, Any], *, signed: bool) -> Post:
        clear = _dumped(event)
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if not self.encrypt_key:
            return Post(what=what, message_id=message_id, headers=headers, body=clear.encode())
        body = _dumped({"encrypt": seal(clear, self.encrypt_key)}).encode()
        if signed:
            headers |= self._signature(body)
        return Post(what=what, message_id=message_id, headers=headers, body=body, clear=clear)

    def sealed(self, post: Post, body: bytes) -> Post:
        told = _dumped({"encrypt": seal(body.decode("utf-8", "replace"), self.encrypt_key)}).encode()
        return replace(post, headers={**post.headers, **self._signature(told)}, body=told)

    def forged(self, post: Post) -> Post:
        return replace(post, headers={**post.headers, "X-Lark-Signature": "0" * 64})

    def _signature(self, body: bytes) -> dict[str, str]:
        stamp, nonce = str(int(self.clock.now().timestamp())), secrets.token_hex(8)
        digest = hashlib.sha256(f"{stamp}{nonce}{self.encrypt_key}".encode() + body).hexdigest()
        return {"X-Lark-Request-Timestamp": stamp, "X-Lark-Request-Nonce": nonce, "X-Lark-Signature": digest}

    # ------------------------------------------------------------------ the bot calls

    def _on_token(self, exchange: Exchange) -> Answer:
        body = exchange.incoming.json()
        if member(body, "app_id") != self.app_id:
            raise refusal(10003, "invalid param", 200)
        if member(body, "app_secret") != self.app_secret:
            raise refusal(10014, "app secret invalid", 200)
        with self._guard:
            now = self.clock.now()
            if not self._access_token or self._expires is None or self._expires - now < TOKEN_LIFE / 4:
                self._access_token = f"t-{secrets.token_urlsafe(32)}"
                self._expires = now + TOKEN_LIFE
            left = int((self._expires - now).total_seconds())
            told = {"code": 0, "msg": "ok", "tenant_access_token": self._access_token, "expire": left}
        return answer_json(told)

    def _authorise(self, exchange: Exchange) -> None:
        given = exchange.incoming.headers.get("authorization", "").removeprefix("Bearer ")
        with self._guard:
            good = given == self._access_token and self._expires is not None and self._expires > self.clock.now()
        if not given:
            raise refusal(99991661, "Missing access token for authorization")
        if not good:
            raise refusal(99991663, "Invalid access token for authorization")

    def _on_info(self, exchange: Exchange) -> Answer:
        self._authorise(exchange)
        bot = {"activate_status": 2, "app_name": "Example Shop", "open_id": self.bot_open_id}
        return answer_json({"code": 0, "msg": "ok", "bot": bot})

    def _on_send(self, exchange: Exchange) -> Answer:
        self._authorise(exchange)
        if exchange.incoming.argument("receive_id_type") != "chat_id":
            raise refusal(230001, "the sandbox knows chat ids only")
        chat = str(member(exchange.incoming.json(), "receive_id"))
        if chat not in self._chats and not self.strangers:
            raise refusal(230002, "The bot can not be outside the group")
        return self._show(exchange, self._chats.get(chat, chat))

    def _on_reply(self, exchange: Exchange) -> Answer:
        self._authorise(exchange)
        number = exchange.incoming.path.split("/")[-2]
        if number in self.withdrawn:
            raise refusal(230011, "The message was withdrawn")
        with self._guard:
            message = self._messages.get(number)
        if message is None:
            raise refusal(230001, "invalid message_id")
        return self._show(exchange, self._chats[message["event"]["message"]["chat_id"]])

    def _show(self, exchange: Exchange, to: str) -> Answer:
        body = exchange.incoming.json()
        kind, text = self._read(exchange, body)
        key = str(member(body, "uuid") or "")
        if len(key) > 50:
            raise refusal(230001, "uuid is longer than 50 characters")
        now = self.clock.now()
        with self._guard:
            seen = self._seen.get(key) if key else None
        if seen and now - seen[0] <= REMEMBERS:
            exchange.remarks.append("duplicate: the uuid was used within the hour, not shown again")
            return answer_json({"code": 0, "msg": "success", "data": {"message_id": seen[1]}})
        self._check_rate(to)
        number = f"om_{secrets.token_hex(16)}"
        with self._guard:
            self._seen[key] = (now, number)
            if len(self._seen) > 20_000:
                del self._seen[next(iter(self._seen))]
        style = "markdown" if kind == "post" else "text"
        self.journal.add(SentMessage(to=to, text=text, key=key, at=now, raw=body, platform_id=number, style=style))
        return answer_json({"code": 0, "msg": "success", "data": {"message_id": number}})

    def _read(self, exchange: Exchange, body: Any) -> tuple[str, str]:
        """The type and the words of a message."""
        kind = str(member(body, "msg_type"))
        if kind not in LARGEST:
            raise refusal(230001, "the sandbox shows text and post")
        if len(exchange.incoming.body) > LARGEST[kind]:
            raise refusal(230025, "The length of the message content reaches its limit")
        content = Incoming(method="", path="", body=str(member(body, "content")).encode()).json()
        text = member(content, "text") if kind == "text" else _post_text(content)
        if not isinstance(text, str) or not text.strip():
            raise refusal(230001, "invalid message content")
        if "<at" in text:
            exchange.remarks.append("mention: the text holds an <at> element, which mentions people")
        return kind, text

    def _check_rate(self, to: str) -> None:
        """Five a second to one user or group."""
        if not self.limits:
            return
        with self._guard:
            allowed = self._rates.setdefault(to, Bucket(5, timedelta(seconds=0.2))).take(self.clock.now())
        if not allowed:
            raise refusal(230020, "This operation triggers the frequency limit")


def seal(clear: str, encrypt_key: str) -> str:
    """The base64 of a random IV and of *clear* under the key's SHA-256."""
    plain, iv = clear.encode(), secrets.token_bytes(BLOCK)
    pad = BLOCK - len(plain) % BLOCK
    encryptor = Cipher(AES(hashlib.sha256(encrypt_key.encode()).digest()), CBC(iv)).encryptor()
    sealed = encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()
    return base64.b64encode(iv + sealed).decode()


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _post_text(content: Any) -> str:
    """The words of a post's paragraphs, in any one language."""
    languages = [each for each in content.values() if isinstance(each, dict)] if isinstance(content, dict) else []
    rows = member(languages[0], "content") if languages else None
    lines = [row for row in rows if isinstance(row, list)] if isinstance(rows, list) else []
    return "\n".join("".join(str(member(item, "text") or "") for item in row) for row in lines)
