"""From a decrypted app message to an event (WeCom sheet §2 and §1.5)."""

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote
from xml.etree.ElementTree import Element

from adapters.crypto import BadContent, Flaw
from adapters.values import LONGEST_ID, Control, ControlEvent, ConversationId, Event, Media, Message
from adapters.wecom.cards import CARD_EVENT, chosen
from adapters.wecom.notices import KF_EVENT, notice
from adapters.wecom.settings import WeComSettings
from adapters.xml import NOT_XML, BadXml, read_xml

KNOWN_EVENTS = frozenset(
    (
        *("subscribe", "unsubscribe", "enter_agent", "LOCATION", "click", "view", "view_miniprogram"),
        *("scancode_push", "scancode_waitmsg", "pic_sysphoto", "pic_photo_or_album", "pic_weixin"),
        *("location_select", "template_card_event", "template_card_menu_event", "change_contact"),
        *("batch_job_result", "open_approval_change", "sys_approval_change", "share_agent_change"),
        *("share_chain_change", "inactive_alert", "close_inactive_agent", "reopen_inactive_agent"),
        *("low_active_alert", "low_active", "active_restored", "change_external_contact"),
        *("change_external_chat", "change_external_tag", "kf_msg_or_event"),
    )
)
CONSEQUENCES: Mapping[str, Control] = {
    "close_inactive_agent": Control.ACCOUNT_BLOCKED,
    "reopen_inactive_agent": Control.ACCOUNT_RESTORED,
    "active_restored": Control.ACCOUNT_RESTORED,
}
_SUSPENSIONS: Mapping[str, str] = {
    "inactive_alert": "WeCom will close this app for inactivity: use it, or confirm it in the console",
    "low_active_alert": "WeCom finds this app hardly used and may restrict it: look at its page in the console",
    "low_active": "WeCom restricts this app, being hardly used: look at its page in the console",
    "close_inactive_agent": "WeCom closed this app for inactivity: enable it again in the console",
}
"""What an operator is to do (events of 2024 and later; whether `low_active` stops messages is unconfirmed)."""
_DETAILS = (
    *("EventKey", "ChangeType", "TaskId", "CardType", "EffectTime", "OpenKfId", "UserID"),
    *("BatchJob/JobId", "BatchJob/JobType", "BatchJob/ErrCode", "ScanCodeInfo/ScanType"),
)
"""Kept of an event. `ResponseCode` and `Token` are credentials and stay out."""
_LONGEST_DETAIL = 256
_SECONDS = re.compile(r"[0-9]{1,11}")


class Inbound:
    """Reads the messages of one channel's app."""

    def __init__(self, channel: str, settings: WeComSettings) -> None:
        self._channel = channel
        self._settings = settings
        self._agent = str(settings.agent_id)

    def event(self, text: str, *, received_at: datetime) -> Event:
        """What the inner XML *text* says. Raises :class:`~adapters.crypto.BadContent` unless it is XML. What is
        readable but not for us (another app's, an unknown type, no sender) is a ControlEvent."""
        root = read_inner(text)
        at = seconds(root.findtext("CreateTime", ""), received_at)
        kind = root.findtext("MsgType", "")
        sender = root.findtext("FromUserName", "")
        agent = root.findtext("AgentID", "")
        if agent not in ("", self._agent):
            return self._control("other_agent", at, {"agent_id": agent})
        if kind == "event":
            return self._event(root, sender, at, text)
        read = _READERS.get(kind)
        key = self._key(root, sender, text)
        if read is None or not (_usable(sender) and _usable(key)):
            return self._control("unknown_message" if read is None else "unreadable_message", at, {"type": kind})
        content, media = read(root)
        return Message(
            id=key,
            conversation=self._conversation(sender),
            sender=sender,
            text=content,
            media=media,
            sent_at=at,
            kind=kind,
        )

    def _event(self, root: Element, sender: str, at: datetime, text: str) -> Event:
        name, key = root.findtext("Event", ""), self._key(root, sender, text)
        title = chosen(root) if name == CARD_EVENT else ""
        if title and _usable(sender) and _usable(key):
            return self._tap(root, sender, at, key, title)
        account = root.findtext("OpenKfId", "")
        channel = self._settings.kf_channel_of(account)
        if name == KF_EVENT and channel and _usable(account):
            return notice(text, root, channel=channel, account=account, at=at)
        known = name in KNOWN_EVENTS
        detail = {_snake(tag.rpartition("/")[2]): root.findtext(tag, "") for tag in _DETAILS}
        detail |= {"id": key, "event": "" if known else name, "reason": _SUSPENSIONS.get(name, "")}
        what = CONSEQUENCES.get(name) or (name.lower() if known else "unknown_event")
        return self._control(what, at, detail, sender)

    def _tap(self, root: Element, sender: str, at: datetime, key: str, title: str) -> Message:
        """What was tapped on a card is what the member says. The code that updates the card travels only where the
        tap cannot be answered in its own exchange: it is good for one use."""
        code = "" if self._settings.passive else root.findtext("ResponseCode", "")
        return Message(
            id=key,
            conversation=self._conversation(sender),
            sender=sender,
            text=title,
            sent_at=at,
            kind=CARD_EVENT,
            route={"response_code": code, "chosen": title} if code else {},
        )

    def _control(self, what: str, at: datetime, detail: Mapping[str, str], sender: str = "") -> ControlEvent:
        named = {name: value[:_LONGEST_DETAIL] for name, value in detail.items() if value}
        member = _usable(sender) and sender != "sys"  # changes of the address book come from `sys`
        return ControlEvent(
            channel=self._channel,
            what=what,
            at=at,
            conversation=self._conversation(sender) if member else None,
            detail=named,
        )

    def _conversation(self, sender: str) -> ConversationId:
        return ConversationId(channel=self._channel, account=self._settings.corp_id, peer=sender)

    def _key(self, root: Element, sender: str, text: str) -> str:
        """Names what was sent for ever, however its envelope looks. Neither MsgId alone nor sender and second are
        unique: both made other bots swallow real events (WeCom sheet §1.5)."""
        message_id = root.findtext("MsgId", "")
        if message_id:
            return ":".join(quote(part, safe="") for part in (self._agent, sender, message_id))
        named = (root.findtext(tag, "") for tag in ("Event", "EventKey", "CreateTime"))
        digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        parts = (self._agent, sender, *(each[:64] for each in named), digest)
        return ":".join(quote(part, safe="") for part in parts)


def read_inner(text: str) -> Element:
    """The decrypted XML. A control character in what somebody pasted must not cost the message: the platform puts
    words into CDATA as they are, and XML has no way to hold one. Raises :class:`~adapters.crypto.BadContent`."""
    try:
        return read_xml(NOT_XML.sub("", text))
    except BadXml as error:
        raise BadContent(Flaw.XML_DTD_FORBIDDEN if error.forbidden else Flaw.XML) from None


def _usable(identity: str) -> bool:
    return 0 < len(identity) <= LONGEST_ID


def seconds(given: str, otherwise: datetime) -> datetime:
    """Unix seconds up to the year 5138; anything else is as good as absent."""
    return datetime.fromtimestamp(int(given), UTC) if _SECONDS.fullmatch(given) else otherwise


def _snake(tag: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", tag).lower()


Read = tuple[str, tuple[Media, ...]]


def _text(root: Element) -> Read:
    return root.findtext("Content", ""), ()


def _attachment(kind: str) -> Callable[[Element], Read]:
    def read(root: Element) -> Read:
        media_id = root.findtext("MediaId", "")
        sound = root.findtext("Format", "")[:32] if kind == "audio" else ""
        media = Media(
            kind=kind,
            id=media_id[:LONGEST_ID],
            mime=f"audio/{sound}" if sound else "",
            filename=root.findtext("FileName", "")[:_LONGEST_DETAIL],
        )
        return "", (media,) if media_id else ()

    return read


def _location(root: Element) -> Read:
    label, *place = (root.findtext(tag, "") for tag in ("Label", "Location_X", "Location_Y"))
    return " ".join(("📍", label, f"({', '.join(place)})") if label else ("📍", ", ".join(place))), ()


def _link(root: Element) -> Read:
    lines = (root.findtext(tag, "") for tag in ("Title", "Description", "Url"))
    return "\n".join(line for line in lines if line), ()


_READERS: Mapping[str, Callable[[Element], Read]] = {
    "text": _text,
    "image": _attachment("image"),
    "voice": _attachment("audio"),
    "video": _attachment("video"),
    "location": _location,
    "link": _link,
    # Not in the platform's list of types; its field names are unconfirmed (WeCom sheet §2).
    "file": _attachment("file"),
}
