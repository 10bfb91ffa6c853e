"""`message/send` and its kin, with everything that they do without a word: cut, swallow, drop (§3.3, §3.4)."""

import hashlib
import re
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from bot.sandbox.simulator.calls import Exchange, Route, route
from bot.sandbox.simulator.clock import Clock
from bot.sandbox.simulator.journal import Journal
from bot.sandbox.simulator.limits import Bucket
from bot.sandbox.simulator.platform import member
from bot.sandbox.simulator.seen import Seen
from bot.sandbox.simulator.serving import Answer, Incoming, answer_json
from bot.sandbox.wecom import cards
from bot.sandbox.wecom.access import Access
from bot.sandbox.wecom.errors import ok, refusal
from bot.sandbox.wecom.media import SHOWN_AS, Media

LARGEST_TEXT = 2048
"""Bytes of UTF-8; what is over is cut silently (§3.3)."""
LONGEST_CHECK = 4 * 3600
RESPONSE_LIFE = timedelta(hours=72)
ESCAPED = re.compile(rb"(?<!\\)(?:\\\\)*\\u(?!00[01])")


class App(Protocol):
    """What sending needs of the platform."""

    agent_id: int
    strangers: bool
    limits: bool
    workbench: bool
    clock: Clock
    journal: Journal
    access: Access
    media: Media
    members: dict[str, str]

    def breach(self, rule: str, detail: str) -> None: ...


class Sends:
    """One app's way out."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._requests: dict[str, tuple[datetime, str]] = {}
        self._minute: dict[str, Bucket] = {}
        self._hour: dict[str, Bucket] = {}
        self._codes: dict[str, tuple[datetime, str]] = {}
        self.cards: dict[str, tuple[str, Any]] = {}
        self._guard = threading.RLock()

    def routes(self) -> Sequence[Route]:
        return (
            route("POST", r"/cgi-bin/message/send", "send", self._on_send),
            route("POST", r"/cgi-bin/message/update_template_card", "card_update", self._on_update),
            route("POST", r"/cgi-bin/message/recall", "recall", self._on_recall),
        )

    def response_code(self, task: str) -> str:
        """What lets the bot change a card once, within 72 hours."""
        code = secrets.token_urlsafe(24)
        self._codes[code] = (self._app.clock.now(), task)
        return code

    def _on_send(self, exchange: Exchange) -> Answer:
        self._app.access.check(exchange.incoming)
        body = self._body(exchange.incoming)
        seen = self._seen(exchange, body)
        if ESCAPED.search(exchange.incoming.body):
            exchange.remarks.append("escaped: the request holds \\uXXXX, which WeCom may refuse with 40033")
        members, invalid = self._receivers(body)
        msgid = self._shown_once(exchange, body)
        if msgid is None:
            msgid = secrets.token_urlsafe(48)
            self._remember_request(exchange, msgid)
            for name in members:
                self._show(exchange, name, seen, body, msgid)
        lists = {"invaliduser": "|".join(user.casefold() for user in invalid)} if invalid else {}
        interactive = member(body, "template_card", "card_type") in cards.INTERACTIVE
        if interactive:
            lists["response_code"] = self.response_code(str(body["template_card"]["task_id"]))
        return answer_json(ok(**lists, msgid=msgid))

    def _body(self, incoming: Incoming) -> dict[str, Any]:
        body = incoming.json()
        if not isinstance(body, dict):
            raise refusal(40035, "invalid request body", rule="parameter_invalid")
        if body.get("agentid") != self._app.agent_id or isinstance(body.get("agentid"), bool):
            code = 41011 if "agentid" not in body else 301002
            raise refusal(code, "agentid missing or not of this token's app", rule="wrong_agent_id")
        return body

    def _seen(self, exchange: Exchange, body: Mapping[str, Any]) -> Seen:
        kind = str(body.get("msgtype"))
        reader = READERS.get(kind)
        if reader is None:
            raise refusal(40008, "invalid message type", rule="unknown_type")
        if kind in SHOWN_AS:
            return self._file(kind, body)
        seen = reader(body)
        if not seen.text.strip():
            raise refusal(44004, "empty content", rule="empty_text")
        shown = cut(seen.text)
        if shown != seen.text:
            exchange.remarks.append(f"truncated: {len(seen.text.encode())} bytes, {LARGEST_TEXT} shown")
            self._app.breach("text_cut", f"{len(seen.text.encode())} bytes, {LARGEST_TEXT} shown")
        return replace(seen, text=shown)

    def _file(self, kind: str, body: Mapping[str, Any]) -> Seen:
        id_ = member(body, kind, "media_id")
        if not isinstance(id_, str) or not id_:
            raise refusal(41006, "media_id missing", rule="parameter_missing")
        if self._app.media.find(id_) is None:
            raise refusal(40007, "invalid media_id")
        return Seen(text="", media=id_, media_kind=SHOWN_AS[kind])

    def _receivers(self, body: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """Who gets it and who cannot, as the platform names them."""
        wanted = [user for user in str(body.get("touser", "")).split("|") if user]
        if not wanted:
            raise refusal(82001, "touser, toparty and totag are all empty", rule="parameter_missing")
        if len(wanted) > 1000:
            raise refusal(40032, "more than 1000 users", rule="too_many_users")
        known = {user: self._app.members.get(user.casefold()) for user in wanted}
        members = [name or user for user, name in known.items() if name or self._app.strangers]
        invalid = [user for user, name in known.items() if not name and not self._app.strangers]
        if not members:
            raise refusal(81013, "all receivers are invalid")
        return members, invalid

    def _shown_once(self, exchange: Exchange, body: Mapping[str, Any]) -> str | None:
        """The msgid of the identical request within the asked interval, if there was one (§3.3)."""
        if body.get("enable_duplicate_check") != 1:
            return None
        asked = body.get("duplicate_check_interval", 1800)
        interval = timedelta(seconds=min(asked if isinstance(asked, int) else 1800, LONGEST_CHECK))
        with self._guard:
            seen = self._requests.get(_digest(exchange.incoming.body))
        if seen is None or self._app.clock.now() - seen[0] > interval:
            return None
        exchange.remarks.append("duplicate: identical request within the interval, not shown again")
        return seen[1]

    def _remember_request(self, exchange: Exchange, msgid: str) -> None:
        with self._guard:
            self._requests[_digest(exchange.incoming.body)] = (self._app.clock.now(), msgid)
            if len(self._requests) > 20_000:
                del self._requests[next(iter(self._requests))]

    def _show(self, exchange: Exchange, user: str, seen: Seen, body: Mapping[str, Any], msgid: str) -> None:
        now = self._app.clock.now()
        if self._app.limits and not self._allowed(user, now):
            exchange.remarks.append("dropped: more than 30 messages a minute or 1000 an hour to this member")
            self._app.breach("dropped_silently", "more than 30 messages a minute, or 1000 an hour, to one member")
            return
        text = seen.text.encode()[:20].decode("utf-8", "ignore") if self._app.workbench else seen.text
        card = body.get("template_card")
        if card:
            self.cards[str(card.get("task_id"))] = (user, card)
        self._app.journal.add(
            replace(seen, text=text).sent(
                to=user,
                key="",
                at=now,
                raw=body,
                platform_id=str(card.get("task_id")) if seen.choices and card else msgid,
            )
        )

    def _allowed(self, user: str, now: datetime) -> bool:
        with self._guard:
            minute = self._minute.setdefault(user, Bucket(30, timedelta(seconds=2))).take(now)
            hour = self._hour.setdefault(user, Bucket(1000, timedelta(seconds=3.6))).take(now)
        return minute and hour

    def _on_update(self, exchange: Exchange) -> Answer:
        self._app.access.check(exchange.incoming)
        body = exchange.incoming.json()
        if not isinstance(member(body, "userids"), list):
            raise refusal(40035, "userids is an array here", rule="parameter_invalid")
        at, _ = self._codes.pop(str(member(body, "response_code")), (None, ""))
        if at is None or self._app.clock.now() - at > RESPONSE_LIFE:
            raise refusal(42014, "response_code was used, or is too old")
        if not member(body, "button", "replace_name") and not member(body, "template_card"):
            raise refusal(40035, "button.replace_name or template_card", rule="parameter_missing")
        return answer_json(ok())

    def _on_recall(self, exchange: Exchange) -> Answer:
        self._app.access.check(exchange.incoming)
        if not member(exchange.incoming.json(), "msgid"):
            raise refusal(40035, "msgid", rule="parameter_missing")
        return answer_json(ok())


def _card(body: Mapping[str, Any]) -> Seen:
    card = body.get("template_card")
    try:
        return Seen(text=cards.words(card), style="card", choices=cards.choices(card))
    except cards.BadCard as bad:
        raise refusal(40035, str(bad), rule="card_wrong") from bad


def _textcard(body: Mapping[str, Any]) -> Seen:
    given = body.get("textcard")
    title, described, url = (str(member(given, name) or "") for name in ("title", "description", "url"))
    if not title or not described or "://" not in url:
        raise refusal(40035, "title, description and url with its scheme", rule="parameter_missing")
    if len(title) > 128 or len(described) > 512 or len(url.encode()) > 2048:
        raise refusal(40035, "title, description or url is too long", rule="too_long")
    return Seen(text=f"{title}\n{described}\n{url}", style="card")


def _news(body: Mapping[str, Any]) -> Seen:
    articles = member(body, "news", "articles")
    if not isinstance(articles, list) or not 1 <= len(articles) <= 8:
        raise refusal(45008, "1 to 8 articles", rule="parameter_invalid")
    return Seen(text="\n".join(f"{member(each, 'title')} {member(each, 'url')}" for each in articles), style="card")


def _content(kind: str) -> Callable[[Mapping[str, Any]], Seen]:
    def read(body: Mapping[str, Any]) -> Seen:
        content = member(body, kind, "content")
        return Seen(text=content if isinstance(content, str) else "", style=kind)

    return read


READERS: Mapping[str, Callable[[Mapping[str, Any]], Seen]] = {
    "text": _content("text"),
    "markdown": _content("markdown"),
    "template_card": _card,
    "textcard": _textcard,
    "news": _news,
    **dict.fromkeys(SHOWN_AS, _content("text")),
}


def cut(text: str) -> str:
    """The first 2,048 bytes, at a character's edge."""
    return text.encode("utf-8", "replace")[:LARGEST_TEXT].decode("utf-8", "ignore")


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
