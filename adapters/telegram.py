"""Telegram: a bot of the Bot API, by webhook (DingTalk sheet, appendix C)."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar

from pydantic import Field, SecretStr

from adapters.channel import Channel, ChannelSettings, Finding
from adapters.errors import Malformed, Unverified
from adapters.fields import Base, matching
from adapters.http import HttpAnswer, MaybeSent
from adapters.hypertext import plain, shown, typeset
from adapters.markdown import Dialect
from adapters.payload import Json, at, objects, read_object, text
from adapters.rules import Rule, alert, give_up, halt, honest, retry, uncoded
from adapters.signing import any_same, secrets
from adapters.surface import Menu, Surface
from adapters.text import Limit, utf16_units
from adapters.values import (
    Action,
    ControlEvent,
    ConversationId,
    Delivered,
    Event,
    Media,
    Message,
    Outcome,
    Promise,
    Refused,
    Reply,
    Request,
    Response,
    Unknown,
)

Token = Annotated[SecretStr, matching(r"\d{1,20}:[A-Za-z0-9_-]{20,100}", "a token of @BotFather, digits:letters")]
Secret = Annotated[SecretStr, matching(r"[A-Za-z0-9_-]{1,256}", "1 to 256 of A-Z a-z 0-9 _ -, as for setWebhook")]


LONGEST = 4096
"""UTF-16 units of a text, after parsing (appendix C)."""


class TelegramSettings(ChannelSettings):
    """*webhook_secret* is what `setWebhook` got as `secret_token`; *username* is the bot's, without the @."""

    bot_token: Token
    webhook_secret: Secret
    webhook_secret_previous: Secret | None = None
    username: str = Field(pattern=r"^[A-Za-z0-9_]{3,64}$")
    api_base: Base = "https://api.telegram.org"


CANNOT_PARSE = "400 can't parse entities"
WRONG_TOKEN = halt("the bot token is wrong or was revoked", "copy it from @BotFather into bot_token")
RULES: Mapping[str, Rule] = {  # by "<error_code> <words of the description>", or by the error code alone
    CANNOT_PARSE: give_up("Telegram cannot parse the reply's HTML, nor take it as text", "report it"),
    "400 message is too long": Rule(action=Action.SPLIT, meaning="the message is too long"),
    "400 message text is empty": give_up("the message is empty", "report it"),
    "400 chat not found": give_up("the chat does not exist, or never wrote to this bot"),
    "400 not enough rights": alert("the bot may not write in this group", "ask the group's administrators"),
    "400 message thread not found": give_up("the group's topic was deleted"),
    "400 topic_closed": give_up("the group's topic is closed"),
    "400 group chat was upgraded": give_up("the group moved, and Telegram does not say where"),
    "400": give_up("Telegram refuses a parameter of the call", "report it with the time of the message"),
    "401": WRONG_TOKEN,
    "403 bot was blocked by the user": give_up("the customer blocked the bot"),
    "403 user is deactivated": give_up("the customer's account was deleted"),
    "403 bot was kicked": give_up("the bot was removed from the group"),
    "403 bot is not a member": give_up("the bot is not in the group"),
    "403 bot can't initiate conversation": give_up("the customer never started the bot"),
    "403": give_up("the customer cannot be reached"),
    "404": WRONG_TOKEN,
    "429": retry("too many messages"),
}


def _ruled(answer: Json) -> tuple[str, Rule] | None:
    """The code of the table that fits best. Telegram's own words could quote the message: they stay out."""
    status, said = text(answer, "error_code"), text(answer, "description").casefold()
    known = (code for code in RULES if code.startswith(f"{status} ") and code.partition(" ")[2] in said)
    code = next(known, status)
    return (code, RULES[code]) if code in RULES else None


def _wait(answer: HttpAnswer, now: datetime) -> timedelta | None:
    """Exactly what Telegram asks for."""
    seconds = text(answer.json, "parameters", "retry_after")
    return timedelta(seconds=int(seconds)) if re.fullmatch(r"[0-9]{1,7}", seconds) else answer.retry_after(now)


_KINDS = {
    "animation": "video", "photo": "image", "voice": "audio", "audio": "audio", "video": "video",
    "video_note": "video", "document": "document", "sticker": "sticker",
    "location": "", "venue": "", "contact": "", "poll": "", "dice": "", "story": "",
}  # fmt: skip
"""A message's field, and what it is as `Media`; "" where there is nothing to download. An animation has a document
beside it, a venue a location. Joined, left, pinned and the like are no messages of a customer."""
_MEMBERSHIP = {"kicked": "bot_blocked", "left": "bot_removed", "member": "bot_admitted"}
_ID = re.compile(r"-?[0-9]{1,19}")


def _attachments(message: Json, kind: str) -> Iterator[Media]:
    found = [*objects(message, kind)][-1:] if kind == "photo" else [at(message, kind)]  # the largest size is last
    for item in found:
        if _KINDS.get(kind) and text(item, "file_id"):
            length = text(item, "duration")
            yield Media(
                kind=_KINDS[kind],
                id=text(item, "file_id"),
                mime=text(item, "mime_type"),
                caption=text(message, "caption"),
                filename=text(item, "file_name"),
                seconds=float(length) if re.fullmatch(r"[0-9]{1,9}", length) else None,
            )


def _said(message: Json, *, name: str, bot: str) -> tuple[str, bool]:
    """The words without the bot's own name, and whether they call it: by name or by a command. Offsets count UTF-16
    units (appendix C)."""
    written, listed = ("caption", "caption_entities") if at(message, "caption") else ("text", "entities")
    units = text(message, written).encode("utf-16-le")
    called, cuts = False, []
    for entity in objects(message, listed):
        start, length = text(entity, "offset"), text(entity, "length")
        if not (re.fullmatch(r"[0-9]{1,5}", start) and re.fullmatch(r"[0-9]{1,5}", length)):
            continue
        first, last = 2 * int(start), 2 * (int(start) + int(length))
        words, kind = units[first:last].decode("utf-16-le", "replace").casefold(), text(entity, "type")
        if (kind == "mention" and words == name) or (kind == "text_mention" and text(entity, "user", "id") == bot):
            cuts.append((first, last))
        elif kind == "bot_command" and words.endswith(name):
            cuts.append((last - 2 * len(name), last))
        elif kind == "bot_command" and first == 0 and "@" not in words:
            called = True
    for first, last in sorted(cuts, reverse=True):
        units = units[:first] + units[last:]
    return units.decode("utf-16-le", "replace").strip(), called or bool(cuts)


class Telegram(Channel[TelegramSettings]):
    """One bot. BLIND: a send takes no key (appendix C), and nobody tells later whether it arrived."""

    settings_type = TelegramSettings
    promise: ClassVar[Promise] = Promise.BLIND
    dialect = Dialect(lambda markdown: "\n".join(typeset(markdown, longest=LONGEST)))
    limit = Limit(size=LONGEST, measure=lambda written: utf16_units(shown(written)))
    surface: ClassVar[Surface] = Surface(
        buttons=Menu(most=10, title=Limit(size=64, measure=utf16_units), body=limit),
        typing=True,
        quotes=True,
        note="Choices are keys of a keyboard that says their words; files are named, with their public address.",
    )
    typing_lasts = timedelta(seconds=4)  # shown for five seconds (appendix C)
    dedupe_horizon = timedelta(days=2)  # pending updates are kept for 24 hours (appendix C)

    @property
    def account(self) -> str:
        """The bot's own user id, which its token begins with."""
        return self.settings.bot_token.get_secret_value().partition(":")[0]

    def verify(self, request: Request) -> None:
        """No byte of the body is signed, and there is no time: what comes again is known by its message id."""
        valid = secrets(self.settings.webhook_secret, self.settings.webhook_secret_previous)
        given = request.headers.get("x-telegram-bot-api-secret-token", "")
        if request.method != "POST" or not any_same(valid, given):
            raise Unverified("the secret token is absent or not webhook_secret: call setWebhook with it")

    def parse(self, request: Request) -> Sequence[Event]:
        update = read_object(request.body)
        status = text(update, "my_chat_member", "new_chat_member", "status")
        if status in _MEMBERSHIP:
            return (ControlEvent(channel=self.name, what=_MEMBERSHIP[status], at=request.received_at),)
        message = at(update, "message")
        return () if message is None else self._message(message, request.received_at)

    def _message(self, message: Json, received_at: datetime) -> Sequence[Event]:
        """Nothing for bots, for what happens to a group, and for a group's talk that is not with the bot."""
        if text(message, "migrate_to_chat_id"):
            return (ControlEvent(channel=self.name, what="group_migrated", at=received_at),)
        chat, sender, number = (text(message, *path) for path in (("chat", "id"), ("from", "id"), ("message_id",)))
        if not (_ID.fullmatch(chat) and _ID.fullmatch(sender) and _ID.fullmatch(number)):
            raise Malformed("a message without the ids of its chat, sender or itself")
        kind = next((each for each in ("text", *_KINDS) if at(message, each)), "")
        if not kind or at(message, "from", "is_bot") is True:
            return ()
        said, called = _said(message, name=f"@{self.settings.username}".casefold(), bot=self.account)
        group = text(message, "chat", "type") != "private"
        if group and not called and text(message, "reply_to_message", "from", "id") != self.account:
            return ()
        topic = text(message, "message_thread_id") if at(message, "is_topic_message") is True else ""
        places = [chat, *([topic] if topic else []), sender] if group else [chat]
        where = ConversationId(channel=self.name, account=self.account, peer=":".join(places))
        date, names = text(message, "date"), [text(message, "from", each) for each in ("first_name", "last_name")]
        sent_at = datetime.fromtimestamp(int(date), UTC) if re.fullmatch(r"[0-9]{1,10}", date) else received_at
        quoted = text(message, "quote", "text") or text(message, "reply_to_message", "text")
        if kind == "text" and not (said or quoted):
            return (ControlEvent(channel=self.name, what="blank_message", at=sent_at, conversation=where),)
        return (
            Message(
                id=f"{chat}.{number}",
                conversation=where,
                sender=sender,
                sender_name=" ".join(name for name in names if name),
                text=said,
                media=tuple(_attachments(message, kind)),
                sent_at=sent_at,
                quoted=quoted,
                kind=kind,
                route={"chat": chat, "topic": topic, "message": number if group else ""},
            ),
        )

    def answer(self, request: Request, events: Sequence[Event]) -> Response:
        return Response()

    def compose(self, markdown: str) -> tuple[str, ...]:
        return tuple(typeset(markdown, longest=LONGEST))

    def send(self, reply: Reply, index: int, *, again: bool = False) -> Outcome:
        return honest("Telegram", lambda: self._send(self._body(reply, index)))

    def _body(self, reply: Reply, index: int) -> dict[str, Json]:
        """The first part of a reply in a group quotes the message, so that all see whom it answers."""
        part = reply.parts[index]
        body: dict[str, Json] = {**_place(reply.route), "text": part.text, "parse_mode": "HTML"}
        if part.choices:  # a key's words come back as the customer's own message
            keys: Json = [[{"text": choice.title}] for choice in part.choices]
            body["reply_markup"] = {"keyboard": keys, "resize_keyboard": True, "one_time_keyboard": True}
        quoted = reply.route.get("message", "")
        if quoted and index == 0:
            body["reply_parameters"] = {"message_id": int(quoted), "allow_sending_without_reply": True}
        return body

    def _send(self, body: dict[str, Json]) -> Outcome:
        """A refusal with a way round it is followed once: a group that moved, HTML that cannot be parsed."""
        answer = self._call("sendMessage", body)
        moved = text(answer.json, "parameters", "migrate_to_chat_id")
        if _ID.fullmatch(moved):
            body["chat_id"] = int(moved)
            answer = self._call("sendMessage", body)
        ruled = _ruled(answer.json)
        if ruled and ruled[0] == CANNOT_PARSE:
            del body["parse_mode"]
            body["text"] = plain(str(body["text"]))
            answer = self._call("sendMessage", body)
        result = self._judged(answer)
        return (
            result if isinstance(result, Refused | Unknown) else Delivered(platform_id=text(result, "message_id"))
        )

    def _judged(self, answer: HttpAnswer) -> Json | Refused | Unknown:
        """The result, or why there is none."""
        now = self.services.now()
        if answer.status == 200 and at(answer.json, "ok") is True:
            return at(answer.json, "result")
        ruled = _ruled(answer.json)
        return ruled[1].refused(ruled[0], _wait(answer, now)) if ruled else uncoded(answer, now)

    def _call(self, method: str, body: Mapping[str, Json]) -> HttpAnswer:
        """The token is part of the address, which nothing here and in PlatformHttp ever tells."""
        url = f"{self.settings.api_base}/bot{self.settings.bot_token.get_secret_value()}/{method}"
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        headers = {"Content-Type": "application/json"}
        return self.services.http.call("POST", url, body=content, headers=headers)

    def turn_started(self, message: Message) -> None:
        """ "typing …", shown for five seconds or until the answer."""
        answer = self._call("sendChatAction", {**_place(message.route), "action": "typing"})
        if answer.status != 200:
            raise MaybeSent(f"HTTP {answer.status}")

    def check(self) -> Sequence[Finding]:
        me = self._ask("getMe")
        if isinstance(me, Refused | Unknown):
            return (Finding(what="bot token", ok=False, next_step=me.reason),)
        named = text(me, "username").casefold() == self.settings.username.casefold()
        info = self._ask("getWebhookInfo")
        problem = info.reason if isinstance(info, Refused | Unknown) else self._problem(info)
        step = "" if named else "set username to the bot's own, or groups cannot call it"
        return (
            Finding(what="bot token", ok=True),
            Finding(what=f"username {self.settings.username}", ok=named, next_step=step),
            Finding(what="webhook", ok=not problem, next_step=problem),
        )

    def _problem(self, info: Json) -> str:
        """What is wrong with the registered webhook. Its address is not told: it may be another's."""
        path = f"/webhooks/{self.name}"
        register = f"call setWebhook with url=https://<this server>{path} and secret_token=<webhook_secret>"
        allowed = at(info, "allowed_updates")
        if not text(info, "url"):
            return f"none is registered: {register}"
        if not text(info, "url").endswith(path):
            return f"another address is registered: {register}"
        if isinstance(allowed, list) and allowed and "message" not in allowed:
            return f"it is registered without messages: {register} and without allowed_updates"
        waiting, said = text(info, "pending_update_count"), text(info, "last_error_message")
        if said and waiting not in ("", "0"):
            return f"{waiting[:9]} updates wait, since Telegram met: {re.sub(r'[^ -~]', '?', said)[:200]}"
        return ""

    def _ask(self, method: str) -> Json | Refused | Unknown:
        return honest("Telegram", lambda: self._judged(self._call(method, {})))


def _place(route: Mapping[str, str]) -> dict[str, Json]:
    place: dict[str, Json] = {"chat_id": int(route["chat"])}
    return {**place, "message_thread_id": int(route["topic"])} if route.get("topic") else place
