"""An AI bot (智能机器人), and the members who write to it: callbacks, events, files that expire (§4.2, §4.3)."""

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bot.sandbox.simulator.journal import EMPTY, Delivery, Grown, Said
from bot.sandbox.simulator.media import PNG, File
from bot.sandbox.simulator.posting import DROPPED
from bot.sandbox.wecom import aibot_messages as messages
from bot.sandbox.wecom import cards
from bot.sandbox.wecom.aibot_interaction import Interaction
from bot.sandbox.wecom.aibot_socket import Socket
from bot.sandbox.wecom.callbacks import Callbacks, Clear, compact

MEDIA_LIFE = timedelta(minutes=5)
MOST_OPEN = 3
"""Interactions that one member may have open with one bot (§4.2)."""


class AiBot(Callbacks):
    """One AI bot. A *user* is a member; a *group* any chat id. *poll_every*: the pause between two polls."""

    name = "wecom-aibot"
    kinds = messages.KINDS
    most_open = MOST_OPEN

    def __init__(
        self,
        *,
        bot_id: str = "aibSANDBOX0001",
        token: str = "sandboxaibottoken",  # noqa: S107 - a fake's fixed credentials
        encoding_aes_key: str = "c2FuZGJveGVuY29kaW5nYWVza2V5MDEyMzQ1Njc4OTA",
        secret: str = "sandbox-aibot-secret",  # noqa: S107
        webhook_url: str = "",
        strangers: bool = True,
    ) -> None:
        super().__init__(
            token=token,
            encoding_aes_key=encoding_aes_key,
            receive_id="",
            webhook_url=webhook_url,
            strangers=strangers,
        )
        self.bot_id = bot_id
        self.secret = secret
        self.poll_every = timedelta(seconds=1)
        self.connects = False
        """Whether messages go by the long connection instead of callbacks: the two exclude each other."""
        self.socket = Socket(self)
        self.interactions: dict[str, Interaction] = {}
        self.responses: dict[str, tuple[datetime, Interaction]] = {}
        self.links: dict[str, tuple[str, datetime, str]] = {}
        self._entered: set[tuple[str, str]] = set()

    def live_at(self, url: str) -> None:
        super().live_at(url)
        self.socket.start()

    def stop(self) -> None:
        self.socket.stop()
        for interaction in list(self.interactions.values()):
            interaction.done.set()
        super().stop()

    def customers(self) -> Sequence[Mapping[str, str]]:
        return (
            {"user": "ZhangWei", "name": "张伟", "hint": "member"},
            {"user": "LiNa", "name": "李娜", "hint": "group", "place": "wrkSandboxGroup01"},
        )

    # ------------------------------------------------------------------ a member writes

    def say(
        self, text: str, *, user: str = "ZhangWei", name: str = "", group: str = "", message_id: str | None = None
    ) -> Delivery:
        """One text message; in a *group* it begins with the bot's name (§4.2)."""
        said = {"msgtype": "text", "text": {"content": f"@Frontdesk {text}" if group else text}}
        return self._message(user, name, group, said, text, message_id)

    def write(self, kind: str, *, user: str = "", group: str = "", **fields: Any) -> Delivery:
        user, given = user or "ZhangWei", {**self.kinds[kind], **fields}
        if kind == "enter_chat":
            return self._enter(user)
        if kind == "feedback":
            event = {"id": "feedback-1", "type": given["type"]}
            self._did(user, kind, fields=given)
            return self._event(user, "feedback_event", event)
        picture, held = self._link(PNG, "image/png", "photo.png")
        built: dict[str, Any] = {
            "image": {"msgtype": "image", "image": picture},
            "mixed": {
                "msgtype": "mixed",
                "mixed": {
                    "msg_item": [
                        {"msgtype": "text", "text": {"content": given.get("text", "")}},
                        {"msgtype": "image", "image": picture},
                    ]
                },
            },
            "voice": {"msgtype": "voice", "voice": {"content": given.get("content", "")}},
            "file": {"msgtype": "file", "file": picture},
            "video": {"msgtype": "video", "video": picture},
            "quoted": {
                "msgtype": "text",
                "text": {"content": given.get("text", "")},
                "quote": {"msgtype": "text", "text": {"content": given.get("quoted", "")}},
            },
        }[kind]
        media = held if kind in ("image", "mixed", "file", "video") else ""
        return self._message(
            user, "", group, built, str(given.get("text", "")), None, style=kind, media=media, told=given
        )

    def _link(self, content: bytes, mime: str, name: str) -> tuple[dict[str, str], str]:
        """An address that lives five minutes and serves the encrypted file, and its id on the shelf; by socket with
        a key of its own."""
        key = messages.new_key() if self.connects else self.encoding_aes_key
        link = secrets.token_urlsafe(12)
        self.shelf.put(link, File(content=content, mime=mime, name=name, at=self.clock.now()))
        self.links[link] = (link, self.clock.now() + MEDIA_LIFE, key)
        url = {"url": f"{self.url}/aibot/media/{link}"}
        return {**url, "aeskey": key} if self.connects else url, link

    def _message(
        self,
        user: str,
        name: str,
        group: str,
        content: Mapping[str, Any],
        words: str,
        message_id: str | None,
        *,
        style: str = "text",
        media: str = "",
        told: Mapping[str, Any] = EMPTY,
    ) -> Delivery:
        at, id_ = self.clock.now(), message_id or f"CAIQ{secrets.token_urlsafe(12)}/="
        still_open = [each for each in self.interactions.values() if each.user == user and not each.finished]
        if len(still_open) >= MOST_OPEN:
            return Delivery(status=0, body=b"", elapsed=timedelta(), message_id=id_, error="three are open already")
        interaction = Interaction(user=user, place=group, message_id=id_, began=at)
        self.interactions[id_] = interaction
        body: dict[str, Any] = {"msgid": id_, "aibotid": self.bot_id, "chattype": "group" if group else "single"}
        if group:
            body["chatid"] = group
        body |= {"from": {"userid": user}}
        if not self.connects:
            body["response_url"] = self._response_url(interaction)
        body |= content
        said = Said(
            user=user,
            name=name or user,
            text=words,
            message_id=id_,
            place=group,
            at=at,
            style=style,
            media=media,
            fields=told,
        )
        if self.connects:
            self.journal.add(said)
            return self.socket.push("aibot_msg_callback", body, interaction)
        delivery = self._deliver(said, Clear(message_id=id_, text=compact(body)))
        if delivery.status != 200 and delivery.error != DROPPED:
            interaction.finished = True
        return delivery

    def _response_url(self, interaction: Interaction) -> str:
        code = secrets.token_urlsafe(16)
        self.responses[code] = (self.clock.now(), interaction)
        return f"{self.url}/cgi-bin/aibot/response?response_code={code}"

    def _enter(self, user: str) -> Delivery:
        """Once a day and member (§4.3)."""
        today = (user, f"{self.clock.now():%Y-%m-%d}")
        if today in self._entered:
            return Delivery(status=0, body=b"", elapsed=timedelta(), message_id="", error="once a day")
        self._entered.add(today)
        self._did(user, "enter_chat")
        return self._event(user, "enter_chat", {})

    def _event(self, user: str, event: str, fields: Mapping[str, Any]) -> Delivery:
        at, id_ = self.clock.now(), f"CAIQ{secrets.token_urlsafe(8)}"
        interaction = Interaction(user=user, place="", message_id=id_, began=at)
        self.interactions[id_] = interaction
        body: dict[str, Any] = {
            "msgid": id_,
            "create_time": int(at.timestamp()),
            "aibotid": self.bot_id,
            "from": {"userid": user},
            "msgtype": "event",
            "event": {"eventtype": event, event: dict(fields)} if fields else {"eventtype": event},
        }
        if event == "template_card_event" and not self.connects:
            body["response_url"] = self._response_url(interaction)
        if self.connects:
            return self.socket.push("aibot_event_callback", body, interaction)
        clear = Clear(message_id=id_, text=compact(body), what=event)
        return self._post(lambda: self.compose(clear), again=event == "enter_chat")

    def tap(self, message_id: str, choice: str, *, user: str = "") -> Delivery:
        """A member taps a card; told once, and never again (§4.3)."""
        shown = next(each for each in self.interactions.values() if each.stream == message_id)
        title = {each.id: each.title for each in cards.choices(shown.carded)}[choice]
        key, item = cards.selected(shown.carded, choice)
        fields: dict[str, Any] = {
            "card_type": shown.carded["card_type"],
            "event_key": key,
            "task_id": shown.carded["task_id"],
        }
        if item:
            chosen = {"question_key": item["question_key"], "option_ids": {"option_id": [item["option_id"]]}}
            fields["selected_items"] = {"selected_item": [chosen]}
        who, told = user or shown.user, {"message_id": message_id, "choice": choice}
        self._did(who, "tap", words=title, place=shown.place, fields=told)
        return self._event(who, "template_card_event", fields)

    def _did(
        self, user: str, what: str, *, words: str = "", place: str = "", fields: Mapping[str, Any] = EMPTY
    ) -> None:
        """Something that a member does and no message is."""
        at = self.clock.now()
        self.journal.add(
            Said(user=user, name=user, text=words, message_id="", place=place, at=at, style=what, fields=fields)
        )

    def outer(self, encrypted: str) -> bytes:
        return json.dumps({"encrypt": encrypted}).encode()

    def grown(self, interaction: Interaction) -> None:
        """What the member sees now."""
        self.journal.add(
            Grown(
                to=interaction.place or interaction.user,
                text=interaction.shown,
                platform_id=interaction.stream,
                finished=interaction.finished,
                at=self.clock.now(),
            )
        )
