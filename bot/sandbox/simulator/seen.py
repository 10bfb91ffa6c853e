"""What a customer sees of a send, whatever the platform calls it."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from bot.sandbox.simulator.journal import Choice, SentMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What appears in the chat. *media* is the id or the address of a file."""

    text: str = ""
    style: str = "text"
    choices: tuple[Choice, ...] = ()
    media: str = ""
    media_kind: str = ""
    media_name: str = ""

    def sent(self, *, to: str, key: str, at: datetime, raw: Any, platform_id: str) -> SentMessage:
        """The journal's entry of it; the arguments as there."""
        shown = {each.name: getattr(self, each.name) for each in fields(self)}
        return SentMessage(to=to, key=key, at=at, raw=raw, platform_id=platform_id, **shown)
