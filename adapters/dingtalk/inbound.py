"""What DingTalk tells the robot, as events (DingTalk sheet §1.3). Over a stream the same JSON would come."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from adapters.dingtalk.route import GROUP, SINGLE
from adapters.dingtalk.settings import DingTalkSettings
from adapters.dingtalk.webhook import Webhooks
from adapters.errors import Malformed
from adapters.payload import Json, at, objects, read_json, text
from adapters.values import LONGEST_ID, Control, ControlEvent, ConversationId, Event, Media, Message

QUOTA_EXHAUSTED = "20001"
WEBHOOK_LIFETIME = timedelta(minutes=90)

LONGEST_NICK = 64
_LABEL = re.compile(r"\s*@\S+(\s+|$)")

Body = dict[str, Json]


@dataclass(frozen=True, slots=True)
class Inbound:
    """Reads the bodies of one configured robot."""

    channel: str
    settings: DingTalkSettings
    webhooks: Webhooks

    def events(self, body: Body, received_at: datetime) -> tuple[Event, ...]:
        """The one event of *body*. Raises Malformed where a message has no id, conversation or sender."""
        sent_at = moment(text(body, "createAt")) or received_at
        code = text(body, "errorCode") or text(body, "errCode")
        fault = bool(code) and "text" not in body and "content" not in body
        ignored = self._ignored(body, nameless=fault)
        if ignored:
            return (ControlEvent(channel=self.channel, what=ignored, at=sent_at),)
        if fault:
            if code == QUOTA_EXHAUSTED:
                return (quota_exhausted(self.channel, sent_at),)
            detail = {"code": code[:64]}
            return (ControlEvent(channel=self.channel, what="platform_error", at=sent_at, detail=detail),)
        message = self._message(body, sent_at, received_at)
        if message.kind in _WRITTEN and not (message.text or message.media or message.quoted):
            where = message.conversation
            return (ControlEvent(channel=self.channel, what="blank_message", at=sent_at, conversation=where),)
        return (message,)

    def _ignored(self, body: Body, *, nameless: bool) -> str:
        """Why this body is not for us, in a word. A custom robot's has no `robotCode` (§1.6). *nameless*: it is
        believed without an organisation's name, since which fields the platform's own notices have is not
        documented."""
        if text(body, "robotCode") not in ("", self.settings.robot):
            return "other_robot"
        if text(body, "chatbotCorpId") not in (self.settings.corp_id, *([""] if nameless else [])):
            return "other_corp"
        own = text(body, "chatbotUserId")
        return "own_message" if own and text(body, "senderId") == own else ""

    def _message(self, body: Body, sent_at: datetime, received_at: datetime) -> Message:
        conversation = text(body, "conversationId")
        staff = text(body, "senderStaffId")
        sender = staff or text(body, "senderId")
        if not conversation or not 0 < len(sender) <= LONGEST_ID:
            raise Malformed("a message without conversationId or with an odd sender")
        group = text(body, "conversationType") == GROUP
        try:
            return Message(
                id=text(body, "msgId"),
                conversation=ConversationId(
                    channel=self.channel,
                    account=self.settings.robot,
                    peer=f"{conversation}:{sender}" if group else conversation,
                ),
                sender=sender,
                sender_name=text(body, "senderNick"),
                text=said(body),
                media=tuple(attachments(body)),
                sent_at=sent_at,
                quoted=quoted(at(body, "text", "repliedMsg")),
                kind=text(body, "msgtype") or "text",
                route={
                    "type": GROUP if group else SINGLE,
                    "conversation": conversation,
                    "staff": staff,
                    "nick": text(body, "senderNick")[:LONGEST_NICK],
                    **self._webhook(body, sent_at, received_at),
                },
            )
        except ValueError as error:  # an id that is empty or too long for a key
            raise Malformed(str(error)) from None

    def _webhook(self, body: Body, sent_at: datetime, received_at: datetime) -> dict[str, str]:
        """The reply address, if it may be used."""
        url = text(body, "sessionWebhook")
        expires = moment(text(body, "sessionWebhookExpiredTime")) or sent_at + WEBHOOK_LIFETIME
        if not self.webhooks.usable(url, expires, received_at):
            return {}
        return {"webhook": url, "webhook_expires": expires.isoformat()}


def quota_exhausted(channel: str, at: datetime) -> ControlEvent:
    """DingTalk tells so in place of a message, and sends nothing more of what customers write (§1.3, §2.7)."""
    reason = (
        f"{QUOTA_EXHAUSTED}: the month's webhook and stream messages are used up; buy messages, or wait for the"
        " first of the month"
    )
    detail = {"code": QUOTA_EXHAUSTED, "reason": reason}
    return ControlEvent(channel=channel, what=Control.ACCOUNT_BLOCKED, at=at, detail=detail)


def moment(milliseconds: str) -> datetime | None:
    """A time as DingTalk writes it: a number, or the same as a string (§1.3). None if it is neither."""
    if not (milliseconds.isascii() and milliseconds.isdigit() and len(milliseconds) <= 14):
        return None
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)


def content(body: Body) -> Json:
    """`content`, which some senders write as a JSON string (§1.3)."""
    found = at(body, "content")
    if not isinstance(found, str):
        return found
    try:
        return read_json(found.encode())
    except Malformed:
        return None


def said(body: Body) -> str:
    """The customer's words. The "@robot" that a group message needs is gone, but its space may be left."""
    read = _WORDS.get(text(body, "msgtype") or "text")
    return read(body).strip() if read else ""


def _text(body: Body) -> str:
    """The guide's HTTP example has the words in a top-level `content` (§1.3)."""
    return text(body, "text", "content") or text(body, "content") or text(content(body), "content")


def _rich_text(body: Body) -> str:
    """HarmonyOS repeats the "@robot" label as the first words (§1.3). Only where nobody else was mentioned, and
    where something else was said, is it surely that."""
    words = "".join(text(item, "text") for item in objects(content(body), "richText"))
    first = next((each for item in objects(content(body), "richText") if (each := text(item, "text")).strip()), "")
    mentioned = [text(user, "dingtalkId") for user in objects(body, "atUsers")]
    label = _LABEL.match(first)
    if label is None or mentioned != [text(body, "chatbotUserId")]:
        return words
    return words.replace(label.group(), "", 1) if words.strip() != label.group().strip() else words


def _chat_record(body: Body) -> str:
    return text(content(body), "summary") or text(content(body), "title")


def _markdown(body: Body) -> str:
    return text(body, "markdown", "text") or text(content(body), "text")


_WORDS: dict[str, Callable[[Body], str]] = {
    "text": _text,
    "richText": _rich_text,
    "audio": lambda body: text(content(body), "recognition"),
    "chatRecord": _chat_record,
    "markdown": _markdown,
}
_WRITTEN = ("text", "richText")
_KINDS = {"picture": "image", "audio": "audio", "video": "video", "file": "file"}


def attachments(body: Body) -> Iterator[Media]:
    """What can be downloaded, in the customer's order."""
    kind = text(body, "msgtype")
    rich = kind == "richText"
    for item in objects(content(body), "richText") if rich else (content(body),):
        word = "image" if rich else _KINDS.get(kind, "")
        code = text(item, "downloadCode") or text(item, "pictureDownloadCode")
        if word and code:
            yield Media(
                kind=word,
                id=code,
                mime="video/mp4" if text(item, "videoType") == "mp4" else "",
                filename=text(item, "fileName"),
                seconds=_seconds(item) if word == "audio" else None,
            )


def _seconds(item: Json) -> float | None:
    """An audio's length; a video's unit differs between DingTalk's own pages (§1.3)."""
    length = text(item, "duration")
    return int(length) / 1000 if length.isascii() and length.isdigit() and len(length) < 12 else None


def quoted(replied: Json) -> str:
    """The words of the message that is replied to; "" for a picture."""
    found = at(replied, "content")
    words = text(found, "text") or text(found, "summary") or text(found, "fileName") or text(found, "recognition")
    return (words or "".join(text(item, "text") for item in objects(found, "richText"))).strip()
