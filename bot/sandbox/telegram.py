"""Telegram's Bot API as a bot meets it (DingTalk sheet, appendix C).

Updates with a secret header, in private chats and groups; `sendMessage` that parses HTML, counts UTF-16 units after
that, knows blocked customers, groups that moved, and how fast is too fast.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

from bot.sandbox import telegram_html
from bot.sandbox.simulator.faults import Fault
from bot.sandbox.simulator.journal import Delivery, Said, SentMessage
from bot.sandbox.simulator.limits import Bucket
from bot.sandbox.simulator.platform import Exchange, Platform, Post, Refusal, Route, route
from bot.sandbox.simulator.serving import Answer, answer_json

LONGEST_TEXT = 4096
"""UTF-16 units, after parsing."""
RETRY_FOR = 10
"""Attempts; the real schedule is not documented, but pending updates are kept for 24 hours."""


def error(status: int, description: str, **parameters: int) -> dict[str, Any]:
    body: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    return {**body, "parameters": parameters} if parameters else body


def refusal(status: int, description: str, **parameters: int) -> Refusal:
    return Refusal(answer_json(error(status, description, **parameters), status), description)


class TelegramPlatform(Platform[dict[str, Any]]):
    """One bot. A *user* is a 64-bit id in digits; so is a group, with a minus."""

    name = "telegram"
    patience = timedelta(seconds=60)
    presets: ClassVar[Mapping[str, tuple[str, Fault]]] = {
        "lost": ("send", Fault(cut_after_accept=True)),
        "busy": ("send", Fault(status=502, json=error(502, "Bad Gateway"))),
        "rate": ("send", Fault(status=429, json=error(429, "Too Many Requests: retry after 3", retry_after=3))),
        "slow": ("send", Fault(delay=timedelta(seconds=5))),
    }

    def __init__(
        self,
        *,
        bot_token: str = "7100000001:AAsandbox-bot-token-000000000000000",  # noqa: S107 - a fake's fixed credentials
        webhook_secret: str = "sandbox-webhook-secret",  # noqa: S107
        username: str = "SandboxShopBot",
        webhook_url: str = "",
        strangers: bool = True,
    ) -> None:
        super().__init__(webhook_url=webhook_url, strangers=strangers)
        self.bot_token = bot_token
        self.webhook_secret = webhook_secret
        self.username = username
        self.blocked: set[str] = set()
        """Customers who blocked the bot."""
        self.moved: dict[str, str] = {}
        """Groups that became supergroups: the old id, and the new one."""
        self._chats: set[str] = set()
        self._rates: dict[str, Bucket] = {}
        self._revoked = False
        self._first = int(self.clock.now().timestamp() * 1000)
        """Message numbers begin here: a platform that is started anew repeats none that a bot may remember."""

    @property
    def bot_id(self) -> int:
        return int(self.bot_token.partition(":")[0])

    def routes(self) -> Sequence[Route]:
        return (
            route("POST", r"/bot[^/]+/sendMessage", "send", self._on_send),
            route("POST", r"/bot[^/]+/sendChatAction", "typing", self._on_action),
            route("POST", r"/bot[^/]+/getMe", "getMe", self._on_me),
            route("POST", r"/bot[^/]+/getWebhookInfo", "getWebhookInfo", self._on_webhook_info),
        )

    def unknown_path(self) -> Answer:
        return answer_json(error(404, "Not Found"), 404)

    def forget_tokens(self) -> None:
        """@BotFather revoked the token: 401 for good."""
        self._revoked = True

    def again_after(self, attempt: int) -> timedelta | None:
        return timedelta(seconds=min(2.0 ** (attempt - 1), 60.0)) if attempt < RETRY_FOR else None

    def customers(self) -> Sequence[Mapping[str, str]]:
        return (
            {"user": "5200000000123", "name": "Ana Torres", "hint": "private"},
            {"user": "5200000000456", "name": "王芳", "hint": "group", "place": "-1002000000789"},
        )

    # ------------------------------------------------------------------ a customer writes

    def say(
        self,
        text: str,
        *,
        user: str = "5200000000123",
        name: str = "",
        group: str = "",
        message_id: str | None = None,
        mention: bool = True,
    ) -> Delivery:
        """Posts one text message. In a *group* the bot is mentioned first, unless *mention* is False."""
        at, number = self.clock.now(), message_id or str(self._first + self._new_number())
        called = f"@{self.username} " if group and mention else ""
        chat: dict[str, Any] = {"id": int(group or user), "type": "supergroup" if group else "private"}
        message: dict[str, Any] = {
            "message_id": int(number),
            "from": {"id": int(user), "is_bot": False, "first_name": name or user, "language_code": "en"},
            "chat": {**chat, "title": "After-sales group"} if group else {**chat, "first_name": name or user},
            "date": int(at.timestamp()),
            "text": called + text,
        }
        if called:
            message["entities"] = [{"type": "mention", "offset": 0, "length": len(called) - 1}]
        with self._guard:
            self._chats.add(group or user)
        said = Said(user=user, name=name or user, text=text, message_id=number, place=group, at=at)
        return self._deliver(said, {"update_id": self._first + self._new_number(), "message": message})

    def compose(self, message: dict[str, Any]) -> Post:
        answer = answer_json(message)
        return Post(
            what="message",
            message_id=str(message["message"]["message_id"]),
            headers={
                "Content-Type": "application/json",
                "X-Telegram-Bot-Api-Secret-Token": self.webhook_secret,
            },
            body=answer.body,
        )

    def sealed(self, post: Post, body: bytes) -> Post:
        return replace(post, body=body)

    def forged(self, post: Post) -> Post:
        return replace(post, headers={**post.headers, "X-Telegram-Bot-Api-Secret-Token": "wrong"})

    # ------------------------------------------------------------------ the bot calls

    def _authorise(self, exchange: Exchange) -> dict[str, Any]:
        """The call's body. A token that never was one has no such address: 404."""
        given = exchange.incoming.path.split("/")[1].removeprefix("bot")
        if not secrets.compare_digest(given.encode(), self.bot_token.encode()):
            raise refusal(404, "Not Found")
        if self._revoked:
            raise refusal(401, "Unauthorized")
        body = exchange.incoming.json()
        if not isinstance(body, dict):
            raise refusal(400, "Bad Request: can't parse JSON object")
        return body

    def _on_send(self, exchange: Exchange) -> Answer:
        body = self._authorise(exchange)
        chat = self._chat(body)
        text = self._parsed(body)
        self._check_rate(chat)
        now, number = self.clock.now(), self._first + self._new_number()
        self.journal.add(SentMessage(to=chat, text=text, key="", at=now, raw=body, platform_id=str(number)))
        result = {"message_id": number, "chat": {"id": int(chat)}, "date": int(now.timestamp()), "text": text}
        return answer_json({"ok": True, "result": result})

    def _chat(self, body: dict[str, Any]) -> str:
        chat = str(body.get("chat_id", ""))
        if chat in self.moved:
            new = int(self.moved[chat])
            raise refusal(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=new)
        if chat in self.blocked:
            raise refusal(403, "Forbidden: bot was blocked by the user")
        if not self.strangers and chat not in self._chats and chat not in self.moved.values():
            raise refusal(400, "Bad Request: chat not found")
        return chat

    def _parsed(self, body: dict[str, Any]) -> str:
        text = body.get("text")
        if not isinstance(text, str):
            raise refusal(400, "Bad Request: message text is empty")
        if body.get("parse_mode") == "HTML":
            try:
                text = telegram_html.shown(text)
            except telegram_html.BadHtml as flaw:
                raise refusal(400, f"Bad Request: can't parse entities: {flaw}") from None
        if not text.strip():
            raise refusal(400, "Bad Request: message text is empty")
        if len(text.encode("utf-16-le", "replace")) // 2 > LONGEST_TEXT:
            raise refusal(400, "Bad Request: message is too long")
        return text

    def _check_rate(self, chat: str) -> None:
        """About a message a second in one chat, with short bursts."""
        if not self.limits:
            return
        with self._guard:
            allowed = self._rates.setdefault(chat, Bucket(5, timedelta(seconds=1))).take(self.clock.now())
        if not allowed:
            raise refusal(429, "Too Many Requests: retry after 2", retry_after=2)

    def _on_action(self, exchange: Exchange) -> Answer:
        body = self._authorise(exchange)
        chat = self._chat(body)
        if body.get("action") != "typing":
            raise refusal(400, "Bad Request: wrong parameter action in request")
        self._sign("typing", chat, "")
        return answer_json({"ok": True, "result": True})

    def _on_me(self, exchange: Exchange) -> Answer:
        self._authorise(exchange)
        me = {"id": self.bot_id, "is_bot": True, "first_name": "Example Shop", "username": self.username}
        return answer_json({"ok": True, "result": me})

    def _on_webhook_info(self, exchange: Exchange) -> Answer:
        self._authorise(exchange)
        info = {"url": self.webhook_url, "has_custom_certificate": False, "pending_update_count": 0}
        return answer_json({"ok": True, "result": info})
