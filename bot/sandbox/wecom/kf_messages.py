"""What customer service may send, and what the customer then sees (§5.3)."""

from typing import Any

from bot.sandbox.simulator.journal import Choice
from bot.sandbox.simulator.platform import member
from bot.sandbox.simulator.seen import Seen
from bot.sandbox.wecom.errors import refusal
from bot.sandbox.wecom.media import SHOWN_AS

LARGEST_TEXT = 2048
"""Bytes."""


def seen(body: Any) -> Seen:
    """Raises Refusal for what is over a limit."""
    kind = member(body, "msgtype")
    if kind == "text":
        return Seen(text=_bounded(member(body, "text", "content"), LARGEST_TEXT))
    if kind in SHOWN_AS:
        return Seen(media=str(member(body, kind, "media_id") or ""), media_kind=SHOWN_AS[kind])
    if kind == "link":
        return Seen(text=f"{member(body, 'link', 'title')}\n{member(body, 'link', 'url')}")
    if kind == "msgmenu":
        return _menu(member(body, "msgmenu"))
    raise refusal(40008, "invalid message type", rule="unknown_type")


def _menu(given: Any) -> Seen:
    items = member(given, "list")
    if not isinstance(items, list) or not 1 <= len(items) <= 10:
        raise refusal(40058, "1 to 10 items", rule="too_many_choices")
    clicks = [each["click"] for each in items if member(each, "type") == "click"]
    choices = tuple(
        Choice(id=_bounded(member(each, "id"), 64), title=_bounded(member(each, "content"), 128)) for each in clicks
    )
    return Seen(text=_bounded(member(given, "head_content"), 1024), choices=choices)


def _bounded(words: Any, longest: int) -> str:
    if not isinstance(words, str) or not words.strip():
        raise refusal(44004, "empty content", rule="empty_text")
    if len(words.encode()) > longest:
        raise refusal(45002, f"more than {longest} bytes", rule="too_long")
    return words
