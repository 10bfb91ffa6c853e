"""What follows from a control event, wherever it comes from: a webhook, a long connection, a page that was fetched.

Everything here may be done twice: whoever could not make an event safe is told of it again.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from adapters.values import Control, ControlEvent, ConversationId
from bot import metrics
from bot.accounts import Accounts
from bot.logs import log
from sessions.inbox import Inbox

TAKEOVER = timedelta(hours=12)


class Controls:
    """Acts on events. Raises StoreDown."""

    def __init__(
        self, inbox: Inbox, accounts: Accounts, *, now: Callable[[], datetime], takeover: timedelta = TAKEOVER
    ) -> None:
        self._inbox = inbox
        self._accounts = accounts
        self._now = now
        self._takeover = takeover

    def act(self, event: ControlEvent) -> None:
        match event.what:
            case Control.HUMAN_TOOK_OVER if event.conversation:
                self._pause(event.conversation, event.at)
            case Control.HUMAN_LEFT if event.conversation:
                self._inbox.resume(event.conversation)
            case Control.IDENTITY_CHANGED if event.conversation:
                self._adopt(event.conversation, event.detail.get("previous", ""))
            case Control.ACCOUNT_BLOCKED:
                self._accounts.block(event.channel, event.detail.get("reason", "") or "the platform says so")
            case Control.ACCOUNT_RESTORED:
                self._accounts.restore(event.channel)
        metrics.control_events_total.labels(event.channel, event.what).inc()
        conversation = event.conversation.label if event.conversation else ""
        log("control_event", channel=event.channel, what=event.what, conversation=conversation)

    def _pause(self, conversation: ConversationId, at: datetime) -> None:
        """From when it happened: an event that comes hours late silences nobody for longer."""
        left = self._takeover - max(timedelta(), self._now() - at)
        if left > timedelta():
            self._inbox.pause(conversation, for_=left)

    def _adopt(self, new: ConversationId, peer: str) -> None:
        try:
            old = replace(new, peer=peer)
        except ValueError:  # no name, or one that no platform gives
            return
        if old != new:
            self._inbox.adopt(old, new)
