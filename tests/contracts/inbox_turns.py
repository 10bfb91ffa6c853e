"""The inbox contract: leases, replies, conversations."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from sessions.errors import LeaseLost
from sessions.inbox import Inbox, PartState, StoredReply, Turn
from tests.contracts.inbox_kit import (
    AT_ONCE,
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
    take_one,
)

WRITES: dict[str, Callable[[Inbox, Turn], object]] = {
    "commit": lambda inbox, turn: inbox.commit(turn, stored(turn), exchange(turn)),
    "record": lambda inbox, turn: inbox.record(turn.lease, 0, record(PartState.SENDING)),
    "settle": lambda inbox, turn: inbox.settle(turn.lease, outcome="replied"),
    "postpone": lambda inbox, turn: inbox.postpone(turn.lease, AT_ONCE, reason="busy"),
    "park": lambda inbox, turn: inbox.park(turn.lease, reason="poison"),
}


class LeaseContract(Contract):
    def test_only_who_took_a_ticket_can_claim_it(self, desk: Desk) -> None:
        one, two = desk.inbox("one"), desk.inbox("two")
        offer(one, "m1")
        ticket = take_one(one)
        assert two.claim(ticket) is None
        assert one.claim(ticket) is not None

    def test_a_settled_ticket_is_stale(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        turn = claim_one(inbox)
        answer(inbox, turn)
        assert inbox.claim(turn.lease.ticket) is None

    def test_the_first_claim_is_the_first_try_and_nobody_abandoned_it(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        turn = claim_one(inbox)
        assert (turn.tries, turn.abandoned, turn.stored) == (1, 0, None)

    def test_a_dead_workers_turn_goes_to_another(self, desk: Desk) -> None:
        one, two = desk.inbox("one", lease=SHORT), desk.inbox("two", lease=SHORT)
        offer(one, "m1", "m2")
        first = claim_one(one)
        desk.pass_time(SHORT * 2)
        second = claim_one(two)
        assert names(second.messages) == ["m1", "m2"]
        assert (second.tries, second.abandoned, second.since) == (2, 1, first.since)

    def test_a_poison_message_is_counted_at_every_abandoned_claim(self, desk: Desk) -> None:
        inbox = desk.inbox(lease=SHORT)
        offer(inbox, "m1")
        counts = []
        for _ in range(4):
            counts.append(claim_one(inbox).abandoned)
            desk.pass_time(SHORT * 2)
        assert counts == [0, 1, 2, 3]

    @pytest.mark.parametrize("write", WRITES)
    def test_a_stale_holder_can_do_nothing(self, desk: Desk, write: str) -> None:
        one, two = desk.inbox("one", lease=SHORT), desk.inbox("two", lease=SHORT)
        offer(one, "m1")
        stale = claim_one(one)
        desk.pass_time(SHORT * 2)
        current = claim_one(two)
        with pytest.raises(LeaseLost):
            WRITES[write](one, stale)
        answer(two, current)
        assert desk.mailboxes() == {}
        assert two.depths().dead == 0

    @pytest.mark.parametrize("write", WRITES)
    def test_a_lease_is_lost_as_soon_as_another_took_the_ticket(self, desk: Desk, write: str) -> None:
        one, two = desk.inbox("one", lease=SHORT), desk.inbox("two", lease=SHORT)
        offer(one, "m1")
        stale = claim_one(one)
        desk.pass_time(SHORT * 2)
        take_one(two)
        with pytest.raises(LeaseLost):
            WRITES[write](one, stale)
        assert desk.mailboxes() == {conversation(): 1}

    @pytest.mark.parametrize("write", WRITES)
    def test_a_second_claim_by_the_same_worker_ends_the_first(self, desk: Desk, write: str) -> None:
        inbox = desk.inbox(lease=SHORT)
        offer(inbox, "m1")
        stale = claim_one(inbox)
        desk.pass_time(SHORT * 2)
        claim_one(inbox)
        with pytest.raises(LeaseLost):
            WRITES[write](inbox, stale)

    @pytest.mark.parametrize("write", ["settle", "postpone", "park"])
    def test_a_turn_that_is_over_is_nobodys(self, desk: Desk, write: str) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        turn = claim_one(inbox)
        WRITES[write](inbox, turn)
        before = inbox.depths()
        for again in WRITES.values():
            with pytest.raises(LeaseLost):
                again(inbox, turn)
        assert (before.ready, before.later, before.dead) == (
            inbox.depths().ready,
            inbox.depths().later,
            inbox.depths().dead,
        )

    def test_a_renewed_lease_is_kept(self, desk: Desk) -> None:
        lease = timedelta(seconds=1)
        one, two = desk.inbox("one", lease=lease), desk.inbox("two", lease=lease)
        offer(one, "m1")
        turn = claim_one(one)
        expires = turn.lease.expires
        for _ in range(2):
            desk.pass_time(lease * 0.7)
            assert list(one.renew([turn.lease])) == []
        assert list(two.take(1, wait=AT_ONCE)) == []
        assert turn.lease.expires >= expires
        answer(one, turn)

    def test_every_step_of_a_turn_starts_its_lease_anew(self, desk: Desk) -> None:
        """So that a send that was just marked has all of the lease's time before another may look at it."""
        lease = timedelta(seconds=1)
        one, two = desk.inbox("one", lease=lease), desk.inbox("two", lease=lease)
        offer(one, "m1")
        ticket = take_one(one)
        desk.pass_time(lease * 0.6)
        turn = one.claim(ticket)
        assert turn is not None
        for step in ("commit", "record"):
            desk.pass_time(lease * 0.6)
            expires = turn.lease.expires
            WRITES[step](one, turn)
            assert turn.lease.expires >= expires
        desk.pass_time(lease * 0.6)
        assert list(two.take(1, wait=AT_ONCE)) == []

    def test_many_leases_are_renewed_at_once_and_the_lost_ones_named(self, desk: Desk) -> None:
        one, two = desk.inbox("one", lease=SHORT), desk.inbox("two", lease=SHORT)
        for number in range(20):
            offer(one, f"m{number}", peer=f"peer{number}")
        turns = [claim_one(one) for _ in range(20)]
        gone = turns[::4]
        for turn in gone:
            answer(one, turn)
        assert {lease.fence for lease in one.renew([turn.lease for turn in turns])} == {t.lease.fence for t in gone}
        assert two.depths().leased == 15

    def test_renewing_does_not_steal_back_a_lease(self, desk: Desk) -> None:
        one, two = desk.inbox("one", lease=SHORT), desk.inbox("two", lease=SHORT)
        offer(one, "m1")
        stale = claim_one(one)
        expires = stale.lease.expires
        desk.pass_time(SHORT * 2)
        ticket = take_one(two)
        assert list(one.renew([stale.lease])) == [stale.lease]
        assert stale.lease.expires == expires
        current = two.claim(ticket)
        assert current is not None
        assert list(one.renew([stale.lease])) == [stale.lease]
        answer(two, current)

    def test_renewing_nothing_loses_nothing(self, desk: Desk) -> None:
        assert list(desk.inbox().renew([])) == []


class ReplyContract(Contract):
    def test_a_settled_turn_leaves_nothing_behind(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1", "m2")
        answer(inbox, claim_one(inbox))
        depths = inbox.depths()
        assert (depths.ready, depths.leased, depths.later, depths.dead) == (0, 0, 0, 0)
        assert (desk.mailboxes(), list(desk.tickets())) == ({}, [])

    def test_what_arrives_during_a_turn_is_the_next_turn(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        turn = claim_one(inbox)
        offer(inbox, "m2", "m3")
        assert list(inbox.take(1, wait=AT_ONCE)) == []
        answer(inbox, turn)
        following = claim_one(inbox)
        assert names(following.messages) == ["m2", "m3"]
        assert (following.tries, following.abandoned, following.stored) == (1, 0, None)

    def test_committing_gathers_what_arrived_meanwhile(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        turn = claim_one(inbox)
        offer(inbox, "m2")
        assert names(inbox.commit(turn, stored(turn), exchange(turn))) == ["m1", "m2"]

    def test_gathering_stores_nothing(self, desk: Desk) -> None:
        one, two = desk.inbox("one", lease=SHORT), desk.inbox("two", lease=SHORT)
        offer(one, "m1")
        turn = claim_one(one)
        offer(one, "m2")
        assert one.commit(turn, stored(turn), exchange(turn))
        desk.pass_time(SHORT * 2)
        again = claim_one(two)
        assert (again.stored, again.conversation.history, again.conversation.recent) == (None, (), {})
        assert names(again.messages) == ["m1", "m2"]

    def test_a_gathered_turn_settles_all_that_it_gathered(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        turn = claim_one(inbox)
        offer(inbox, "m2")
        assert inbox.commit(turn, stored(turn), exchange(turn))
        assert list(inbox.commit(turn, stored(turn), exchange(turn))) == []
        offer(inbox, "m3")
        inbox.settle(turn.lease, outcome="replied")
        assert names(claim_one(inbox).messages) == ["m3"]

    def test_without_gathering_the_reply_answers_the_pinned_messages_only(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        turn = claim_one(inbox)
        offer(inbox, "m2")
        answer(inbox, turn)
        assert names(claim_one(inbox).messages) == ["m2"]

    def test_a_committed_reply_survives_its_worker(self, desk: Desk) -> None:
        one, two = desk.inbox("one", lease=SHORT), desk.inbox("two", lease=SHORT)
        offer(one, "m1")
        first = claim_one(one)
        reply = stored(first, "part one", "第二部分", fallback="model_down")
        sending = StoredReply(
            reply=reply.reply, records=(record(PartState.SENDING, sends=1), record()), fallback="model_down"
        )
        one.commit(first, sending, exchange(first))
        offer(one, "m2")
        desk.pass_time(SHORT * 2)
        second = claim_one(two)
        assert second.stored == sending
        assert names(second.messages) == ["m1"]

    def test_the_state_of_each_part_is_remembered(self, desk: Desk) -> None:
        one, two = desk.inbox("one", lease=SHORT), desk.inbox("two", lease=SHORT)
        offer(one, "m1")
        turn = claim_one(one)
        one.commit(turn, stored(turn, "a", "b", "c"), exchange(turn))
        delivered, refused = record(PartState.DELIVERED, sends=1), record(PartState.REFUSED, refusals=3)
        one.record(turn.lease, 0, record(PartState.SENDING, sends=1))
        one.record(turn.lease, 0, delivered)
        one.record(turn.lease, 1, refused)
        desk.pass_time(SHORT * 2)
        again = claim_one(two)
        assert again.stored is not None
        assert again.stored.records == (delivered, refused, record())

    def test_the_same_commit_again_changes_nothing(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        turn = claim_one(inbox)
        for _ in range(2):
            assert list(inbox.commit(turn, stored(turn), exchange(turn))) == []
        inbox.settle(turn.lease, outcome="replied")
        offer(inbox, "m2")
        assert list(claim_one(inbox).conversation.history) == exchange(turn)

    def test_a_turn_has_one_reply_for_ever(self, desk: Desk) -> None:
        one, two = desk.inbox("one", lease=SHORT), desk.inbox("two", lease=SHORT)
        offer(one, "m1")
        turn = claim_one(one)
        one.commit(turn, stored(turn, "first"), exchange(turn))
        with pytest.raises(LeaseLost):
            one.commit(turn, stored(turn, "second"), exchange(turn))
        desk.pass_time(SHORT * 2)
        assert claim_one(two).stored == stored(turn, "first")

    def test_each_part_needs_a_record(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        turn = claim_one(inbox)
        reply = stored(turn, "a", "b")
        with pytest.raises(ValueError, match="2 parts"):
            inbox.commit(turn, StoredReply(reply=reply.reply, records=reply.records[:1]), [])

    def test_a_reply_may_have_no_parts(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        turn = claim_one(inbox)
        reply = stored(turn).reply
        empty = StoredReply(reply=type(reply)(key=reply.key, conversation=turn.id, parts=(), route={}), records=())
        assert list(inbox.commit(turn, empty, exchange(turn))) == []
        inbox.settle(turn.lease, outcome="ignored")
        assert desk.mailboxes() == {}

    def test_turns_of_other_conversations_are_left_alone(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "a1")
        offer(inbox, "b1", peer="bob")
        turns = {turn.id.peer: turn for turn in (claim_one(inbox), claim_one(inbox))}
        answer(inbox, turns["ann"], "for ann")
        answer(inbox, turns["bob"], "for bob")
        offer(inbox, "a2")
        assert claim_one(inbox).conversation.history[-1].content == "for ann"
