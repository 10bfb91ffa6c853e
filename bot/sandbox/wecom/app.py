"""A WeCom (企业微信) self-built app as a bot meets it (WeCom sheet §1 to §3, §7, §9).

Encrypted callbacks with a five-second limit and three deliveries; tokens and trusted addresses; `message/send`,
cards, media, and what the bot answers within a callback.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from bot.sandbox.simulator.calls import Exchange, Route, route
from bot.sandbox.simulator.courier import Heard
from bot.sandbox.simulator.envelope import cdata
from bot.sandbox.simulator.faults import Fault
from bot.sandbox.simulator.journal import EMPTY, Delivery, Said, SentMessage
from bot.sandbox.simulator.media import PNG
from bot.sandbox.simulator.platform import Post
from bot.sandbox.simulator.serving import Answer, answer_json
from bot.sandbox.wecom import cards, passive
from bot.sandbox.wecom.access import Access
from bot.sandbox.wecom.appchat import AppChats
from bot.sandbox.wecom.callbacks import Callbacks, Clear, xml
from bot.sandbox.wecom.errors import errcode, ok, refusal
from bot.sandbox.wecom.group_robot import GroupRobot
from bot.sandbox.wecom.media import Media
from bot.sandbox.wecom.sends import Sends

AMR = b"#!AMR\n" + bytes(32)
MP4 = bytes(4) + b"ftypisom" + bytes(64)
FILES: Mapping[str, tuple[bytes, str, str]] = {
    "image": (PNG, "image/png", "photo.png"),
    "voice": (AMR, "audio/amr", "voice.amr"),
    "video": (MP4, "video/mp4", "clip.mp4"),
}


class WeComPlatform(Callbacks):
    """One corporation with one app. A *user* is a userid; WeCom compares those without case."""

    name = "wecom"
    presets: ClassVar[Mapping[str, tuple[str, Fault]]] = {
        "lost": ("send", Fault(cut_after_accept=True)),
        "busy": ("send", Fault(status=200, json=errcode(-1, "system busy"))),
        "rate": ("send", Fault(status=200, json=errcode(45033, "api concurrent out of limit"))),
        "slow": ("send", Fault(delay=timedelta(seconds=5))),
        "edge": ("send", Fault(status=502, text="<html><body>502 Bad Gateway</body></html>")),
    }
    kinds: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "image": {},
        "voice": {},
        "video": {},
        "location": {"latitude": 23.134, "longitude": 113.358, "label": "广州市海珠区"},
        "link": {"title": "订单", "url": "https://example.com/orders/1"},
        "enter_agent": {},
        "subscribe": {},
        "unsubscribe": {},
        "click": {"key": "menu-1"},
        "inactive_alert": {},
        "file": {},
    }

    grave: ClassVar[frozenset[str]] = frozenset({"inactive_alert", "unsubscribe"})

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
        super().__init__(
            token=token,
            encoding_aes_key=encoding_aes_key,
            receive_id=corp_id,
            webhook_url=webhook_url,
            strangers=strangers,
        )
        self.corp_id = corp_id
        self.agent_id = agent_id
        self.secret = secret
        self.workbench = False
        """Whether members read in WeChat's workbench: text only, cut at 20 bytes (§3.3)."""
        self.json_envelope = False
        """Whether the callback's outer body is JSON, as a sample has it (§1.3)."""
        self.members: dict[str, str] = {}
        self.access = Access(corp_id, secret, self.clock.now)
        self.media = Media(self.shelf, self.access.check, self.clock.now)
        self.sends = Sends(self)
        self.appchats = AppChats(self.access.check, self.journal, self.clock.now)
        self.group_robot = GroupRobot("sandbox-robot-key", self.media, self.journal, self.clock.now)
        self._from: dict[str, tuple[str, str]] = {}

    @property
    def trusted_ip(self) -> bool:
        """False: every call but gettoken is refused with 60020 (§3.2)."""
        return self.access.trusted_ip

    @trusted_ip.setter
    def trusted_ip(self, trusted: bool) -> None:
        self.access.trusted_ip = trusted

    @property
    def token_life(self) -> timedelta:
        return self.access.life

    @token_life.setter
    def token_life(self, life: timedelta) -> None:
        self.access.life = life

    def routes(self) -> Sequence[Route]:
        return (
            *self.access.routes(),
            *self.sends.routes(),
            *self.media.routes(),
            *self.group_robot.routes(),
            *self.appchats.routes(),
            route("GET", r"/cgi-bin/agent/get", "agent", self._on_agent),
        )

    def unknown_path(self) -> Answer:
        return answer_json(errcode(40066, "invalid url"))

    def forget_tokens(self) -> None:
        self.access.forget()

    def customers(self) -> Sequence[Mapping[str, str]]:
        return (
            {"user": "ZhangWei", "name": "张伟", "hint": "member"},
            {"user": "LiNa", "name": "李娜", "hint": "member"},
        )

    # ------------------------------------------------------------------ a member writes

    def say(self, text: str, *, user: str = "ZhangWei", name: str = "", message_id: str | None = None) -> Delivery:
        """Posts one encrypted text message; *message_id* is the MsgId, a 64-bit number."""
        return self._member(user, name, "text", {"Content": text}, text, message_id)

    def write(self, kind: str, *, user: str = "", **fields: Any) -> Delivery:
        user, given = user or "ZhangWei", {**self.kinds[kind], **fields}
        if kind in FILES:
            id_ = self.media.keep(*FILES[kind])
            more: dict[str, Any] = {"MediaId": id_}
            more |= {"image": {"PicUrl": "https://wework.qpic.cn/0"}, "voice": {"Format": "amr"}}.get(kind, {})
            return self._member(user, "", kind, more, "", None, media=id_, told={"filename": FILES[kind][2]})
        if kind == "location":
            where = {"Location_X": str(given["latitude"]), "Location_Y": str(given["longitude"])}
            more = {**where, "Scale": 15, "Label": given["label"], "AppType": "wxwork"}
            return self._member(user, "", kind, more, "", None, told=given)
        if kind == "link":
            more = {"Title": given["title"], "Description": "", "Url": given["url"], "PicUrl": ""}
            return self._member(user, "", kind, more, given["title"], None, told=given)
        if kind == "file":  # not in the official list (§2): a bot must shrug
            return self._member(
                user, "", kind, {"Title": "invoice.pdf"}, "", None, told={"filename": "invoice.pdf"}
            )
        return self._event(user, kind, {"EventKey": given.get("key", "")})

    def _member(
        self,
        user: str,
        name: str,
        kind: str,
        fields: Mapping[str, Any],
        words: str,
        message_id: str | None,
        *,
        media: str = "",
        told: Mapping[str, Any] = EMPTY,
    ) -> Delivery:
        at = self.clock.now()
        number = message_id or f"7{secrets.randbelow(10**18):018d}"
        self.members[user.casefold()] = user
        self._from[number] = (user, "")
        common = {
            "ToUserName": self.corp_id,
            "FromUserName": user,
            "CreateTime": int(at.timestamp()),
            "MsgType": kind,
        }
        clear = xml({**common, **fields, "MsgId": int(number), "AgentID": self.agent_id})
        said = Said(
            user=user,
            name=name or user,
            text=words,
            message_id=number,
            place="",
            at=at,
            style=kind,
            media=media,
            fields=told,
        )
        return self._deliver(said, Clear(message_id=number, text=clear))

    def _event(
        self, user: str, event: str, fields: Mapping[str, Any], *, words: str = "", told: Mapping[str, Any] = EMPTY
    ) -> Delivery:
        at, id_ = self.clock.now(), f"event-{self._new_number()}"
        self.members[user.casefold()] = user
        self._from[id_] = (user, event)
        common = {"ToUserName": self.corp_id, "FromUserName": user, "CreateTime": int(at.timestamp())}
        clear = xml({**common, "MsgType": "event", "Event": event, **fields, "AgentID": self.agent_id})
        style = "tap" if told else event
        said = Said(user=user, name=user, text=words, message_id=id_, place="", at=at, style=style, fields=told)
        return self._deliver(said, Clear(message_id=id_, text=clear, what="event"))

    def tap(self, message_id: str, choice: str, *, user: str = "") -> Delivery:
        """A member taps a button of a card, or sends a vote (§2)."""
        to, card = self.sends.cards[message_id]
        title = {each.id: each.title for each in cards.choices(card)}[choice]
        key, item = cards.selected(card, choice)
        fields: dict[str, Any] = {
            "EventKey": key,
            "TaskId": message_id,
            "CardType": card["card_type"],
            "ResponseCode": self.sends.response_code(message_id),
        }
        if item:
            chosen = {"QuestionKey": item["question_key"], "OptionIds": {"OptionId": [item["option_id"]]}}
            fields["SelectedItems"] = {"SelectedItem": [chosen]}
        told = {"message_id": message_id, "choice": choice}
        return self._event(user or to, "template_card_event", fields, words=title, told=told)

    def outer(self, encrypted: str) -> bytes:
        if self.json_envelope:
            told = f'{{"tousername":"{self.corp_id}","encrypt":"{encrypted}","agentid":"{self.agent_id}"}}'
            return told.encode()
        return (
            f"<xml><ToUserName>{cdata(self.corp_id)}</ToUserName><Encrypt>{cdata(encrypted)}</Encrypt>"
            f"<AgentID>{cdata(str(self.agent_id))}</AgentID></xml>"
        ).encode()

    def check_answer(self, post: Post, heard: Heard) -> None:
        """Nothing, the word success, or a whole encrypted reply (§1.5, §1.6)."""
        if post.what not in ("message", "event") or heard.body.strip() in (b"", b"success"):
            return
        user, event = self._from.get(post.message_id, ("", ""))
        answer = passive.opened(heard.body, self.envelope, member=user, corp_id=self.corp_id, event=event)
        if answer.complaint:
            self.breach("passive_reply_wrong", answer.complaint)
        elif answer.text:
            self.journal.add(
                SentMessage(to=user, text=answer.text, key="", at=self.clock.now(), raw={"passive": True})
            )

    # ------------------------------------------------------------------ the bot calls

    def _on_agent(self, exchange: Exchange) -> Answer:
        self.access.check(exchange.incoming)
        if exchange.incoming.argument("agentid") != str(self.agent_id):
            raise refusal(301002, "agentid is not of this token's app", exchange.incoming.peer)
        return answer_json(ok(agentid=self.agent_id, name="Example Shop", close=0))
