"""Group chats that an app makes for members, and writes into (§3.4). Their rates are not played."""

import re
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from bot.sandbox.simulator.calls import Exchange, Route, route
from bot.sandbox.simulator.journal import Journal, SentMessage
from bot.sandbox.simulator.platform import member
from bot.sandbox.simulator.serving import Answer, Incoming, answer_json
from bot.sandbox.wecom.errors import ok, refusal

LONGEST = 2048
"""Bytes of a text."""
CHAT_ID = re.compile(r"[0-9A-Za-z]{1,32}")


class AppChats:
    """One app's chats by id. *root_visible*: whether the whole company may use the app, else 48002."""

    def __init__(self, check: Callable[[Incoming], None], journal: Journal, now: Callable[[], datetime]) -> None:
        self._check = check
        self._journal = journal
        self._now = now
        self.root_visible = True
        self.chats: dict[str, Sequence[str]] = {}

    def routes(self) -> Sequence[Route]:
        return (
            route("POST", r"/cgi-bin/appchat/create", "webhook", self._on_create),
            route("POST", r"/cgi-bin/appchat/send", "webhook", self._on_send),
        )

    def _on_create(self, exchange: Exchange) -> Answer:
        self._check(exchange.incoming)
        if not self.root_visible:
            raise refusal(48002, "api forbidden: the app's visible range is not the root department")
        body = exchange.incoming.json()
        members, id_ = member(body, "userlist"), member(body, "chatid") or secrets.token_hex(16)
        if not isinstance(members, list) or not 2 <= len(members) <= 2000:
            raise refusal(40031, "userlist has 2 to 2000 members", rule="parameter_invalid")
        if not isinstance(id_, str) or not CHAT_ID.fullmatch(id_):
            raise refusal(40050, "chatid: at most 32 letters and digits", rule="parameter_invalid")
        self.chats[id_] = members
        return answer_json(ok(chatid=id_))

    def _on_send(self, exchange: Exchange) -> Answer:
        self._check(exchange.incoming)
        body: Any = exchange.incoming.json()
        id_, content = member(body, "chatid"), member(body, "text", "content")
        if id_ not in self.chats:
            raise refusal(86001, "chatid is not known", rule="wrong_conversation")
        if member(body, "msgtype") != "text" or not isinstance(content, str) or not content.strip():
            raise refusal(44004, "empty content", rule="empty_text")
        if len(content.encode()) > LONGEST:
            raise refusal(40058, f"content exceeds {LONGEST} bytes", rule="too_long")
        self._journal.add(SentMessage(to=str(id_), text=content, key="", at=self._now(), raw=body))
        return answer_json(ok())
