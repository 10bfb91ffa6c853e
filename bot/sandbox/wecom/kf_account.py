"""A customer service account, and the WeChat users who write to it: notices, items to fetch (§5.1, §5.2)."""

import secrets
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from bot.sandbox.simulator.envelope import cdata
from bot.sandbox.simulator.journal import EMPTY, Delivery, Said
from bot.sandbox.wecom.access import Access
from bot.sandbox.wecom.app import FILES
from bot.sandbox.wecom.callbacks import Callbacks, Clear, xml
from bot.sandbox.wecom.media import Media

KEPT = timedelta(days=3)
NEW, BOT, POOL, HUMAN, ENDED = range(5)
"""The states of a session (§5.5)."""


@dataclass(slots=True)
class Customer:
    """*state* as in §5.5; *heard_at* and *since* are the last words, and the messages sent since them."""

    user: str
    state: int = ENDED
    servicer: str = ""
    heard_at: datetime | None = None
    since: int = 0


@dataclass(slots=True)
class Ledger:
    """One account's messages in order; the cursor is the number behind the last that was handed out."""

    items: deque[tuple[int, datetime, Mapping[str, Any]]] = field(default_factory=lambda: deque(maxlen=20_000))
    count: int = 0

    def add(self, at: datetime, item: Mapping[str, Any]) -> None:
        self.count += 1
        self.items.append((self.count, at, item))


class KfAccount(Callbacks):
    """One corporation with one customer service account. *page_limit*: messages a page, to have several;
    *blank_pages*: so many pages come empty and promise more; *late_failures*: what is over the budget is accepted,
    and fails by an event."""

    name = "wecom-kf"
    kinds: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "image": {},
        "voice": {},
        "video": {},
        "file": {},
        "location": {"latitude": 23.1, "longitude": 113.3, "name": "海珠区", "address": "广州"},
        "link": {"title": "订单", "url": "https://example.com/1"},
        "merged_msg": {},
        "enter_session": {},
        "recall": {"message_id": ""},
    }

    announces = True

    def __init__(
        self,
        *,
        corp_id: str = "ww7f3a1c05e2b94d68",
        secret: str = "sandbox-kf-secret-0000000000000000000000000",  # noqa: S107 - a fake's fixed credentials
        token: str = "sandboxkftoken",  # noqa: S107
        encoding_aes_key: str = "c2FuZGJveGVuY29kaW5nYWVza2V5MDEyMzQ1Njc4OTA",
        open_kfid: str = "wkSandboxAccount01",
        webhook_url: str = "",
        strangers: bool = True,
    ) -> None:
        super().__init__(
            token=token,
            encoding_aes_key=encoding_aes_key,
            receive_id=corp_id,
            webhook_url=webhook_url,
            strangers=strangers,
        )
        self.corp_id = corp_id
        self.secret = secret
        self.open_kfid = open_kfid
        self.page_limit = 1000
        self.blank_pages = 0
        self.late_failures = False
        self.names_account = True
        """Whether notices name the account: those of 2021 did not (§5.1)."""
        self.lost_notices = 0
        """So many notices get lost: the bot must look by itself."""
        self.access = Access(corp_id, secret, self.clock.now)
        self.media = Media(self.shelf, self.access.check, self.clock.now)
        self.people: dict[str, Customer] = {}
        self.ledger = Ledger()
        self.notices: dict[str, datetime] = {}
        self.codes: dict[str, tuple[str, datetime]] = {}
        self.books = threading.RLock()

    def customers(self) -> Sequence[Mapping[str, str]]:
        return (
            {"user": "wmZhangSan0001", "name": "张三", "hint": "wechat"},
            {"user": "wmLiSi0002", "name": "李四", "hint": "wechat"},
        )

    # ------------------------------------------------------------------ a customer writes

    def say(
        self, text: str, *, user: str = "wmZhangSan0001", name: str = "", message_id: str | None = None
    ) -> Delivery:
        """The message waits to be fetched; what is posted is only a notice."""
        return self._heard(user, name, "text", {"content": text}, text, message_id)

    def write(self, kind: str, *, user: str = "", **fields: Any) -> Delivery:
        user, given = user or "wmZhangSan0001", {**self.kinds[kind], **fields}
        if kind == "enter_session":
            return self.enter(user)
        if kind == "recall":
            self._did(kind, user, given)
            return self._event("user_recall_msg", user, {"recall_msgid": given["message_id"]})
        if kind in (*FILES, "file"):
            file = FILES.get(kind, (b"%PDF-1.4\n%%EOF\n", "application/pdf", "invoice.pdf"))
            id_ = self.media.keep(*file)
            return self._heard(user, "", kind, {"media_id": id_}, "", None, media=id_, told={"filename": file[2]})
        return self._heard(user, "", kind, given, str(given.get("title", "")), None, told=given)

    def _did(self, what: str, user: str, fields: Mapping[str, Any]) -> None:
        """Something that the customer does and no message is."""
        at = self.clock.now()
        self.journal.add(
            Said(user=user, name=user, text="", message_id="", place="", at=at, style=what, fields=fields)
        )

    def _heard(
        self,
        user: str,
        name: str,
        kind: str,
        content: Mapping[str, Any],
        words: str,
        message_id: str | None,
        *,
        media: str = "",
        told: Mapping[str, Any] = EMPTY,
    ) -> Delivery:
        at, id_ = self.clock.now(), message_id or f"4{secrets.token_hex(12)}"
        with self.books:
            customer = self.people.setdefault(user, Customer(user))
            customer.heard_at, customer.since = at, 0
            if customer.state == ENDED:
                customer.state = NEW
            self._put(id_, user, 3, {"msgtype": kind, kind: dict(content)}, at)
        said = Said(
            user=user,
            name=name or user,
            text=words,
            message_id=id_,
            place="",
            at=at,
            style="tap" if "menu_id" in content else kind,
            media=media,
            fields=told,
        )
        self.journal.add(said)
        return self.notify(id_)

    def _put(self, id_: str, user: str, origin: int, content: Mapping[str, Any], at: datetime) -> None:
        item = {"msgid": id_, "send_time": int(at.timestamp()), "origin": origin, **content}
        if content["msgtype"] != "event":
            item |= {"open_kfid": self.open_kfid, "external_userid": user}
        self.ledger.add(at, item)

    def enter(self, user: str) -> Delivery:
        """The customer opens the chat; the welcome code lives 20 seconds (§5.4)."""
        code = secrets.token_urlsafe(16)
        self._did("enter_session", user, {})
        with self.books:
            self.people.setdefault(user, Customer(user))
            self.codes[code] = (user, self.clock.now())
        return self._event("enter_session", user, {"scene": "", "scene_param": "", "welcome_code": code})

    def take_over(self, user: str = "wmZhangSan0001", servicer: str = "LiNa") -> Delivery:
        """A colleague grabs the chat and writes (origin 5)."""
        with self.books:
            customer = self.people.setdefault(user, Customer(user))
            customer.state, customer.servicer = HUMAN, servicer
            content = {"msgtype": "text", "text": {"content": "我来帮您"}, "servicer_userid": servicer}
            self._put(f"5{secrets.token_hex(12)}", user, 5, content, self.clock.now())
        return self._event(
            "session_status_change",
            user,
            {"change_type": 1, "old_servicer_userid": "", "new_servicer_userid": servicer},
        )

    def end_session(self, user: str = "wmZhangSan0001") -> Delivery:
        with self.books:
            self.people.setdefault(user, Customer(user)).state = ENDED
        return self._event("session_status_change", user, {"change_type": 3})

    def _event(self, event: str, user: str, fields: Mapping[str, Any]) -> Delivery:
        at, id_ = self.clock.now(), f"e{secrets.token_hex(12)}"
        told = {"event_type": event, "open_kfid": self.open_kfid, "external_userid": user, **fields}
        with self.books:
            self._put(id_, user, 4, {"msgtype": "event", "event": told}, at)
        return self.notify(id_)

    def notify(self, id_: str = "") -> Delivery:
        """The callback: no message, no sender, only that there is mail."""
        if self.lost_notices:
            self.lost_notices -= 1
            return Delivery(status=0, body=b"", elapsed=timedelta(), message_id=id_, error="the notice got lost")
        key = f"ENC{secrets.token_urlsafe(24)}"
        self.notices[key] = self.clock.now()
        fields = {
            "ToUserName": self.corp_id,
            "CreateTime": int(self.clock.now().timestamp()),
            "MsgType": "event",
            "Event": "kf_msg_or_event",
            "Token": key,
        }
        clear = xml({**fields, "OpenKfId": self.open_kfid} if self.names_account else fields)
        notice = Clear(message_id=id_ or key, text=clear, what="notice")
        self._remember(notice.message_id, notice)
        return self._carry(lambda: self.compose(notice))

    def outer(self, encrypted: str) -> bytes:
        told = f"<ToUserName>{cdata(self.corp_id)}</ToUserName><Encrypt>{cdata(encrypted)}</Encrypt>"
        return f"<xml>{told}</xml>".encode()

    def tap(self, message_id: str, choice: str, *, user: str = "") -> Delivery:
        """A tap on a menu's item is a text with its id (§5.2)."""
        shown = next(each for each in self.journal.shown() if each.platform_id == message_id)
        title = {each.id: each.title for each in shown.choices}[choice]
        told = {"message_id": message_id, "choice": choice}
        content = {"content": title, "menu_id": choice}
        return self._heard(user or shown.to, "", "text", content, title, None, told=told)
