"""The inbox contract: conversations that a human owns."""

from datetime import timedelta

import pytest

from adapters.values import ConversationId
from sessions.errors import HumanOwns
from sessions.inbox import HistoryEntry, Inbox, PartState, Turn
from sessions.limits import HISTORY_LENGTH
from tests.contracts.inbox_kit import (
    AT_ONCE,
    NOON,
    SHORT,
    Contract,
    Desk,
    answer,
    claim_one,
    conversation,
    exchange,
    names,
    offer,
    record,
    stored,
)

HOUR = timedelta(hours=1)
ANN, BOB = conversation("ann"), conversation("bob")


def said(turn: Turn) -> list[HistoryEntry]:
    """What the customer said, which nobody of us answered."""
    return exchange(turn)[:-1]


def talk(inbox: Inbox, name: str, peer: str, text: str = "hello") -> None:
    """One message, and its answer."""
    offer(inbox, name, peer=peer)
    answer(inbox, claim_one(inbox), text)


def looked_at(inbox: Inbox, name: str, peer: str) -> Turn:
    """A turn that finds what is known of *peer*, and leaves no trace but that."""
    offer(inbox, name, peer=peer)
    turn = claim_one(inbox)
    inbox.settle(turn.lease, outcome="ignored")
    return turn


def is_paused(inbox: Inbox, name: str, of: ConversationId = ANN) -> bool:
    return looked_at(inbox, name, of.peer).paused


class PauseContract(Contract):
    def test_a_turn_is_not_paused_unless_a_human_owns_the_conversation(self, desk: Desk) -> None:
        assert is_paused(desk.inbox(), "m1") is False

    def test_a_turn_of_a_conversation_that_a_human_owns_is_paused(self, desk: Desk) -> None:
        inbox = desk.inbox()
        inbox.pause(ANN, for_=HOUR)
        assert is_paused(inbox, "m1") is True
        assert is_paused(inbox, "m2", BOB) is False

    def test_when_the_human_leaves_turns_are_ours_again(self, desk: Desk) -> None:
        inbox = desk.inbox()
        inbox.pause(ANN, for_=HOUR)
        inbox.resume(ANN)
        assert is_paused(inbox, "m1") is False
        inbox.resume(ANN)

    def test_a_human_owns_a_conversation_for_so_long_and_no_longer(self, desk: Desk) -> None:
        inbox = desk.inbox()
        inbox.pause(ANN, for_=SHORT)
        assert is_paused(inbox, "m1") is True
        desk.pass_time(SHORT * 1.2)
        assert is_paused(inbox, "m2") is False

    def test_a_later_pause_replaces_an_earlier_one(self, desk: Desk) -> None:
        inbox = desk.inbox()
        inbox.pause(ANN, for_=SHORT)
        inbox.pause(ANN, for_=HOUR)
        inbox.pause(BOB, for_=HOUR)
        inbox.pause(BOB, for_=SHORT)
        desk.pass_time(SHORT * 1.2)
        assert (is_paused(inbox, "m1"), is_paused(inbox, "m2", BOB)) == (True, False)

    def test_a_pause_for_no_time_is_none(self, desk: Desk) -> None:
        inbox = desk.inbox()
        inbox.pause(ANN, for_=AT_ONCE)
        desk.pass_time(timedelta(milliseconds=5))
        assert is_paused(inbox, "m1") is False

    def test_each_claim_looks_anew(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        first = claim_one(inbox)
        inbox.pause(ANN, for_=HOUR)
        inbox.postpone(first.lease, AT_ONCE, reason="busy")
        second = claim_one(inbox)
        assert (first.paused, second.paused) == (False, True)

    def test_a_committed_reply_is_still_there_when_a_human_took_over(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        turn = claim_one(inbox)
        inbox.commit(turn, stored(turn), exchange(turn))
        inbox.pause(ANN, for_=HOUR)
        inbox.postpone(turn.lease, AT_ONCE, reason="busy")
        again = claim_one(inbox)
        assert (again.paused, again.stored) == (True, stored(turn))

    def test_a_human_who_takes_over_meanwhile_has_the_last_word(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        turn = claim_one(inbox)
        inbox.pause(ANN, for_=HOUR)
        with pytest.raises(HumanOwns):
            inbox.commit(turn, stored(turn), exchange(turn))
        inbox.postpone(turn.lease, AT_ONCE, reason="busy")
        assert claim_one(inbox).stored is None

    def test_what_was_done_is_told_whoever_owns_the_conversation(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        turn = claim_one(inbox)
        offer(inbox, "m2")
        inbox.pause(ANN, for_=HOUR)
        assert list(inbox.commit(turn, stored(turn), exchange(turn), whoever=True)) == []
        inbox.postpone(turn.lease, AT_ONCE, reason="busy")
        again = claim_one(inbox)
        assert (again.stored, names(again.messages)) == (stored(turn), ["m1"])

    def test_a_paused_turn_is_settled_without_a_reply(self, desk: Desk) -> None:
        inbox = desk.inbox()
        inbox.pause(ANN, for_=HOUR)
        offer(inbox, "m1", "m2")
        turn = claim_one(inbox)
        offer(inbox, "m3")
        inbox.settle(turn.lease, outcome="human_owns")
        following = claim_one(inbox)
        assert (names(following.messages), following.conversation.history) == (["m3"], ())

    def test_what_is_said_to_a_human_is_remembered(self, desk: Desk) -> None:
        inbox = desk.inbox()
        talk(inbox, "m1", "ann", "for ann")
        inbox.pause(ANN, for_=HOUR)
        offer(inbox, "m2", "m3")
        turn = claim_one(inbox)
        inbox.settle(turn.lease, outcome="human_owns", exchange=said(turn))
        inbox.resume(ANN)
        following = looked_at(inbox, "m4", "ann").conversation
        assert [entry.content for entry in following.history] == [
            "text of m1",
            "for ann",
            "text of m2",
            "text of m3",
        ]
        assert following.session == turn.conversation.session

    def test_what_is_said_to_a_human_first_begins_a_session(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        turn = claim_one(inbox)
        inbox.settle(turn.lease, outcome="human_owns", exchange=said(turn))
        sessions = [looked_at(inbox, name, "ann").conversation for name in ("m2", "m3")]
        assert list(sessions[0].history) == said(turn)
        assert sessions[0].session == sessions[1].session

    def test_what_is_said_to_a_human_lasts_as_long_as_a_session(self, desk: Desk) -> None:
        inbox = desk.inbox(session_ttl=SHORT)
        offer(inbox, "m1")
        turn = claim_one(inbox)
        inbox.settle(turn.lease, outcome="human_owns", exchange=said(turn))
        desk.pass_time(SHORT * 1.2)
        assert looked_at(inbox, "m2", "ann").conversation.history == ()

    def test_history_is_bounded_by_what_is_said_to_a_human_too(self, desk: Desk) -> None:
        inbox = desk.inbox()
        long = [HistoryEntry(role="user", content=str(n), at=NOON, key="k") for n in range(HISTORY_LENGTH + 5)]
        offer(inbox, "m1")
        turn = claim_one(inbox)
        inbox.settle(turn.lease, outcome="human_owns", exchange=long)
        history = looked_at(inbox, "m2", "ann").conversation.history
        assert (len(history), history[0].content) == (HISTORY_LENGTH, "5")

    def test_a_settled_reply_can_be_followed_by_more_to_remember(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        turn = claim_one(inbox)
        inbox.commit(turn, stored(turn), exchange(turn))
        more = HistoryEntry(role="user", content="more", at=NOON, key="k")
        inbox.settle(turn.lease, (0, record(PartState.DELIVERED)), outcome="replied", exchange=[more])
        assert list(looked_at(inbox, "m2", "ann").conversation.history) == [*exchange(turn), more]
