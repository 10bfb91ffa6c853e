"""What the bot may answer within a callback, encrypted; and what it answered (§1.6)."""

from collections.abc import Mapping
from dataclasses import dataclass

from defusedxml import ElementTree

from bot.sandbox.simulator.envelope import Envelope, Spoiled

ANSWERED = frozenset(
    {
        "subscribe",
        "enter_agent",
        "LOCATION",
        "click",
        "view",
        "view_miniprogram",
        "scancode_waitmsg",
        "template_card_menu_event",
        "template_card_event",
    }
)
"""The events that allow a passive reply; every message does."""
UPDATES = ("update_button", "update_template_card")
LONGEST = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Passive:
    """The opened answer: *text* is what the member reads, "" for an update; *complaint*: what is wrong with it."""

    kind: str = ""
    text: str = ""
    complaint: str = ""


def opened(body: bytes, envelope: Envelope, *, member: str, corp_id: str, event: str) -> Passive:
    """The bot's answer to *member*'s callback; *event* is its name, or "" for a message."""
    try:
        outer = _fields(body)
        encrypted = outer["Encrypt"]
        signed = envelope.signature(outer["TimeStamp"], outer["Nonce"], encrypted)
        if outer["MsgSignature"] != signed:
            return Passive(complaint="the signature does not fit")
        inner = _fields(envelope.open(encrypted).encode())
    except (KeyError, ElementTree.ParseError, Spoiled) as error:
        return Passive(complaint=f"unreadable: {error}")
    if event and event not in ANSWERED:
        return Passive(complaint=f"{event} allows no answer")
    if inner.get("ToUserName", "").casefold() != member.casefold() or inner.get("FromUserName") != corp_id:
        return Passive(complaint="the direction is wrong")
    kind, text = inner.get("MsgType", ""), inner.get("Content", "")
    if kind == "text" and not 0 < len(text.encode()) <= LONGEST:
        return Passive(complaint=f"{len(text.encode())} bytes instead of 1 to {LONGEST}")
    if kind in UPDATES and event != "template_card_event":
        return Passive(complaint=f"{kind} outside a card's event")
    return Passive(kind=kind, text=text)


def _fields(body: bytes) -> Mapping[str, str]:
    root = ElementTree.fromstring(body, forbid_dtd=True)
    return {child.tag: child.text or "" for child in root}
