"""Turns in which nobody wrote: the platform only said that it keeps something for us, and it is fetched.

A page's messages are accepted together with the cursor behind them, so that a crash fetches a page again and loses
none. Notices get lost: every five minutes the platform is asked without one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.backoff import Backoff
from adapters.channel import Channel
from adapters.http import MaybeSent, NotSent
from adapters.tokens import NoToken
from adapters.values import NOTICE, ConversationId, Message
from bot import metrics
from bot.accounts import PROBE
from bot.intake import Intake, MailboxFull
from bot.logs import log
from bot.turns.endings import Endings, lease_holds
from sessions.inbox import Inbox, Turn
from sessions.schedule import Schedule

POLL_EVERY = timedelta(minutes=5)
NOTICES = "~notices"
"""The peer of the conversation that a channel's notices come in."""


def is_notice(message: Message) -> bool:
    return message.kind == NOTICE and message.conversation.peer == NOTICES


def pulls(channel: Channel[Any]) -> bool:
    return type(channel).pull is not Channel.pull


@dataclass(frozen=True, slots=True, kw_only=True)
class Puller:
    """Fetches, page after page."""

    inbox: Inbox
    intake: Intake
    polls: "Polls"
    backoff: Backoff
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def run(self, turn: Turn, channel: Channel[Any]) -> None:
        """The poll is put aside first: whatever becomes of this turn, there is a next one."""
        self.polls.next(channel)
        endings = Endings(self.inbox)
        try:
            pages = self._fetch(turn, channel)
        except (NotSent, MaybeSent) as error:
            self._again(endings, turn, channel, f"no answer: {type(error).__name__}", None)
        except NoToken as error:
            self._again(endings, turn, channel, error.refused.reason, error.refused.retry_after)
        except MailboxFull:
            endings.postpone(turn, self.backoff.delay(turn.tries), "mailbox_full")
        else:
            endings.settle(turn, None, outcome="pulled")
            log("pulled", channel=channel.name, pages=pages)

    def _fetch(self, turn: Turn, channel: Channel[Any]) -> int:
        name = f"{channel.name}:{channel.account}"
        cursor, pages, more = self.inbox.bookmark(name), 0, True
        while more:
            lease_holds(turn.lease)  # or another worker fetches this page too
            page = channel.pull(turn.messages[-1], cursor)
            self.intake.keep(channel, page.events, bookmark=(name, page.cursor))
            metrics.pulled_pages_total.labels(channel=channel.name).inc()
            pages += 1
            more = page.more and page.cursor != cursor  # a cursor that stands still would be fetched for ever
            cursor = page.cursor
        return pages

    def _again(
        self, endings: Endings, turn: Turn, channel: Channel[Any], reason: str, wait: timedelta | None
    ) -> None:
        """Later, and in the end with the next poll: a notice itself is worth no dead letter."""
        metrics.pulls_failed_total.labels(channel=channel.name).inc()
        log("pull_failed", level="warning", channel=channel.name, reason=reason, tries=turn.tries)
        if self.backoff.exhausted(turn.tries, since_first=self.now() - turn.since):
            endings.settle(turn, None, outcome="pull_failed")
        else:
            longest = min(wait, PROBE) if wait else None  # one call a minute tells when the account works again
            endings.postpone(turn, self.backoff.delay(turn.tries, retry_after=longest), "pull_failed")


class Polls:
    """One poll at each boundary of five minutes, whoever puts it aside how often."""

    def __init__(self, schedule: Schedule, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._schedule = schedule
        self._now = now

    def next(self, channel: Channel[Any]) -> None:
        now = self._now()
        slot = int(now.timestamp() // POLL_EVERY.total_seconds()) + 1
        notice = Message(
            id=f"poll:{slot}",
            conversation=ConversationId(channel=channel.name, account=channel.account, peer=NOTICES),
            sender=NOTICES,
            text="",
            sent_at=now,
            kind=NOTICE,
        )
        due = datetime.fromtimestamp(slot * POLL_EVERY.total_seconds(), UTC)
        self._schedule.schedule(notice, due=due, name=notice.id)
