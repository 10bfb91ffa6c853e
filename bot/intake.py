"""From events to what is safe: the one way in, for webhooks, long connections and pages that were fetched.

When `keep` returns, everything is stored, and whoever told us may be told so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.channel import Channel
from adapters.meter import Meter
from adapters.values import ControlEvent, DeliveryState, Event, Message, StatusUpdate, reply_key
from bot import metrics
from bot.controls import Controls
from bot.logs import log
from sessions.inbox import Inbox, Verdict


class MailboxFull(Exception):
    """A conversation's mailbox has no room: the platform's own retry brings the message again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How many *messages* there were, and how many of them were *new*."""

    messages: int = 0
    new: int = 0

    @property
    def word(self) -> str:
        """For the metrics."""
        return "accepted" if self.new else "duplicate" if self.messages else "ignored"


class Intake:
    """Makes events safe. Thread-safe."""

    def __init__(self, inbox: Inbox, controls: Controls, meter: Meter) -> None:
        self._inbox = inbox
        self._controls = controls
        self._meter = meter

    def keep(
        self, channel: Channel[Any], events: Sequence[Event], *, bookmark: tuple[str, str] | None = None
    ) -> Kept:
        """Control events and statuses first: what is done twice does no harm, but a message that is accepted is
        not offered again. *bookmark* is stored together with the messages. Raises StoreDown and
        :class:`MailboxFull`."""
        messages: list[Message] = []
        for event in events:
            match event:
                case Message():
                    messages.append(event)
                case StatusUpdate():
                    self._observe(channel, event)
                case ControlEvent():
                    self._controls.act(event)
        if not messages and bookmark is None:
            return Kept()
        verdicts = self._accepted(channel, messages, bookmark)
        new = verdicts.count(Verdict.NEW)
        if messages:
            log(
                "messages_accepted" if bookmark else "webhook_accepted",
                channel=channel.name,
                conversation=messages[0].conversation.label,
                reply=reply_key(messages[0]),
                messages=len(messages),
                new=new,
            )
        if Verdict.FULL in verdicts:
            log("mailbox_full", level="warning", channel=channel.name)
            raise MailboxFull
        return Kept(messages=len(messages), new=new)

    def _accepted(
        self, channel: Channel[Any], messages: Sequence[Message], bookmark: tuple[str, str] | None
    ) -> Sequence[Verdict]:
        if bookmark is None:
            return self._inbox.accept(messages, horizon=channel.dedupe_horizon)
        return self._inbox.accept(messages, horizon=channel.dedupe_horizon, bookmark=bookmark)

    def _observe(self, channel: Channel[Any], update: StatusUpdate) -> None:
        """A platform that speaks of a message has it. One that failed after all is told to the operator, and one
        that is billed is counted: each once, however often the platform says so."""
        noted = self._inbox.observe(update)
        if noted.advanced:
            metrics.statuses_total.labels(channel.name, update.state.value).inc()
        if noted.advanced and update.state is DeliveryState.FAILED:
            metrics.replies_failed_total.labels(channel.name).inc()
            log("reply_failed", level="warning", channel=channel.name, reply=update.reply_key, reason=update.error)
        if noted.priced:
            self._meter.add(channel.name, f"billed_{update.pricing}", month=f"{update.at:%Y-%m}")
