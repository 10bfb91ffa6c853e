"""The inbox contract: conversations that a human owns, and customers who change their name."""

from datetime import timedelta

from adapters.values import ConversationId
from sessions.codec import digest
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
ANN, BOB, CID = conversation("ann"), conversation("bob"), conversation("cid")


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


class AdoptContract(Contract):
    def test_a_conversation_goes_on_under_its_new_name(self, desk: Desk) -> None:
        inbox = desk.inbox()
        talk(inbox, "a1", "ann", "for ann")
        before = looked_at(inbox, "a2", "ann").conversation
        inbox.adopt(ANN, BOB)
        after = looked_at(inbox, "b1", "bob").conversation
        assert (after.session, after.history, after.recent) == (before.session, before.history, before.recent)
        old = looked_at(inbox, "a3", "ann").conversation
        assert (old.history, old.recent) == ((), {})
        assert old.session != before.session

    def test_adopting_again_changes_nothing(self, desk: Desk) -> None:
        inbox = desk.inbox()
        talk(inbox, "a1", "ann")
        inbox.pause(ANN, for_=HOUR)
        inbox.adopt(ANN, BOB)
        talk(inbox, "b1", "bob", "for bob")
        before = looked_at(inbox, "b2", "bob")
        inbox.adopt(ANN, BOB)
        after = looked_at(inbox, "b3", "bob")
        assert (after.conversation, after.paused) == (before.conversation, True)

    def test_adopting_a_pause_again_does_not_undo_its_end(self, desk: Desk) -> None:
        inbox = desk.inbox()
        inbox.pause(ANN, for_=HOUR)
        inbox.adopt(ANN, BOB)
        inbox.resume(BOB)
        inbox.adopt(ANN, BOB)
        assert is_paused(inbox, "b1", BOB) is False

    def test_a_context_of_ones_own_is_kept(self, desk: Desk) -> None:
        inbox = desk.inbox()
        talk(inbox, "a1", "ann", "for ann")
        talk(inbox, "b1", "bob", "for bob")
        before = looked_at(inbox, "b2", "bob").conversation
        inbox.adopt(ANN, BOB)
        after = looked_at(inbox, "b3", "bob").conversation
        assert (after.session, after.history) == (before.session, before.history)
        assert set(after.recent) == {digest("for ann"), digest("for bob")}

    def test_of_a_text_that_was_sent_to_both_the_later_time_counts(self, desk: Desk) -> None:
        inbox = desk.inbox()
        talk(inbox, "b1", "bob", "hello")
        desk.pass_time(timedelta(milliseconds=20))
        talk(inbox, "a1", "ann", "hello")
        later = looked_at(inbox, "a2", "ann").conversation.recent
        inbox.adopt(ANN, BOB)
        assert looked_at(inbox, "b2", "bob").conversation.recent == later

    def test_an_ended_context_is_none(self, desk: Desk) -> None:
        inbox = desk.inbox(session_ttl=SHORT)
        talk(inbox, "b1", "bob")
        desk.pass_time(SHORT * 1.2)
        talk(inbox, "a1", "ann", "for ann")
        inbox.adopt(ANN, BOB)
        assert [entry.content for entry in looked_at(inbox, "b2", "bob").conversation.history] == [
            "text of a1",
            "for ann",
        ]

    def test_an_adopted_context_ends_when_it_would_have(self, desk: Desk) -> None:
        inbox = desk.inbox(session_ttl=SHORT)
        talk(inbox, "a1", "ann")
        inbox.adopt(ANN, BOB)
        desk.pass_time(SHORT * 1.2)
        assert looked_at(inbox, "b1", "bob").conversation.history == ()

    def test_a_pause_moves_with_the_customer(self, desk: Desk) -> None:
        inbox = desk.inbox()
        inbox.pause(ANN, for_=HOUR)
        inbox.adopt(ANN, BOB)
        assert (is_paused(inbox, "b1", BOB), is_paused(inbox, "a1", ANN)) == (True, False)

    def test_of_two_pauses_the_longer_one_holds(self, desk: Desk) -> None:
        inbox = desk.inbox()
        inbox.pause(ANN, for_=HOUR)
        inbox.pause(BOB, for_=SHORT)
        inbox.adopt(ANN, BOB)
        inbox.pause(CID, for_=SHORT)
        inbox.adopt(CID, BOB)
        desk.pass_time(SHORT * 1.2)
        assert is_paused(inbox, "b1", BOB) is True

    def test_a_pause_that_moved_ends_when_it_would_have(self, desk: Desk) -> None:
        inbox = desk.inbox()
        inbox.pause(ANN, for_=SHORT)
        inbox.adopt(ANN, BOB)
        desk.pass_time(SHORT * 1.2)
        assert is_paused(inbox, "b1", BOB) is False

    def test_of_nobody_there_is_nothing_to_adopt(self, desk: Desk) -> None:
        inbox = desk.inbox()
        talk(inbox, "b1", "bob")
        inbox.pause(BOB, for_=HOUR)
        before = looked_at(inbox, "b2", "bob")
        inbox.adopt(ANN, BOB)
        after = looked_at(inbox, "b3", "bob")
        assert (after.conversation, after.paused) == (before.conversation, True)

    def test_who_keeps_his_name_loses_nothing(self, desk: Desk) -> None:
        inbox = desk.inbox()
        talk(inbox, "a1", "ann")
        inbox.pause(ANN, for_=HOUR)
        before = looked_at(inbox, "a2", "ann")
        inbox.adopt(ANN, ANN)
        after = looked_at(inbox, "a3", "ann")
        assert (after.conversation, after.paused) == (before.conversation, True)

    def test_a_name_may_change_twice(self, desk: Desk) -> None:
        inbox = desk.inbox()
        talk(inbox, "a1", "ann", "for ann")
        inbox.adopt(ANN, BOB)
        inbox.adopt(BOB, CID)
        assert len(looked_at(inbox, "c1", "cid").conversation.history) == 2

    def test_messages_that_wait_are_answered_where_they_came(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "a1")
        inbox.adopt(ANN, BOB)
        assert desk.mailboxes() == {ANN: 1}
        assert names(claim_one(inbox).messages) == ["a1"]

    def test_a_turn_that_runs_under_the_new_name_goes_on_with_the_old_context(self, desk: Desk) -> None:
        inbox = desk.inbox()
        talk(inbox, "a1", "ann", "for ann")
        offer(inbox, "b1", peer="bob")
        turn = claim_one(inbox)
        inbox.adopt(ANN, BOB)
        answer(inbox, turn, "for bob")
        history = looked_at(inbox, "b2", "bob").conversation.history
        assert [entry.content for entry in history] == ["text of a1", "for ann", "text of b1", "for bob"]

    def test_a_turn_that_runs_under_the_old_name_ends_there(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "a1")
        turn = claim_one(inbox)
        inbox.adopt(ANN, BOB)
        answer(inbox, turn)
        assert desk.mailboxes() == {}
