"""The inbox contract: what a conversation remembers, and for how long."""

from dataclasses import replace
from datetime import timedelta

from sessions.codec import digest
from sessions.inbox import HistoryEntry
from sessions.limits import HISTORY_LENGTH
from tests.contracts.inbox_kit import (
    AT_ONCE,
    NOON,
    SHORT,
    Contract,
    Desk,
    answer,
    claim_one,
    exchange,
    offer,
    stored,
)


class ConversationContract(Contract):
    def test_a_conversation_remembers_its_turns(self, desk: Desk) -> None:
        inbox = desk.inbox()
        entries: list[HistoryEntry] = []
        sessions = set()
        for number in range(3):
            offer(inbox, f"m{number}")
            turn = claim_one(inbox)
            assert list(turn.conversation.history) == entries
            sessions.add(turn.conversation.session)
            entries += exchange(turn, f"answer {number}")
            answer(inbox, turn, f"answer {number}")
        assert len(sessions) == 1

    def test_what_waits_for_a_yes_is_remembered_until_the_next_answer(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        turn = claim_one(inbox)
        *asked, answered = exchange(turn, "Shall I cancel it?")
        inbox.commit(turn, stored(turn), [*asked, replace(answered, pending='{"tool": "取消 {x}"}')])
        inbox.settle(turn.lease, outcome="answered")
        offer(inbox, "m2")
        turn = claim_one(inbox)
        assert [entry.pending for entry in turn.conversation.history] == ["", '{"tool": "取消 {x}"}']
        answer(inbox, turn, "Done.")
        offer(inbox, "m3")
        assert claim_one(inbox).conversation.history[-1].pending == ""

    def test_a_session_ends_after_its_time(self, desk: Desk) -> None:
        inbox = desk.inbox(session_ttl=SHORT)
        offer(inbox, "m1")
        first = claim_one(inbox)
        answer(inbox, first)
        desk.pass_time(SHORT * 2)
        offer(inbox, "m2")
        second = claim_one(inbox)
        assert second.conversation.history == ()
        assert second.conversation.session != first.conversation.session

    def test_a_session_lives_on_from_its_last_turn(self, desk: Desk) -> None:
        ttl = timedelta(seconds=1)
        inbox = desk.inbox(session_ttl=ttl)
        for number in range(3):
            offer(inbox, f"m{number}")
            turn = claim_one(inbox)
            assert len(turn.conversation.history) == 2 * number
            answer(inbox, turn)
            desk.pass_time(ttl * 0.6)

    def test_a_turn_that_is_tried_for_long_sees_the_same_context(self, desk: Desk) -> None:
        ttl = timedelta(seconds=1)
        inbox = desk.inbox(session_ttl=ttl)
        offer(inbox, "m1")
        answer(inbox, claim_one(inbox))
        offer(inbox, "m2")
        for _ in range(3):
            turn = claim_one(inbox)
            assert len(turn.conversation.history) == 2
            inbox.postpone(turn.lease, AT_ONCE, reason="busy")
            desk.pass_time(ttl * 0.6)

    def test_a_fresh_start_keeps_nothing_of_the_old_session(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        old = claim_one(inbox)
        answer(inbox, old, "old")
        offer(inbox, "m2")
        turn = claim_one(inbox)
        answer(inbox, turn, "new", fresh=True)
        offer(inbox, "m3")
        fresh = claim_one(inbox).conversation
        assert list(fresh.history) == exchange(turn, "new")
        assert fresh.session not in (old.conversation.session, turn.conversation.session)

    def test_texts_sent_lately_are_known_even_after_a_fresh_start(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        turn = claim_one(inbox)
        assert turn.conversation.recent == {}
        answer(inbox, turn, "sent before")
        offer(inbox, "m2")
        answer(inbox, claim_one(inbox), "start", fresh=True)
        offer(inbox, "m3")
        recent = claim_one(inbox).conversation.recent
        assert set(recent) == {digest("sent before"), digest("start")}
        assert recent[digest("sent before")] <= recent[digest("start")]

    def test_another_conversations_texts_are_not_known(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        answer(inbox, claim_one(inbox), "for ann")
        offer(inbox, "m2", peer="bob")
        theirs = claim_one(inbox).conversation
        assert (theirs.history, theirs.recent) == ((), {})

    def test_what_was_offered_to_tap_is_remembered(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        turn = claim_one(inbox)
        *asked, answered = exchange(turn, "Shall I?")
        inbox.commit(turn, stored(turn), [*asked, replace(answered, choices=("Yes", "不用 {x}"))])
        inbox.settle(turn.lease, outcome="answered")
        offer(inbox, "m2")
        assert [entry.choices for entry in claim_one(inbox).conversation.history] == [(), ("Yes", "不用 {x}")]

    def test_history_is_bounded(self, desk: Desk) -> None:
        inbox = desk.inbox()
        long = [HistoryEntry(role="user", content=str(n), at=NOON, key="k") for n in range(HISTORY_LENGTH - 1)]
        offer(inbox, "m1")
        turn = claim_one(inbox)
        inbox.commit(turn, stored(turn), long)
        inbox.settle(turn.lease, outcome="replied")
        offer(inbox, "m2")
        answer(inbox, claim_one(inbox), "the newest")
        offer(inbox, "m3")
        history = claim_one(inbox).conversation.history
        assert len(history) == HISTORY_LENGTH
        assert (history[0].content, history[-1].content) == ("1", "the newest")
