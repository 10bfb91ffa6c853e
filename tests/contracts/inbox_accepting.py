"""The inbox contract: messages in, tickets out."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sessions.inbox import Verdict
from tests.contracts.inbox_kit import (
    AT_ONCE,
    HORIZON,
    LONG,
    SHORT,
    SOON,
    Contract,
    Desk,
    answer,
    claim_one,
    conversation,
    message,
    names,
    offer,
    rich_message,
    take_one,
)


class AcceptingContract(Contract):
    def test_a_message_comes_out_as_it_went_in(self, desk: Desk) -> None:
        inbox = desk.inbox()
        assert list(inbox.accept([rich_message("m1")], horizon=HORIZON)) == [Verdict.NEW]
        assert claim_one(inbox).messages == (rich_message("m1"),)

    def test_a_second_delivery_is_a_duplicate(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        assert list(inbox.accept([message("m1")], horizon=HORIZON)) == [Verdict.DUPLICATE]
        assert desk.mailboxes() == {conversation(): 1}

    def test_a_second_delivery_after_the_answer_is_still_a_duplicate(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        answer(inbox, claim_one(inbox))
        assert list(inbox.accept([message("m1")], horizon=HORIZON)) == [Verdict.DUPLICATE]
        assert list(inbox.take(1, wait=AT_ONCE)) == []

    def test_a_message_twice_in_one_call_is_stored_once(self, desk: Desk) -> None:
        inbox = desk.inbox()
        verdicts = inbox.accept([message("m1"), message("m2"), message("m1")], horizon=HORIZON)
        assert list(verdicts) == [Verdict.NEW, Verdict.NEW, Verdict.DUPLICATE]
        assert names(claim_one(inbox).messages) == ["m1", "m2"]

    def test_after_the_horizon_a_message_is_new_again(self, desk: Desk) -> None:
        inbox = desk.inbox()
        assert list(inbox.accept([message("m1")], horizon=SHORT)) == [Verdict.NEW]
        desk.pass_time(SHORT * 2)
        assert list(inbox.accept([message("m1")], horizon=SHORT)) == [Verdict.NEW]

    def test_a_thousand_deliveries_at_once_are_one_new_message(self, desk: Desk) -> None:
        inbox = desk.inbox()
        start = threading.Barrier(50)

        def deliver(_: int) -> list[Verdict]:
            start.wait()
            return [inbox.accept([message("m1")], horizon=HORIZON)[0] for _ in range(20)]

        with ThreadPoolExecutor(50) as pool:
            verdicts = Counter(verdict for found in pool.map(deliver, range(50)) for verdict in found)
        assert verdicts == {Verdict.NEW: 1, Verdict.DUPLICATE: 999}
        assert names(claim_one(inbox).messages) == ["m1"]

    def test_a_full_mailbox_refuses_further_messages(self, desk: Desk) -> None:
        inbox = desk.inbox(mailbox_limit=2)
        verdicts = inbox.accept([message("m1"), message("m2"), message("m3")], horizon=HORIZON)
        assert list(verdicts) == [Verdict.NEW, Verdict.NEW, Verdict.FULL]
        assert names(claim_one(inbox).messages) == ["m1", "m2"]

    def test_a_full_mailbox_still_knows_a_duplicate(self, desk: Desk) -> None:
        inbox = desk.inbox(mailbox_limit=1)
        offer(inbox, "m1")
        assert list(inbox.accept([message("m1")], horizon=HORIZON)) == [Verdict.DUPLICATE]

    def test_a_message_that_found_the_mailbox_full_is_new_when_it_comes_again(self, desk: Desk) -> None:
        inbox = desk.inbox(mailbox_limit=1)
        offer(inbox, "m1")
        assert list(inbox.accept([message("m2")], horizon=HORIZON)) == [Verdict.FULL]
        answer(inbox, claim_one(inbox))
        assert list(inbox.accept([message("m2")], horizon=HORIZON)) == [Verdict.NEW]

    def test_a_full_mailbox_is_no_other_conversations_business(self, desk: Desk) -> None:
        inbox = desk.inbox(mailbox_limit=1)
        offer(inbox, "m1")
        verdicts = inbox.accept([message("m2"), message("m3", "bob")], horizon=HORIZON)
        assert list(verdicts) == [Verdict.FULL, Verdict.NEW]

    def test_a_batch_over_conversations_gets_its_verdicts_in_its_own_order(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "a1")
        offer(inbox, "c1", peer="cid")
        batch = [
            message("b1", "bob"),
            message("a1"),
            message("b2", "bob"),
            message("c2", "cid"),
            message("c1", "cid"),
        ]
        assert list(inbox.accept(batch, horizon=HORIZON)) == ["new", "duplicate", "new", "new", "duplicate"]
        assert desk.mailboxes() == {conversation(): 1, conversation("bob"): 2, conversation("cid"): 2}

    def test_accepting_nothing_does_nothing(self, desk: Desk) -> None:
        assert list(desk.inbox().accept([], horizon=HORIZON)) == []

    def test_quick_messages_make_one_ticket_and_one_turn_in_order(self, desk: Desk) -> None:
        inbox = desk.inbox()
        for number in range(5):
            offer(inbox, f"m{number}")
        assert len(inbox.take(10, wait=SOON)) == 1
        assert desk.tickets() == [conversation()]

    def test_messages_keep_their_order(self, desk: Desk) -> None:
        inbox = desk.inbox()
        expected = [f"m{number}" for number in range(30)]
        for name in expected:
            offer(inbox, name)
        assert names(claim_one(inbox).messages) == expected

    def test_no_more_tickets_are_taken_than_asked_for(self, desk: Desk) -> None:
        inbox = desk.inbox()
        for number in range(40):
            offer(inbox, f"m{number}", peer=f"peer{number}")
        taken = []
        for most in (1, 2, 7, 16, 20, 40, 40, 40, 40):
            tickets = inbox.take(most, wait=AT_ONCE)
            assert len(tickets) <= most
            taken += [ticket.conversation for ticket in tickets]
        assert sorted(found.peer for found in taken) == sorted(f"peer{number}" for number in range(40))

    def test_no_more_overdue_tickets_are_taken_than_asked_for(self, desk: Desk) -> None:
        dead = desk.inbox("dead", lease=SHORT)
        for number in range(20):
            offer(dead, f"m{number}", peer=f"peer{number}")
        assert sum(len(dead.take(20, wait=AT_ONCE)) for _ in range(20)) == 20
        desk.pass_time(SHORT * 2)
        assert len(desk.inbox("two", lease=SHORT).take(3, wait=AT_ONCE)) == 3

    def test_taking_nothing_takes_nothing(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        assert list(inbox.take(0, wait=AT_ONCE)) == []
        assert inbox.depths().ready == 1

    def test_take_waits_for_a_message(self, desk: Desk) -> None:
        inbox, web = desk.inbox(), desk.inbox("web")
        timer = threading.Timer(0.2, offer, (web, "m1"))
        timer.start()
        assert take_one(inbox).conversation == conversation()
        timer.join()

    def test_take_comes_back_with_nothing_when_nothing_comes(self, desk: Desk) -> None:
        assert list(desk.inbox().take(5, wait=timedelta(milliseconds=50))) == []

    def test_a_taken_ticket_is_not_taken_by_another(self, desk: Desk) -> None:
        one, two = desk.inbox("one", lease=LONG), desk.inbox("two", lease=LONG)
        offer(one, "m1")
        take_one(one)
        assert list(two.take(1, wait=timedelta(milliseconds=50))) == []

    def test_many_takers_share_the_tickets_without_overlap(self, desk: Desk) -> None:
        offers = desk.inbox("web")
        for number in range(60):
            offer(offers, f"m{number}", peer=f"peer{number}")
        inboxes = [desk.inbox(f"worker{number}") for number in range(6)]
        with ThreadPoolExecutor(6) as pool:
            found = list(
                pool.map(lambda inbox: [t for _ in range(30) for t in inbox.take(3, wait=AT_ONCE)], inboxes)
            )
        peers = [ticket.conversation.peer for tickets in found for ticket in tickets]
        assert sorted(peers) == sorted(f"peer{number}" for number in range(60))
