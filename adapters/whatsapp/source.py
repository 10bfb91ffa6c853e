"""Whose webhook is being read, and how its values are made. Nothing here raises for what a body holds."""

from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.payload import Json, text
from adapters.values import LONGEST_ID, ControlEvent, ConversationId

_LONGEST_WORD = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One configured number. *now* dates what carries no time of its own."""

    channel: str
    account: str
    now: datetime

    def conversation(self, peer: str) -> ConversationId | None:
        """The conversation with *peer*; None where that can be no id."""
        if not usable_id(peer):
            return None
        return ConversationId(channel=self.channel, account=self.account, peer=peer)

    def time(self, item: Json) -> datetime:
        """The `timestamp` of *item*: a text of unix seconds (sheet §2.1)."""
        try:
            return datetime.fromtimestamp(int(text(item, "timestamp")), UTC)
        except (ValueError, OverflowError, OSError):
            return self.now

    def event(self, what: str, item: Json = None, *, peer: str = "", **detail: str) -> ControlEvent:
        """*what* is from a closed list, since it labels a metric; the platform's own words go into *detail*."""
        return ControlEvent(
            channel=self.channel,
            what=what,
            at=self.time(item),
            conversation=self.conversation(peer),
            detail={name: value for name, value in detail.items() if value},
        )


def usable_id(given: str) -> bool:
    return 0 < len(given) <= LONGEST_ID


def word(source: Json, *path: str) -> str:
    """One of the platform's own words at *path*; anything long is no such word."""
    return text(source, *path)[:_LONGEST_WORD]
