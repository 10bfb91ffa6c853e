"""Turns for notices: pages are fetched with their cursor, nobody is answered, and a lost notice is made up for."""

from datetime import timedelta

import pytest

from adapters.http import MaybeSent, NotSent
from adapters.tokens import NoToken
from adapters.values import (
    NOTICE,
    Action,
    Control,
    ControlEvent,
    ConversationId,
    DeliveryState,
    Message,
    Page,
    Refused,
    StatusUpdate,
)
from bot.turns.pull import NOTICES
from tests.bot.room import Room

DESK = ConversationId(channel="shop", account="twin", peer=NOTICES)
ANA = ConversationId(channel="shop", account="twin", peer="ana")


@pytest.fixture
def room() -> Room:
    return Room()


def notice(room: Room, number: int = 1) -> None:
    message = Message(
        id=f"notice:{number}", conversation=DESK, sender=NOTICES, text="", sent_at=room.clock(), kind=NOTICE
    )
    room.inbox.accept([message], horizon=timedelta(days=1))


def letter(room: Room, number: int, text: str = "hello") -> Message:
    return Message(
        id=f"k{number}", conversation=ANA, sender="ana", text=text, sent_at=room.clock(), route={"to": "ana"}
    )


def test_all_pages_are_fetched_and_their_messages_answered_in_order(room: Room) -> None:
    room.channel.pages.extend(
        [
            Page(events=(letter(room, 1, "one"),), cursor="c1", more=True),
            Page(events=(letter(room, 2, "two"),), cursor="c2", more=False),
        ]
    )
    notice(room)
    room.run()
    assert room.channel.cursors == ["", "c1"]
    assert room.inbox.bookmark("shop:twin") == "c2"
    assert room.channel.sent == []
    room.run()
    assert "one" in room.asked()[-1]
    assert "two" in room.asked()[-1]
    assert room.texts() == ["Understood."]
    assert room.idle()


def test_the_next_notice_goes_on_where_the_last_one_stopped(room: Room) -> None:
    room.channel.pages.append(Page(events=(), cursor="c1", more=False))
    for number in (1, 2):
        notice(room, number)
        room.run()
    assert room.channel.cursors == ["", "c1"]


def test_a_page_that_comes_again_is_not_answered_again(room: Room) -> None:
    page = Page(events=(letter(room, 1),), cursor="c1", more=False)
    room.channel.pages.extend([page, page])
    for number in (1, 2):
        notice(room, number)
        while not room.idle_after_run():
            pass
    assert room.texts() == ["Understood."]


def test_a_cursor_that_stands_still_is_not_fetched_for_ever(room: Room) -> None:
    room.channel.pages.extend([Page(events=(), cursor="", more=True)] * 3)
    notice(room)
    room.run()
    assert len(room.channel.cursors) == 1


def test_statuses_and_control_events_of_a_page_have_their_consequences(room: Room) -> None:
    events = (
        ControlEvent(channel="shop", what=Control.HUMAN_TOOK_OVER, at=room.clock(), conversation=ANA),
        StatusUpdate(channel="shop", platform_id="p", state=DeliveryState.FAILED, at=room.clock(), reply_key="k"),
        letter(room, 1),
    )
    room.channel.pages.append(Page(events=events, cursor="c1", more=False))
    notice(room)
    room.run()
    room.run()
    assert room.texts() == []
    assert room.idle()


@pytest.mark.parametrize(
    "error",
    [
        NotSent("name"),
        MaybeSent("timeout"),
        NoToken(Refused(reason="wrong secret", action=Action.ALERT, code="40001")),
    ],
)
def test_a_failed_fetch_comes_again_later_and_loses_nothing(room: Room, error: Exception) -> None:
    room.channel.pages.extend([error, Page(events=(letter(room, 1),), cursor="c1", more=False)])
    notice(room)
    room.run()
    assert room.idle()
    room.clock.advance(5)
    room.run()
    room.run()
    assert room.texts() == ["Understood."]
    assert not room.parked()


def test_a_platform_that_stays_away_leaves_no_dead_letter_but_the_next_poll(room: Room) -> None:
    room.channel.pages.extend([NotSent("gone")] * 60)
    notice(room)
    for _ in range(60):
        room.idle_after_run()
        room.clock.advance(65)
    assert not room.parked()
    room.channel.pages.clear()
    room.channel.pages.append(Page(events=(letter(room, 1),), cursor="c1", more=False))
    room.clock.advance(300)
    while not room.idle_after_run():
        pass
    assert room.texts() == ["Understood."]


def test_a_full_mailbox_keeps_the_cursor_where_it_is(room: Room) -> None:
    room.inbox.accept([letter(room, 100 + number) for number in range(200)], horizon=timedelta(days=1))
    room.channel.pages.extend([Page(events=(letter(room, 1),), cursor="c1", more=False)] * 2)
    notice(room)
    room.run_conversation(DESK)
    assert room.inbox.bookmark("shop:twin") == ""
    room.run_conversation(ANA)
    room.clock.advance(5)
    room.run_conversation(DESK)
    assert room.inbox.bookmark("shop:twin") == "c1"


def test_five_minutes_later_the_platform_is_asked_without_a_notice_once(room: Room) -> None:
    for number in (1, 2, 3):
        notice(room, number)
        room.run()
    asked = len(room.channel.cursors)
    room.clock.advance(299)
    room.clock.advance(2)
    room.run()
    assert room.idle()
    assert len(room.channel.cursors) == asked + 1
    room.clock.advance(300)
    room.run()
    assert len(room.channel.cursors) == asked + 2


def test_a_customer_whose_message_looks_like_a_notice_is_a_customer(room: Room) -> None:
    message = Message(
        id="m", conversation=ANA, sender="ana", text="hi", sent_at=room.clock(), kind=NOTICE, route={"to": "ana"}
    )
    room.inbox.accept([message], horizon=timedelta(days=1))
    room.run()
    assert room.texts() == ["Understood."]
