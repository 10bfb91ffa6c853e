"""What every schedule promises. An implementation inherits :class:`ScheduleContract` and gives `make_desk`."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adapters.values import LONGEST_ID, Message
from sessions.inbox import Inbox
from sessions.limits import LONGEST_SLEEP
from tests.contracts.inbox_kit import (
    AT_ONCE,
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
    rich_message,
    stored,
)
from tests.contracts.inbox_parking import parked

HOUR = timedelta(hours=1)
ROUNDING = timedelta(milliseconds=2)
"""A time is kept in whole milliseconds, up to the next."""


def reminder(name: str = "r1", peer: str = "ann") -> Message:
    return replace(message(name, peer), kind="reminder")


def remind(desk: Desk, name: str = "r1", peer: str = "ann", *, after: timedelta = SHORT) -> bool:
    return desk.schedule().schedule(reminder(name, peer), due=desk.now() + after, name=name)


def wake_later(desk: Desk, inbox: Inbox) -> None:
    """Once what is due after `SHORT` has come."""
    desk.pass_time(SHORT * 2)
    inbox.wake()


class ScheduleContract(Contract):
    def test_a_reminder_does_not_come_before_its_time(self, desk: Desk) -> None:
        inbox = desk.inbox()
        assert remind(desk, after=HOUR) is True
        assert HOUR / 2 < inbox.wake() <= HOUR + ROUNDING
        assert (desk.mailboxes(), list(desk.tickets())) == ({}, [])

    def test_a_reminder_comes_when_it_is_due(self, desk: Desk) -> None:
        inbox = desk.inbox()
        remind(desk)
        wake_later(desk, inbox)
        turn = claim_one(inbox)
        assert (turn.messages, turn.tries) == ((reminder(),), 1)

    def test_a_reminder_comes_out_as_it_went_in(self, desk: Desk) -> None:
        given = replace(rich_message("r/1 :%*"), kind="reminder")
        desk.schedule().schedule(given, due=desk.now(), name='宋 / "x":%s*')
        inbox = desk.inbox()
        wake_later(desk, inbox)
        turn = claim_one(inbox)
        assert (turn.id, turn.messages) == (given.conversation, (given,))

    def test_a_reminder_comes_once(self, desk: Desk) -> None:
        inbox = desk.inbox()
        remind(desk)
        wake_later(desk, inbox)
        answer(inbox, claim_one(inbox))
        wake_later(desk, inbox)
        assert list(inbox.take(1, wait=AT_ONCE)) == []

    def test_reminders_come_in_the_order_in_which_they_are_due(self, desk: Desk) -> None:
        inbox, soon = desk.inbox(), desk.now()
        for place, name in ((3, "r3"), (1, "r1"), (2, "r2")):
            desk.schedule().schedule(reminder(name), due=soon + timedelta(milliseconds=place), name=name)
        wake_later(desk, inbox)
        assert names(claim_one(inbox).messages) == ["r1", "r2", "r3"]

    def test_what_is_past_comes_at_once(self, desk: Desk) -> None:
        inbox = desk.inbox()
        remind(desk, after=-HOUR)
        inbox.wake()
        assert names(claim_one(inbox).messages) == ["r1"]

    @pytest.mark.parametrize("due", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
    def test_any_moment_can_be_named(self, desk: Desk, due: datetime) -> None:
        inbox = desk.inbox()
        assert desk.schedule().schedule(reminder(), due=due, name="r1")
        assert inbox.wake() == LONGEST_SLEEP
        assert len(desk.tickets()) == (due.year == 1)

    def test_a_moment_without_its_zone_is_refused(self, desk: Desk) -> None:
        with pytest.raises(TypeError):
            desk.schedule().schedule(reminder(), due=datetime(2026, 11, 20), name="r1")  # noqa: DTZ001

    @pytest.mark.parametrize("name", ["", "x" * (LONGEST_ID + 1)])
    def test_a_name_that_is_none_is_refused(self, desk: Desk, name: str) -> None:
        with pytest.raises(ValueError, match="characters"):
            desk.schedule().schedule(reminder(), due=desk.now(), name=name)
        with pytest.raises(ValueError, match="characters"):
            desk.schedule().unschedule(conversation(), name)

    def test_a_name_that_waits_is_taken(self, desk: Desk) -> None:
        inbox = desk.inbox()
        remind(desk, after=HOUR)
        assert remind(desk, after=AT_ONCE) is False
        wake_later(desk, inbox)
        assert inbox.depths().reminders == 1

    def test_a_name_that_came_is_taken(self, desk: Desk) -> None:
        inbox = desk.inbox()
        remind(desk)
        wake_later(desk, inbox)
        assert remind(desk) is False
        answer(inbox, claim_one(inbox))
        assert remind(desk) is False

    def test_another_conversation_may_have_the_same_name(self, desk: Desk) -> None:
        assert remind(desk, "r1", "ann")
        assert remind(desk, "r1", "bob")
        assert desk.schedule().unschedule(conversation("ann"), "r1")
        inbox = desk.inbox()
        wake_later(desk, inbox)
        assert list(desk.tickets()) == [conversation("bob")]

    def test_a_reminder_that_is_called_off_does_not_come(self, desk: Desk) -> None:
        inbox = desk.inbox()
        remind(desk)
        assert desk.schedule().unschedule(conversation(), "r1") is True
        assert inbox.depths().reminders == 0
        wake_later(desk, inbox)
        assert list(desk.tickets()) == []

    def test_calling_off_what_does_not_wait_says_so(self, desk: Desk) -> None:
        inbox, schedule = desk.inbox(), desk.schedule()
        assert schedule.unschedule(conversation(), "r1") is False
        remind(desk)
        wake_later(desk, inbox)
        assert schedule.unschedule(conversation(), "r1") is False
        assert names(claim_one(inbox).messages) == ["r1"]
        remind(desk, "r2")
        assert [schedule.unschedule(conversation(), "r2") for _ in range(2)] == [True, False]

    def test_a_name_that_was_called_off_is_taken(self, desk: Desk) -> None:
        remind(desk)
        desk.schedule().unschedule(conversation(), "r1")
        assert remind(desk) is False

    def test_a_name_that_was_never_set_stays_free_when_it_is_called_off(self, desk: Desk) -> None:
        desk.schedule().unschedule(conversation(), "r1")
        assert remind(desk) is True

    def test_a_reminder_goes_past_the_mailboxs_limit(self, desk: Desk) -> None:
        inbox = desk.inbox(mailbox_limit=1)
        offer(inbox, "m1")
        remind(desk)
        wake_later(desk, inbox)
        assert desk.mailboxes() == {conversation(): 2}
        assert names(claim_one(inbox).messages) == ["m1", "r1"]

    def test_a_reminder_joins_a_running_turn(self, desk: Desk) -> None:
        inbox = desk.inbox()
        remind(desk)
        offer(inbox, "m1")
        turn = claim_one(inbox)
        wake_later(desk, inbox)
        assert len(desk.tickets()) == 1
        assert names(inbox.commit(turn, stored(turn), exchange(turn))) == ["m1", "r1"]

    def test_a_reminder_waits_behind_a_committed_reply(self, desk: Desk) -> None:
        inbox = desk.inbox()
        remind(desk)
        offer(inbox, "m1")
        turn = claim_one(inbox)
        inbox.commit(turn, stored(turn), exchange(turn))
        wake_later(desk, inbox)
        inbox.settle(turn.lease, outcome="replied")
        assert names(claim_one(inbox).messages) == ["r1"]

    def test_a_reminder_joins_a_postponed_turn(self, desk: Desk) -> None:
        inbox = desk.inbox()
        remind(desk)
        offer(inbox, "m1")
        inbox.postpone(claim_one(inbox).lease, HOUR, reason="busy")
        wake_later(desk, inbox)
        assert (list(desk.tickets()), list(inbox.take(1, wait=AT_ONCE))) == ([conversation()], [])
        assert desk.mailboxes() == {conversation(): 2}

    def test_a_postponed_turn_and_a_reminder_that_are_due_together_make_one_ticket(self, desk: Desk) -> None:
        inbox = desk.inbox()
        remind(desk)
        offer(inbox, "m1")
        inbox.postpone(claim_one(inbox).lease, SHORT, reason="busy")
        wake_later(desk, inbox)
        assert names(claim_one(inbox).messages) == ["m1", "r1"]

    def test_a_reminder_can_be_parked_and_redriven(self, desk: Desk) -> None:
        inbox = desk.inbox()
        remind(desk)
        wake_later(desk, inbox)
        inbox.park(claim_one(inbox).lease, reason="window_closed")
        assert inbox.redrive(inbox.dead_letters()[0].id)
        assert names(claim_one(inbox).messages) == ["r1"]

    def test_a_redriven_turn_and_a_reminder_share_one_ticket(self, desk: Desk) -> None:
        inbox = desk.inbox()
        letter = parked(inbox, "m1")
        remind(desk)
        wake_later(desk, inbox)
        inbox.redrive(letter.id)
        assert names(claim_one(inbox).messages) == ["m1", "r1"]

    def test_many_due_reminders_all_come(self, desk: Desk) -> None:
        inbox = desk.inbox()
        for number in range(450):
            remind(desk, f"r{number}", f"peer{number % 3}", after=timedelta(milliseconds=1))
        desk.pass_time(timedelta(milliseconds=10))
        while inbox.wake() == AT_ONCE:
            pass
        assert desk.mailboxes() == {conversation(f"peer{number}"): 150 for number in range(3)}

    def test_waking_from_many_places_at_once_brings_a_reminder_once(self, desk: Desk) -> None:
        inboxes = [desk.inbox(f"worker{number}") for number in range(8)]
        for number in range(20):
            remind(desk, f"r{number}", after=timedelta(milliseconds=1))
        desk.pass_time(timedelta(milliseconds=10))
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda inbox: inbox.wake(), inboxes))
        assert sorted(names(claim_one(inboxes[0]).messages)) == sorted(f"r{number}" for number in range(20))

    def test_scheduling_from_many_places_at_once_sets_one_reminder(self, desk: Desk) -> None:
        with ThreadPoolExecutor(8) as pool:
            taken = list(pool.map(lambda _: remind(desk, after=HOUR), range(8)))
        assert sorted(taken) == [False] * 7 + [True]
        assert desk.inbox().depths().reminders == 1

    def test_a_reminder_that_is_called_off_while_it_comes_is_one_or_the_other(self, desk: Desk) -> None:
        inbox, schedule = desk.inbox(), desk.schedule()
        for number in range(30):
            remind(desk, f"r{number}", after=AT_ONCE)
        desk.pass_time(timedelta(milliseconds=2))
        with ThreadPoolExecutor(2) as pool:
            waking = pool.submit(inbox.wake)
            called_off = [number for number in range(30) if schedule.unschedule(conversation(), f"r{number}")]
            waking.result()
        assert sum(desk.mailboxes().values()) + len(called_off) == 30

    def test_waking_tells_when_the_next_reminder_is_due(self, desk: Desk) -> None:
        inbox = desk.inbox()
        for minutes in (30, 10, 20):
            remind(desk, f"r{minutes}", after=timedelta(minutes=minutes))
        assert timedelta(minutes=9) < inbox.wake() <= timedelta(minutes=10) + ROUNDING
        remind(desk, "far", "bob", after=timedelta(days=400))
        desk.schedule().unschedule(conversation(), "r10")
        assert timedelta(minutes=19) < inbox.wake() <= timedelta(minutes=20) + ROUNDING

    def test_reminders_do_not_count_as_waiting_turns(self, desk: Desk) -> None:
        inbox = desk.inbox()
        offer(inbox, "m1")
        inbox.postpone(claim_one(inbox).lease, HOUR, reason="busy")
        for number in range(3):
            remind(desk, f"r{number}", "bob", after=HOUR)
        depths = inbox.depths()
        assert (depths.ready, depths.later, depths.reminders, depths.oldest) == (0, 1, 3, AT_ONCE)
