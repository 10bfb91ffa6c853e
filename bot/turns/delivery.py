"""From a committed reply to a sent one: each part in order, its state stored before and after the send.

The state SENDING is on disk before the first byte goes out. Whoever finds it later knows that the platform may have
the part, and acts by the channel's promise. A temporary refusal gives the ticket back with a delay.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from adapters.channel import Channel
from adapters.values import Action, Delivered, Outcome, Promise, Refused, Unknown
from bot import metrics
from bot.accounts import Accounts
from bot.logs import Level, log
from bot.turns.endings import Endings, lease_holds, stored
from bot.turns.reminders import is_reminder
from bot.turns.rules import TurnRules
from sessions.inbox import Inbox, PartRecord, PartState, StoredReply, Turn

LOOK_AGAIN = timedelta(seconds=15)
"""The longest that a turn waits, without asking, for a blocked account."""


class Delivery:
    """Sends the parts of one committed reply, as far as it goes now."""

    def __init__(
        self,
        inbox: Inbox,
        rules: TurnRules,
        accounts: Accounts,
        now: Callable[[], datetime],
        turn: Turn,
        channel: Channel[Any],
        stored: StoredReply,
    ) -> None:
        self._inbox = inbox
        self._endings = Endings(inbox)
        self._rules = rules
        self._accounts = accounts
        self._now = now
        self._turn = turn
        self._channel = channel
        self._stored = stored
        self._reply = stored.reply

    def run(self, *, committed_now: bool) -> None:
        """*committed_now*: this process just committed the reply, so that its SENDING mark is no old one's."""
        last: tuple[int, PartRecord] | None = None
        for index, record in enumerate(self._stored.records):
            if record.state in (PartState.DELIVERED, PartState.ABANDONED):
                continue
            if last is not None:
                self._record(*last)
            marked = committed_now and record.state is PartState.SENDING
            arrived = self._deliver(index, record, marked=marked)
            if arrived is None:
                return
            last = (index, arrived)
        self._finish(last)

    def _finish(self, last: tuple[int, PartRecord] | None) -> None:
        if not self._stored.fallback:
            self._endings.settle(self._turn, last)
            return
        if last is not None:
            self._record(*last)
        self._hand_over()
        self._endings.park(self._turn, "model_failed", self._stored.fallback)

    def _hand_over(self) -> None:
        """A colleague was promised. Where the platform has a way to them, it is taken."""
        outcome = self._channel.hand_over(self._turn.id)
        if outcome is not None:
            refused = outcome.reason if isinstance(outcome, Refused | Unknown) else ""
            level: Level = "warning" if refused else "info"
            log("handed_over", level=level, conversation=self._turn.id.label, done=not refused, reason=refused)

    def _deliver(self, index: int, record: PartRecord, *, marked: bool) -> PartRecord | None:
        """One part. Its DELIVERED record, yet to be stored; None: the turn was postponed or parked."""
        heard_of = record.state in (PartState.SENDING, PartState.UNKNOWN) or record.sends > 0
        doubtful = heard_of and not marked
        if doubtful:
            seen = self._inbox.observed(self._reply.part_key(index))
            if seen is not None:
                log("reply_observed", conversation=self._turn.id.label, reply=self._reply.part_key(index))
                return replace(record, state=PartState.DELIVERED, at=self._now(), platform_id=seen)
            if not self._may_resend(index, record):
                return None
        if wait := self._accounts.may_try(self._channel.name):
            self._await_account(index, record, wait, marked=marked)
            return None
        if not marked:
            record = replace(record, state=PartState.SENDING, at=self._now(), sends=record.sends + 1)
            self._record(index, record)
        match self._post(index, again=doubtful):
            case Delivered(platform_id=platform_id):
                self._accounts.delivered(self._channel.name)
                return replace(record, state=PartState.DELIVERED, at=self._now(), platform_id=platform_id)
            case Refused() as refused:
                self._refused(index, record, refused)
            case Unknown() as unknown:
                self._unknown(index, record, unknown)
        return None

    def _await_account(self, index: int, record: PartRecord, wait: timedelta, *, marked: bool) -> None:
        """Nothing is sent while the account is blocked and another turn tries whether it still is. That one may
        succeed at once, so that the others look again long before it would be their turn to try."""
        if marked:  # by the commit, for a send that has not begun
            self._store(index, replace(record, state=PartState.REFUSED, sends=record.sends - 1))
        if self._may_try_again(record.refusals, "the account is blocked: see `frontdesk check`"):
            self._endings.postpone(self._turn, min(wait, LOOK_AGAIN), "account_blocked")

    def _post(self, index: int, *, again: bool) -> Outcome:
        """The send itself. The lease is looked at last of all: a worker that slept past it sends nothing."""
        lease_holds(self._turn.lease)
        outcome = self._channel.send(self._reply, index, again=again)
        name = type(outcome).__name__.lower()
        metrics.sends_total.labels(channel=self._channel.name, outcome=name).inc()
        if again:
            metrics.resends_total.labels(channel=self._channel.name, promise=self._channel.promise.value).inc()
        log(
            "reply_sent",
            conversation=self._turn.id.label,
            reply=self._reply.part_key(index),
            outcome=name,
            again=again,
        )
        return outcome

    def _may_resend(self, index: int, record: PartRecord) -> bool:
        """Whether a part that the platform may already have is sent again now; says what happens instead if not."""
        promise = self._promise(index)
        if promise in (Promise.KEYED, Promise.CONTENT_CHECKED):
            return self._may_try_again(record.sends, "the platform never said whether it has the reply")
        if record.sends >= (2 if promise is Promise.OBSERVABLE or self._rules.blind_resend else 1):
            detail = f"sent {record.sends} times, and the platform never said whether it arrived: look at the chat"
            self._endings.park(self._turn, "unknown", detail)
            return False
        held = self._now() - record.at
        if promise is Promise.OBSERVABLE and held < self._rules.hold:
            self._endings.postpone(self._turn, self._rules.hold - held, "held_for_status")
            return False
        return True

    def _promise(self, index: int) -> Promise:
        """The channel's promise for this part: words repeated on purpose go without the duplicate check."""
        promise = self._channel.promise
        repeated = self._reply.parts[index].repeated
        return Promise.BLIND if promise is Promise.CONTENT_CHECKED and repeated else promise

    def _refused(self, index: int, record: PartRecord, refused: Refused) -> None:
        log(
            "reply_refused",
            conversation=self._turn.id.label,
            code=refused.code,
            wanted=refused.action.value,
            reason=refused.reason,
        )
        if refused.action is Action.HUMAN:
            self._leave_to_the_human(index, record, refused)
            return
        if refused.account:
            self._accounts.refused(self._channel.name, refused.reason)
        elif refused.permanent:
            self._store(index, replace(record, state=PartState.ABANDONED))
            self._endings.park(self._turn, f"refused_{refused.action.value}", refused.reason)
            return
        refusals = record.refusals + 1
        self._store(index, replace(record, state=PartState.REFUSED, sends=record.sends - 1, refusals=refusals))
        if not self._may_try_again(refusals, refused.reason):
            return
        if refused.account:  # the alarm keeps the pace for all: one probe a minute, and then everybody at once
            self._endings.postpone(self._turn, LOOK_AGAIN, "account_blocked")
        else:
            delay = self._rules.backoff.delay(refusals, retry_after=refused.retry_after)
            self._endings.postpone(self._turn, delay, "refused")

    def _leave_to_the_human(self, index: int, record: PartRecord, refused: Refused) -> None:
        """Who took the conversation before the answer was out answers himself; but a reminder must not get lost."""
        self._store(index, replace(record, state=PartState.ABANDONED))
        if any(is_reminder(message) for message in self._turn.messages):
            self._endings.park(self._turn, "human_owns", refused.reason)
        else:
            self._endings.settle(self._turn, None, outcome="human_owns")

    def _unknown(self, index: int, record: PartRecord, unknown: Unknown) -> None:
        metrics.unknown_total.labels(channel=self._channel.name).inc()
        log("reply_unknown", conversation=self._turn.id.label, reason=unknown.reason, sends=record.sends)
        self._store(index, replace(record, state=PartState.UNKNOWN))
        held = self._promise(index) is Promise.OBSERVABLE
        delay = self._rules.hold if held else self._rules.backoff.delay(record.sends)
        self._endings.postpone(self._turn, delay, "unknown")

    def _store(self, index: int, record: PartRecord) -> None:
        self._record(index, replace(record, at=self._now()))

    def _record(self, index: int, record: PartRecord) -> None:
        lease = self._turn.lease
        stored(lease, lambda: self._inbox.record(lease, index, record))

    def _may_try_again(self, attempts: int, reason: str) -> bool:
        """Whether the horizon allows another try; parks the turn if not."""
        if not self._rules.backoff.exhausted(attempts, since_first=self._now() - self._turn.since):
            return True
        self._endings.park(self._turn, "retries_exhausted", reason)
        return False
