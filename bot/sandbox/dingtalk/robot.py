"""A robot, and the people who write to it: callbacks by HTTP or by stream, taps and events (§1, §3.3, §5)."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from bot.sandbox.dingtalk import cards, events, gateway, inbound
from bot.sandbox.dingtalk.cards import Card, Cards
from bot.sandbox.dingtalk.gateway import Gateway
from bot.sandbox.dingtalk.media import Media
from bot.sandbox.dingtalk.quotas import Quotas
from bot.sandbox.dingtalk.sends import Sends
from bot.sandbox.dingtalk.tokens import Tokens
from bot.sandbox.simulator import frames
from bot.sandbox.simulator.courier import Heard
from bot.sandbox.simulator.envelope import Envelope
from bot.sandbox.simulator.journal import EMPTY, Delivery, Said
from bot.sandbox.simulator.platform import Platform, Post, member

CARD_PATIENCE = timedelta(seconds=2)
EVENT_PATIENCE = timedelta(seconds=2.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who writes where. *group* is a conversation id, "" in a direct chat; a *guest* has no staff id."""

    user: str
    name: str
    group: str = ""
    guest: bool = False


class Robot(Platform[dict[str, Any]]):
    """One organisation with one robot. A *user* is a staff id; a *group* any conversation id."""

    name = "dingtalk"
    patience = timedelta(seconds=5)
    kinds = inbound.KINDS
    grave = frozenset({"quota"})

    def __init__(
        self,
        *,
        client_id: str = "dingsandbox7k3m9x2q",
        client_secret: str = "sandbox-client-secret",  # noqa: S107 - a fake's fixed credentials
        corp_id: str = "dingcorp5f2e8a1c",
        robot_code: str = "",
        card_secret: str = "sandbox-card-secret",  # noqa: S107
        event_token: str = "sandboxEventToken",  # noqa: S107
        event_aes_key: str = "c2FuZGJveGVuY29kaW5nYWVza2V5MDEyMzQ1Njc4OTA",
        custom_secret: str = "",
        webhook_url: str = "",
        strangers: bool = True,
    ) -> None:
        super().__init__(webhook_url=webhook_url, strangers=strangers)
        self.client_id = client_id
        self.client_secret = client_secret
        self.corp_id = corp_id
        self.robot_code = robot_code or client_id
        self.card_secret = card_secret
        self.event_token = event_token
        self.event_aes_key = event_aes_key
        self.custom_secret = custom_secret
        self.custom_keyword = ""
        self.streams = False
        """Whether messages, taps and events go by the stream's connections instead of webhooks."""
        self.skew = timedelta()
        """How far the callbacks' time is off."""
        self.tokens = Tokens(client_id, client_secret, self.clock.now)
        self.quotas = Quotas(self.clock.now, rate_holds=lambda: self.limits)
        self.sends = Sends(self)
        self.cards = Cards(self, self.sends.authorise)
        self.media = Media(self, self.sends.authorise, self.clock.now)
        self.gateway = Gateway(client_id, client_secret, self.clock.now)
        self._staff: dict[str, str] = {}
        self._groups: set[str] = set()

    def live_at(self, url: str) -> None:
        super().live_at(url)
        self.gateway.start()

    def stop(self) -> None:
        self.gateway.stop()
        super().stop()

    def staff(self, user: str) -> str | None:
        """The name that tests use for a staff id or a sender id; None: nobody of this organisation."""
        return self._staff.get(user)

    def in_group(self, place: str) -> bool:
        return place in self._groups

    def expire_sessions(self) -> None:
        """Every session webhook is answered 300001 from now on, whatever its announced expiry."""
        self.sends.sessions.clear()

    def customers(self) -> Sequence[Mapping[str, str]]:
        return (
            {"user": "manager4220", "name": "王芳", "hint": "member"},
            {"user": "user8817", "name": "陈杰", "hint": "member"},
            {"user": "user3305", "name": "刘洋", "hint": "group", "place": "cidSandboxGroup01=="},
            {"user": "guest5512", "name": "赵敏", "hint": "guest", "place": "cidSandboxGroup02=="},
        )

    # ------------------------------------------------------------------ somebody writes

    def say(
        self,
        text: str,
        *,
        user: str = "manager4220",
        name: str = "",
        group: str = "",
        message_id: str | None = None,
        guest: bool = False,
        session_webhook: bool = True,
    ) -> Delivery:
        """One text message. In a *group* the robot was mentioned, so the text has the leading space of §1.3. A
        *guest* has no staff id."""
        sender = Sender(user=user, name=name or user, group=group, guest=guest or user.startswith("guest"))
        content = {"msgtype": "text", "text": {"content": f" {text}" if group else text}}
        body = self._body(sender, content, message_id, session_webhook=session_webhook)
        return self._hand(sender, body, text)

    def write(self, kind: str, *, user: str = "", name: str = "", group: str = "", **fields: Any) -> Delivery:
        if group and kind in inbound.GROUPS_LACK:
            raise KeyError(f"{kind} never comes from groups")
        user = user or "manager4220"
        sender = Sender(user=user, name=name or user, group=group, guest=user.startswith("guest"))
        given = {**inbound.KINDS[kind], **fields}
        code = self.media.keep(*inbound.FILES[kind]) if kind in inbound.FILES else ""
        body = self._body(sender, inbound.content(kind, code, given), None)
        told = {"filename": inbound.FILES[kind][2], **given} if code else given
        return self._hand(sender, body, str(given.get("text", "")), style=kind, media=code, fields=told)

    def _body(
        self, sender: Sender, content: Mapping[str, Any], message_id: str | None, *, session_webhook: bool = True
    ) -> dict[str, Any]:
        at = self.clock.now()
        sender_id, robot_id = f"$:LWCP_v1:${opaque(sender.user)}", f"$:LWCP_v1:${opaque(self.robot_code)}"
        place = sender.group or f"cid{opaque(sender.user)}=="
        self._staff[sender_id if sender.guest else sender.user] = sender.user
        body: dict[str, Any] = {
            "conversationId": place,
            "chatbotCorpId": self.corp_id,
            "chatbotUserId": robot_id,
            "msgId": message_id or f"msg{secrets.token_urlsafe(16)}==",
            "senderNick": sender.name,
            "isAdmin": False,
            "senderStaffId": "" if sender.guest else sender.user,
            "createAt": int(at.timestamp() * 1000),
            "senderCorpId": self.corp_id,
            "conversationType": "2" if sender.group else "1",
            "senderId": sender_id,
            "robotCode": self.robot_code,
            **content,
        }
        if sender.group:
            self._groups.add(sender.group)
            body |= {"conversationTitle": "售后群", "isInAtList": True, "atUsers": [{"dingtalkId": robot_id}]}
        if session_webhook:
            session = self.sends.session(place, sender.group or sender.user, at)
            body["sessionWebhook"] = f"{self.url}/robot/sendBySession?session={session.key}"
            body["sessionWebhookExpiredTime"] = int(session.expires.timestamp() * 1000)
        return body

    def _hand(
        self,
        sender: Sender,
        body: dict[str, Any],
        words: str,
        *,
        style: str = "text",
        media: str = "",
        fields: Mapping[str, Any] = EMPTY,
    ) -> Delivery:
        said = Said(
            user=sender.user,
            name=sender.name,
            text=words,
            message_id=body["msgId"],
            place=sender.group,
            at=self.clock.now(),
            style=style,
            media=media,
            fields=fields,
        )
        if not self.streams:
            return self._deliver(said, body)
        self._remember(said.message_id, body)
        self.journal.add(said)
        return self._streamed(gateway.ROBOT, body, said.message_id)

    def _streamed(
        self, topic: str, data: Mapping[str, Any], message_id: str, *, kind: str = "CALLBACK"
    ) -> Delivery:
        """By the stream; the delivery waits for the acknowledgement as long as a webhook would."""
        began = self.clock.now()
        waiting = self.gateway.push(topic, data, kind=kind)
        heard = waiting is not None and waiting.answered.wait(self.patience.total_seconds())
        answer = str(waiting.answer or "").encode() if waiting else b""
        error = "" if heard else "nobody is connected" if waiting is None else "timeout"
        what = {gateway.ROBOT: "message", gateway.CARD: "card"}.get(topic, "event")
        took = self.clock.now() - began
        self.journal.add(
            frames.to_bot(what, message_id, topic, data, at=began, took=took, answer=answer, error=error)
        )
        return Delivery(status=200 if heard else 0, body=answer, elapsed=took, message_id=message_id, error=error)

    def redeliver(self, message_id: str) -> Delivery:
        if not self.streams:
            return super().redeliver(message_id)
        with self._guard:
            body = self._messages[message_id]
        return self._streamed(gateway.ROBOT, body, message_id)

    def tap(self, message_id: str, choice: str, *, user: str = "") -> Delivery:
        """A tap on a card's button; the bot has two seconds (§3.3)."""
        card, title = self.cards.tapped(message_id, choice)
        who = user or next((staff for staff, name in self._staff.items() if name == card.to), "manager4220")
        self._tapped(who, card, title, {"message_id": message_id, "choice": choice})
        data = cards.callback(card, choice, who, self.corp_id)
        if self.streams:
            return self._streamed(gateway.CARD, data, message_id)
        delivery = self._post(lambda: cards.post(data, self.card_secret, self._timestamp()), again=False)
        if delivery.elapsed > CARD_PATIENCE:
            self.breach("card_answer_late", f"{delivery.elapsed.total_seconds():.1f} s instead of 2 s")
        return delivery

    def _tapped(self, who: str, card: Card, title: str, fields: Mapping[str, Any]) -> None:
        place, at = card.to if card.to in self._groups else "", self.clock.now()
        self.journal.add(
            Said(user=who, name=who, text=title, message_id="", place=place, at=at, style="tap", fields=fields)
        )

    def event(self, event: Mapping[str, Any]) -> Delivery:
        """One event, encrypted by HTTP or plain by the stream (§5)."""
        if self.streams:
            return self._streamed("*", event, str(event.get("eventId", "")), kind="EVENT")
        at = int(self.clock.now().timestamp() * 1000)
        delivery = self._post(lambda: events.post(self._envelope(), event, at))
        if delivery.elapsed > EVENT_PATIENCE:
            self.breach("event_answer_late", f"{delivery.elapsed.total_seconds():.1f} s instead of 2.5 s")
        return delivery

    def verify(self) -> Delivery:
        """The check of the event address: every answer is the encrypted word success."""
        return self.event({"EventType": "check_url"})

    # ------------------------------------------------------------------ envelopes

    def compose(self, message: dict[str, Any]) -> Post:
        post = Post(what="message", message_id=message["msgId"])
        return self.sealed(
            post, json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        )

    def sealed(self, post: Post, body: bytes) -> Post:
        timestamp = self._timestamp()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "timestamp": timestamp,
            "sign": sign(self.client_secret, timestamp),
        }
        return replace(post, headers=headers, body=body)

    def forged(self, post: Post) -> Post:
        return replace(post, headers={**post.headers, "sign": sign("wrong", self._timestamp())})

    def again_after(self, attempt: int) -> timedelta | None:
        """Events come again after 10 and 30 seconds (§5). Whether a robot's callbacks do is not documented."""
        return {1: timedelta(seconds=10), 2: timedelta(seconds=30)}.get(attempt)

    def check_answer(self, post: Post, heard: Heard) -> None:
        if post.what == "event" and (wrong := events.complaint(self._envelope(), heard)):
            self.breach("event_answer_wrong", wrong)
        if post.what == "card" and heard.body.strip():
            self._check_card_answer(heard.body)

    def _check_card_answer(self, body: bytes) -> None:
        try:
            answer = json.loads(body)
        except ValueError:
            self.breach("card_answer_wrong", "no JSON")
            return
        fresh = member(answer, "cardData", "cardParamMap") or {}
        if not all(isinstance(value, str) for value in fresh.values()):
            self.breach("card_value_not_a_string", "in the answer to a tap")

    def _envelope(self) -> Envelope:
        return Envelope(token=self.event_token, key=self.event_aes_key, receive_id=self.client_id)

    def _timestamp(self) -> str:
        return str(int((self.clock.now() + self.skew).timestamp() * 1000))


def sign(secret: str, timestamp: str) -> str:
    """The `sign` header: raw base64; it covers the time only (§1.2)."""
    told = f"{timestamp}\n{secret}".encode()
    return base64.b64encode(hmac.new(secret.encode(), told, hashlib.sha256).digest()).decode()


def opaque(name: str) -> str:
    """A stable stand-in for the ids that DingTalk makes up; case-sensitive like those."""
    return base64.urlsafe_b64encode(hashlib.sha256(name.encode()).digest())[:22].decode()
