"""The inbox contract: later, dead, and back again."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from sessions.inbox import DeadLetter, Inbox, PartState, Verdict
from sessions.limits import LONGEST_SLEEP
from tests.contracts.inbox_kit import (
    AT_ONCE,
    HORIZON,
    SHORT,
    Contract,
    Desk,
    answer,
    claim_one,
    conversation,
    exchange,
    message,
    names,
    offer,
    record,
    stored,
)


def parked(inbox: Inbox, *ids: str, peer: str = "ann") -> DeadLetter:
    """A turn that went to the dead letters."""
    offer(inbox, *ids, peer=peer)
    inbox.park(claim_one(inbox).lease, reason="refused", detail="code 131026")
    return inbox.dead_letters(most=1)[0]


class LaterContract(Contract):
    def test_a_postponed_turn_comes_again_when_it_is_due(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        inbox.postpone(claim_one(inbox).lease, SHORT, reason="busy")
        assert inbox.wake() > AT_ONCE
        assert list(inbox.take(1, wait=AT_ONCE)) == []
        desk.pass_time(SHORT * 2)
        inbox.wake()
        assert names(claim_one(inbox).messages) == ["m1"]

    def test_a_turn_postponed_by_nothing_comes_again_at_once(self, desk: Desk) -> None:
        one, two = desk.inbox("one"), desk.inbox("two")
        offer(one, "m1")
        one.postpone(claim_one(one).lease, AT_ONCE, reason="stopping")
        assert names(claim_one(two).messages) == ["m1"]

    def test_who_gives_back_has_not_abandoned(self, desk: Desk) -> None:
        inbox = desk.inbox(lease=SHORT)
        offer(inbox, "m1")
        first = claim_one(inbox)
        desk.pass_time(SHORT * 2)
        second = claim_one(inbox)
        inbox.postpone(second.lease, AT_ONCE, reason="busy")
        third = claim_one(inbox)
        assert (second.abandoned, third.abandoned, third.tries, third.since) == (1, 0, 3, first.since)

    def test_waking_tells_when_the_next_is_due(self, desk: Desk) -> None:
        inbox = desk.inbox()
        assert inbox.wake() == LONGEST_SLEEP
        for number, minutes in enumerate((30, 10, 20)):
            offer(inbox, f"m{number}", peer=f"peer{number}")
            inbox.postpone(claim_one(inbox).lease, timedelta(minutes=minutes), reason="busy")
        assert timedelta(minutes=9) < inbox.wake() <= timedelta(minutes=10)

    def test_waking_looks_an_hour_ahead_at_most(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        inbox.postpone(claim_one(inbox).lease, timedelta(days=3), reason="busy")
        assert inbox.wake() == LONGEST_SLEEP

    def test_many_due_tickets_all_wake(self, desk: Desk) -> None:
        inbox = desk.inbox()
        for number in range(150):
            offer(inbox, f"m{number}", peer=f"peer{number}")
        while tickets := inbox.take(150, wait=AT_ONCE):
            for ticket in tickets:
                turn = inbox.claim(ticket)
                assert turn is not None
                inbox.postpone(turn.lease, timedelta(milliseconds=1), reason="busy")
        desk.pass_time(timedelta(milliseconds=10))
        while inbox.wake() == AT_ONCE:
            pass
        assert (inbox.depths().ready, inbox.depths().later) == (150, 0)

    def test_waking_from_many_places_at_once_makes_one_ticket(self, desk: Desk) -> None:
        inboxes = [desk.inbox(f"worker{number}") for number in range(8)]
        offer(inboxes[0], "m1")
        inboxes[0].postpone(claim_one(inboxes[0]).lease, timedelta(milliseconds=1), reason="busy")
        desk.pass_time(timedelta(milliseconds=10))
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda inbox: inbox.wake(), inboxes))
        assert desk.tickets() == [conversation()]

    def test_a_message_for_a_postponed_turn_waits_with_it(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        inbox.postpone(claim_one(inbox).lease, SHORT, reason="busy")
        offer(inbox, "m2")
        assert list(inbox.take(1, wait=AT_ONCE)) == []
        assert desk.tickets() == [conversation()]
        desk.pass_time(SHORT * 2)
        inbox.wake()
        assert names(claim_one(inbox).messages) == ["m1", "m2"]

    def test_a_postponed_turn_with_a_reply_keeps_its_pin(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        turn = claim_one(inbox)
        inbox.commit(turn, stored(turn), exchange(turn))
        inbox.postpone(turn.lease, AT_ONCE, reason="rate_limited")
        offer(inbox, "m2")
        again = claim_one(inbox)
        assert (names(again.messages), again.stored) == (["m1"], stored(turn))
        inbox.settle(again.lease, (0, record(PartState.DELIVERED)), outcome="replied")
        assert names(claim_one(inbox).messages) == ["m2"]

    def test_depths_tell_how_much_is_where(self, desk: Desk) -> None:
        inbox = desk.inbox()
        assert inbox.depths().oldest == AT_ONCE
        for number in range(4):
            offer(inbox, f"m{number}", peer=f"peer{number}")
        inbox.postpone(claim_one(inbox).lease, timedelta(minutes=5), reason="busy")
        inbox.park(claim_one(inbox).lease, reason="poison")
        claim_one(inbox)
        desk.pass_time(timedelta(milliseconds=50))
        depths = inbox.depths()
        assert (depths.ready, depths.leased, depths.later, depths.dead) == (1, 1, 1, 1)
        assert timedelta(milliseconds=50) <= depths.oldest < timedelta(minutes=1)


class DeadLetterContract(Contract):
    def test_a_dead_letter_holds_what_an_operator_needs(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1", "m2")
        turn = claim_one(inbox)
        inbox.commit(turn, stored(turn, "a", "b", fallback="model_down"), exchange(turn))
        inbox.record(turn.lease, 1, record(PartState.REFUSED, refusals=2))
        inbox.park(turn.lease, reason="refused", detail="code 131026")
        [letter] = inbox.dead_letters()
        assert (letter.conversation, letter.reason, letter.detail) == (turn.id, "refused", "code 131026")
        assert (letter.messages, letter.tries, letter.first_at) == (turn.messages, 1, turn.since)
        assert letter.parked_at >= letter.first_at
        assert letter.reply is not None
        assert letter.reply.reply == stored(turn, "a", "b").reply
        assert (letter.reply.fallback, letter.reply.records[1].refusals) == ("model_down", 2)
        assert inbox.dead_letter(letter.id) == letter

    def test_a_turn_without_a_reply_can_be_parked(self, desk: Desk) -> None:
        letter = parked(desk.inbox(), "m1")
        assert (letter.reply, names(letter.messages)) == (None, ["m1"])

    def test_parking_ends_the_turn_and_no_more(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        turn = claim_one(inbox)
        offer(inbox, "m2")
        inbox.park(turn.lease, reason="poison")
        following = claim_one(inbox)
        assert (names(following.messages), following.tries) == (["m2"], 1)

    def test_dead_letters_are_listed_newest_first_and_paged(self, desk: Desk) -> None:
        inbox = desk.inbox()
        for number in range(7):
            parked(inbox, f"m{number}", peer=f"peer{number}")
            desk.pass_time(timedelta(milliseconds=2))
        pages, before = [], ""
        while page := inbox.dead_letters(most=3, before=before):
            pages.append([letter.messages[0].id for letter in page])
            before = page[-1].id
        assert pages == [["m6", "m5", "m4"], ["m3", "m2", "m1"], ["m0"]]

    @pytest.mark.parametrize("nonsense", ["", "nonsense", "1-1.99999", "*", "1-1", "999-0.0\n", "0-0.0"])
    def test_an_unknown_dead_letter_is_none(self, desk: Desk, nonsense: str) -> None:
        inbox = desk.inbox()
        parked(inbox, "m1")
        assert inbox.dead_letter(nonsense) is None
        assert inbox.redrive(nonsense) is False

    def test_a_redriven_turn_starts_anew(self, desk: Desk) -> None:
        inbox = desk.inbox()
        letter = parked(inbox, "m1", "m2")
        assert inbox.redrive(letter.id) is True
        turn = claim_one(inbox)
        again = tuple(replace(message, redriven=letter.id) for message in letter.messages)
        assert (turn.messages, turn.tries, turn.abandoned, turn.stored) == (again, 1, 0, None)
        answer(inbox, turn)
        assert inbox.depths().dead == 0

    def test_a_redriven_message_is_still_known_when_the_platform_delivers_it_again(self, desk: Desk) -> None:
        inbox = desk.inbox()
        inbox.redrive(parked(inbox, "m1").id)
        assert list(inbox.accept([message("m1")], horizon=HORIZON)) == [Verdict.DUPLICATE]
        assert names(claim_one(inbox).messages) == ["m1"]

    def test_redriven_messages_come_before_those_that_wait(self, desk: Desk) -> None:
        inbox = desk.inbox()
        letter = parked(inbox, "m1", "m2")
        offer(inbox, "m3", "m4")
        inbox.redrive(letter.id)
        assert names(claim_one(inbox).messages) == ["m1", "m2", "m3", "m4"]

    def test_redriving_goes_past_the_mailboxs_limit(self, desk: Desk) -> None:
        inbox = desk.inbox(mailbox_limit=1)
        letter = parked(inbox, "m1")
        offer(inbox, "m2")
        assert inbox.redrive(letter.id)
        assert names(claim_one(inbox).messages) == ["m1", "m2"]

    def test_a_dead_letter_is_redriven_once_whoever_asks_how_often(self, desk: Desk) -> None:
        inboxes = [desk.inbox(f"operator{number}") for number in range(8)]
        letter = parked(inboxes[0], "m1", "m2")
        with ThreadPoolExecutor(8) as pool:
            redriven = list(pool.map(lambda inbox: inbox.redrive(letter.id), inboxes))
        assert sorted(redriven) == [False] * 7 + [True]
        assert names(claim_one(inboxes[0]).messages) == ["m1", "m2"]

    def test_redriving_leaves_a_running_turn_its_messages(self, desk: Desk) -> None:
        inbox = desk.inbox()
        letter = parked(inbox, "m1", "m2")
        offer(inbox, "m3")
        running = claim_one(inbox)
        offer(inbox, "m4")
        inbox.redrive(letter.id)
        answer(inbox, running)
        assert names(claim_one(inbox).messages) == ["m1", "m2", "m4"]

    def test_redriving_leaves_a_committed_reply_its_messages(self, desk: Desk) -> None:
        inbox = desk.inbox()
        letter = parked(inbox, "m1")
        offer(inbox, "m2")
        turn = claim_one(inbox)
        inbox.commit(turn, stored(turn), exchange(turn))
        inbox.postpone(turn.lease, AT_ONCE, reason="rate_limited")
        inbox.redrive(letter.id)
        again = claim_one(inbox)
        assert (names(again.messages), again.stored) == (["m2"], stored(turn))
        inbox.settle(again.lease, outcome="replied")
        assert names(claim_one(inbox).messages) == ["m1"]

    def test_redriving_joins_a_postponed_turn_without_a_reply(self, desk: Desk) -> None:
        inbox = desk.inbox()
        letter = parked(inbox, "m1")
        offer(inbox, "m2")
        inbox.postpone(claim_one(inbox).lease, SHORT, reason="busy")
        inbox.redrive(letter.id)
        assert desk.tickets() == [conversation()]
        desk.pass_time(SHORT * 2)
        inbox.wake()
        assert names(claim_one(inbox).messages) == ["m1", "m2"]

    def test_a_turn_can_be_parked_and_redriven_again_and_again(self, desk: Desk) -> None:
        inbox = desk.inbox()
        letter = parked(inbox, "m1", "m2")
        for _ in range(3):
            assert inbox.redrive(letter.id)
            inbox.park(claim_one(inbox).lease, reason="refused")
            [letter] = inbox.dead_letters()
        assert names(letter.messages) == ["m1", "m2"]
