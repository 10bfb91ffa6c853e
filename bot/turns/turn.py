"""One turn: from a claimed ticket to a settled, postponed or parked one.

claim → answer (unless an earlier try stored one) → commit → send each part → settle. Nothing here loops on a
failure: a temporary refusal gives the ticket back with a delay, so that no lease is ever held while waiting.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

from adapters.channel import Channel
from adapters.values import Message, reply_key
from bot.accounts import Accounts
from bot.logs import log
from bot.turns.delivery import Delivery
from bot.turns.draft import Draft, exchange, language_of, remembered, said, since_new_conversation
from bot.turns.drafting import Drafting, Voices
from bot.turns.endings import Endings, stored
from bot.turns.growing import growing
from bot.turns.hearing import unheard
from bot.turns.pull import Puller, is_notice
from bot.turns.quoting import with_quote
from bot.turns.reminders import is_reminder
from bot.turns.rules import TurnRules
from bot.turns.shaping import shaped, window_closed
from sessions.errors import HumanOwns
from sessions.inbox import Inbox, StoredReply, Turn

Announce = Callable[[Channel[Any], Message], AbstractContextManager[object]]
"""Tells the customer that an answer is being written, as long as the context lasts."""


class TurnEngine:
    """Runs turns; thread-safe, one instance a worker process. *hosts*: those whose files an answer may carry.
    *puller* None: no channel is to be asked for messages."""

    def __init__(
        self,
        inbox: Inbox,
        channels: Mapping[str, Channel[Any]],
        voices: Voices,
        rules: TurnRules,
        *,
        announce: Announce,
        accounts: Accounts,
        puller: Puller | None = None,
        hosts: Collection[str] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._inbox = inbox
        self._endings = Endings(inbox)
        self._channels = channels
        self._voices = voices
        self._rules = rules
        self._announce = announce
        self._accounts = accounts
        self._puller = puller
        self._hosts = hosts
        self._now = now

    def run(self, turn: Turn) -> None:
        """Takes a claimed turn as far as it goes now. Raises LeaseLost and StoreDown: the turn comes again."""
        channel = self._channels.get(turn.id.channel)
        if channel is None:
            next_step = "no channel of this name is configured any more: add it again, then redrive"
            self._endings.park(turn, "channel_missing", next_step)
        elif turn.abandoned >= self._rules.abandonments:
            workers = f"{turn.abandoned} workers in a row stopped over this turn without a word"
            self._endings.park(turn, "poison", workers)
        elif self._puller is not None and is_notice(turn.messages[0]):
            self._puller.run(turn, channel)
        elif turn.paused and not self._human_is_gone(turn, channel):
            self._leave_to_the_human(turn, channel)
        elif turn.stored is not None:
            self._deliver(turn, channel, turn.stored, committed_now=False)
        else:
            self._begin(turn, channel)

    def _begin(self, turn: Turn, channel: Channel[Any]) -> None:
        """A turn that has no reply yet."""
        if self._too_old(turn, channel):
            next_step = "the message came days late: answer it by hand, if it still matters"
            self._endings.park(turn, "too_old", next_step)
        elif self._reminds_in_vain(turn, channel):
            next_step = "the platform's reply window is closed: set reminder_template, where the platform has one"
            self._endings.park(turn, "window_closed", next_step)
        else:
            self._answer_and_deliver(turn, channel)

    def _answer_and_deliver(self, turn: Turn, channel: Channel[Any]) -> None:
        """A human who takes over while the model thinks has the last word."""
        try:
            reply = self._answered(turn, channel)
        except HumanOwns:
            self._leave_to_the_human(turn, channel)
            return
        self._deliver(turn, channel, reply, committed_now=True)

    def _deliver(self, turn: Turn, channel: Channel[Any], stored: StoredReply, *, committed_now: bool) -> None:
        delivery = Delivery(self._inbox, self._rules, self._accounts, self._now, turn, channel, stored)
        delivery.run(committed_now=committed_now)

    def _human_is_gone(self, turn: Turn, channel: Channel[Any]) -> bool:
        if channel.human_serves(turn.id) is not False:
            return False
        self._inbox.resume(turn.id)
        log("human_gone", conversation=turn.id.label)
        return True

    def _leave_to_the_human(self, turn: Turn, channel: Channel[Any]) -> None:
        """Nothing is said, but what the customer said is known to the next turn. A reminder must not get lost."""
        if any(is_reminder(message) for message in turn.messages):
            next_step = "a person had the conversation when a reminder came due: tell the customer, or redrive"
            self._endings.park(turn, "human_owns", next_step)
            return
        fresh, asked = since_new_conversation(turn.messages)
        lang = language_of(turn, turn.messages)
        history = turn.conversation.history
        heard = [with_quote(unheard(message, lang), channel, history, lang) for message in asked]
        self._endings.leave(turn, remembered(turn, heard, fresh=fresh), outcome="human_owns")

    def _too_old(self, turn: Turn, channel: Channel[Any]) -> bool:
        newest = max((message.sent_at for message in said(turn.messages)), default=self._now())
        return channel.oldest_message is not None and self._now() - newest > channel.oldest_message

    def _reminds_in_vain(self, turn: Turn, channel: Channel[Any]) -> bool:
        """A template carries reminders out of the window, but no answer."""
        if said(turn.messages) or channel.reminder_template:
            return False
        return window_closed(turn, turn.messages, channel, self._now())

    def _answered(self, turn: Turn, channel: Channel[Any]) -> StoredReply:
        """The committed reply; the customer sees that it is being written."""
        told = said(turn.messages)
        if not told:
            return self._answer(turn, channel)
        with self._announce(channel, told[-1]):
            return self._answer(turn, channel)

    def _answer(self, turn: Turn, channel: Channel[Any]) -> StoredReply:
        """Asks until no further message arrived meanwhile (or often enough), and commits."""
        messages: Sequence[Message] = turn.messages
        voice = self._voices[channel.settings.assistant]
        drafting = Drafting(turn, channel, voice, deadline=self._rules.deadline, now=self._now)
        for asked in range(self._rules.gathers + 1):
            with growing(channel, said(messages), reply_key(messages[0]), self._hosts) as show:
                draft = drafting.draft(messages, show)
            reply = shaped(turn, channel, messages, draft, now=self._now(), hosts=self._hosts)
            gather = not draft.acted and asked < self._rules.gathers
            late = self._commit(turn, messages, draft, reply, gather=gather)
            if not late:
                return reply
            log("turn_extended", conversation=turn.id.label, messages=len(late))
            messages = late
        raise AssertionError("a commit that may not gather always commits")

    def _commit(
        self, turn: Turn, messages: Sequence[Message], draft: Draft, reply: StoredReply, *, gather: bool
    ) -> Sequence[Message]:
        """What arrived meanwhile, if the turn may gather it; none: the reply is stored. A commit that gathers is
        not made again when its answer was lost: it may have pinned messages that the reply never saw. What was done
        for the customer is told, even where a human took over meanwhile; nothing else is."""
        entries = exchange(turn, messages, draft, reply.reply.key)

        def commit() -> Sequence[Message]:
            return self._inbox.commit(turn, reply, entries, fresh=draft.fresh, gather=gather, whoever=draft.acted)

        return commit() if gather else stored(turn.lease, commit)
