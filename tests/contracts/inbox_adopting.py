"""The inbox contract: customers who change their name."""

from datetime import timedelta

from sessions.codec import digest
from tests.contracts.inbox_kit import SHORT, Contract, Desk, answer, claim_one, conversation, names, offer
from tests.contracts.inbox_owners import ANN, BOB, HOUR, is_paused, looked_at, talk

CID = conversation("cid")


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
