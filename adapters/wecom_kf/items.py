"""From an item of `kf/sync_msg` to an event (WeCom sheet §5.2).

Only what a customer wrote (origin 3) becomes a message. What a servicer wrote (origin 5) says that a human has the
conversation; what the API sent is not among the items at all.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from adapters.payload import Json, at, objects, text
from adapters.values import LONGEST_ID, Control, ControlEvent, ConversationId, Event, Media, Message
from adapters.wecom.inbound import seconds
from adapters.wecom_kf.events import control, sent_badly

CUSTOMER, SYSTEM, SERVICER = "3", "4", "5"
Read = tuple[str, tuple[Media, ...]]


class Items:
    """Reads the items of one channel's account."""

    def __init__(self, *, channel: str, open_kfid: str) -> None:
        self._channel = channel
        self._open_kfid = open_kfid

    def event(self, item: Json, *, now: datetime) -> Event | None:
        """None: nothing of this account, or nothing that can be read; one bad item stops no other."""
        kind, message_id = text(item, "msgtype"), text(item, "msgid")
        source = at(item, "event") if kind == "event" else item
        account = text(source, "open_kfid") or text(item, "open_kfid")
        if account not in ("", self._open_kfid):
            return None
        who = text(source, "external_userid") or text(item, "external_userid")
        conversation = self._conversation(who)
        sent_at = when(item, now)
        if kind == "event":
            failed = sent_badly(source, channel=self._channel, at=sent_at)
            return failed or control(source, channel=self._channel, at=sent_at, conversation=conversation)
        if conversation is None or not 0 < len(message_id) <= LONGEST_ID:
            return None
        if text(item, "origin") == SERVICER:
            detail = {"by": "servicer_message"}
            what = Control.HUMAN_TOOK_OVER
            return ControlEvent(
                channel=self._channel, what=what, at=sent_at, conversation=conversation, detail=detail
            )
        if text(item, "origin") != CUSTOMER:
            return None
        content, media = read(kind, at(item, kind))
        return Message(
            id=message_id,
            conversation=conversation,
            sender=who,
            text=content,
            media=media,
            sent_at=sent_at,
            kind=kind or "unknown",
            route={"last": message_id},
        )

    def _conversation(self, who: str) -> ConversationId | None:
        if not 0 < len(who) <= LONGEST_ID:
            return None
        return ConversationId(channel=self._channel, account=self._open_kfid, peer=who)


def when(item: Json, otherwise: datetime) -> datetime:
    return seconds(text(item, "send_time"), otherwise)


def read(kind: str, body: Json) -> Read:
    """What a customer sent, in words, and its files. A kind that is not read is named, so that the customer is not
    answered with silence."""
    reader = _READERS.get(kind)
    if reader is not None:
        return reader(body)
    title = _joined(body, "title", "sub_type", "nickname")
    return f"[{_KINDS.get(kind, '不支持的消息')}]{' ' if title else ''}{title}", ()


def _joined(body: Json, *names: str, by: str = " ") -> str:
    return by.join(filter(None, (text(body, name).strip() for name in names)))


def _text(body: Json) -> Read:
    """Also a tapped line of a menu: `content` is its title."""
    return text(body, "content"), ()


def _attachment(kind: str) -> Callable[[Json], Read]:
    def read_media(body: Json) -> Read:
        media_id = text(body, "media_id")
        mime = "audio/amr" if kind == "audio" else ""  # voice_format 0 asks for AMR
        return "", (Media(kind=kind, id=media_id[:LONGEST_ID], mime=mime),) if media_id else ()

    return read_media


def _location(body: Json) -> Read:
    """Latitude and longitude come as numbers, which `text` would not give where they are no integers."""
    place = ", ".join(str(value) for name in ("latitude", "longitude") if (value := at(body, name)) is not None)
    named = _joined(body, "name", "address")
    return " ".join(filter(None, ("📍", named, f"({place[:64]})" if named and place else place[:64]))), ()


def _link(body: Json) -> Read:
    return _joined(body, "title", "desc", "url", by="\n"), ()


def _menu(body: Json) -> Read:
    lines = (
        text(each, name, "content")
        for each in objects(body, "list")
        for name in ("click", "view", "miniprogram", "text")
    )
    return "\n".join(filter(None, (text(body, "head_content"), *lines, text(body, "tail_content")))), ()


_READERS: Mapping[str, Callable[[Json], Read]] = {
    "text": _text,
    "image": _attachment("image"),
    "voice": _attachment("audio"),
    "video": _attachment("video"),
    "file": _attachment("file"),
    "location": _location,
    "link": _link,
    "msgmenu": _menu,
}
_KINDS: Mapping[str, str] = {
    "business_card": "名片",
    "miniprogram": "小程序",
    "channels": "视频号",
    "channels_shop_product": "视频号商品",
    "channels_shop_order": "视频号订单",
    "merged_msg": "聊天记录",
    "note": "笔记",
    "meeting": "会议",
    "schedule": "日程",
}
"""WeChat's own names; its users know them."""
