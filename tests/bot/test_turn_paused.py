"""Conversations that a person has, and accounts that a platform has blocked: what is said, and what waits."""

import logging
from datetime import timedelta

import pytest

from adapters.values import Action, Control, ControlEvent, ConversationId, Message, Refused, Unknown
from bot.turns.reminders import Reminders
from sessions.errors import StoreDown
from tests.bot.room import Room

ANA = ConversationId(channel="shop", account="twin", peer="ana")
BLOCKED = Refused(reason="131031: the account is locked", action=Action.ALERT, code="131031", account=True)


@pytest.fixture
def room() -> Room:
    return Room()


def tell(room: Room, what: str, *, age: float = 0, peer: str = "ana", **detail: str) -> None:
    """A control event that happened *age* seconds ago."""
    where = ConversationId(channel="shop", account="twin", peer=peer)
    event = ControlEvent(
        channel="shop", what=what, at=room.clock() - timedelta(seconds=age), conversation=where, detail=detail
    )
    room.intake.keep(room.channel, [event])


# A person has the conversation


def test_a_conversation_that_a_person_took_over_gets_no_reply_but_is_remembered(room: Room) -> None:
    tell(room, Control.HUMAN_TOOK_OVER)
    room.say("My name is Ana.")
    room.run()
    assert room.texts() == []
    assert room.idle()
    assert not room.parked()
    tell(room, Control.HUMAN_LEFT)
    room.say("What is my name?")
    room.run()
    assert room.texts() == ["Understood."]
    assert any("Ana" in words for words in room.asked())


def test_a_person_who_takes_over_while_the_model_thinks_has_the_last_word(room: Room) -> None:
    def thinking(_: object) -> str:
        tell(room, Control.HUMAN_TOOK_OVER)
        return "Too late."

    room.model.reply = thinking
    room.say("My name is Ana.")
    room.run()
    assert room.texts() == []
    assert room.idle()
    tell(room, Control.HUMAN_LEFT)
    room.model.reply = "Understood."
    room.say("What is my name?")
    room.run()
    assert any("Ana" in words for words in room.asked())


def test_after_half_a_day_the_bot_answers_again(room: Room) -> None:
    tell(room, Control.HUMAN_TOOK_OVER)
    room.clock.advance(12 * 3600 + 1)
    room.say("hello")
    room.run()
    assert room.texts() == ["Understood."]


@pytest.mark.parametrize(("age", "silent"), [(11 * 3600, True), (13 * 3600, False)])
def test_a_take_over_counts_from_when_it_happened(room: Room, age: float, silent: bool) -> None:
    tell(room, Control.HUMAN_TOOK_OVER, age=age)
    room.say("hello")
    room.run()
    assert (room.texts() == []) is silent


def test_a_reply_that_waits_to_be_sent_is_not_sent_into_a_persons_talk(room: Room) -> None:
    room.channel.outcomes.append(Refused(reason="busy", action=Action.RETRY))
    room.say("hello")
    room.run()
    tell(room, Control.HUMAN_TOOK_OVER)
    room.clock.advance(5)
    room.run()
    assert len(room.channel.sent) == 1
    assert room.idle()


def test_a_reminder_that_comes_due_meanwhile_is_not_lost(room: Room) -> None:
    origin = room.say("hello")
    room.run()
    due = room.clock() + timedelta(minutes=5)
    assert Reminders(room.schedule).remind(origin, text="call mum", due=due, name="n")
    tell(room, Control.HUMAN_TOOK_OVER)
    room.clock.advance(301)
    room.run()
    assert room.parked() == ["human_owns"]
    assert len(room.channel.sent) == 1


def test_a_customer_with_a_new_id_goes_on_where_the_old_one_was(room: Room) -> None:
    room.say("My name is Ana.")
    room.run()
    tell(room, Control.IDENTITY_CHANGED, peer="ana-new", previous="ana")
    where = ConversationId(channel="shop", account="twin", peer="ana-new")
    message = Message(
        id="n1",
        conversation=where,
        sender="ana-new",
        text="What is my name?",
        sent_at=room.clock(),
        route={"to": "ana-new"},
    )
    room.inbox.accept([message], horizon=timedelta(days=1))
    room.run()
    assert any("Ana" in words for words in room.asked())


@pytest.mark.parametrize("previous", ["", "ana", "x" * 600])
def test_a_change_of_nothing_changes_nothing(room: Room, previous: str) -> None:
    room.say("My name is Ana.")
    room.run()
    tell(room, Control.IDENTITY_CHANGED, previous=previous)
    room.say("What is my name?")
    room.run()
    assert any("Ana" in words for words in room.asked())


# The platform has blocked the account


def test_a_blocked_account_is_tried_once_a_minute_and_the_turn_is_answered_in_the_end(room: Room) -> None:
    room.channel.outcomes.extend([BLOCKED, BLOCKED])
    room.say("hello")
    room.run()
    assert not room.parked()
    assert list(room.accounts.blocked()) == ["shop"]
    tried = []
    for _ in range(8):
        room.clock.advance(16)
        room.run()
        tried.append(len(room.channel.sent))
    assert tried == [1, 1, 1, 2, 2, 2, 2, 3]
    assert room.idle()
    assert not room.parked()
    assert not room.accounts.blocked()


def test_others_do_not_try_while_the_account_is_blocked(room: Room) -> None:
    room.channel.outcomes.append(BLOCKED)
    room.say("hello")
    room.run()
    ben = ConversationId(channel="shop", account="twin", peer="ben")
    message = Message(id="b1", conversation=ben, sender="ben", text="hi", sent_at=room.clock(), route={"to": "ben"})
    room.inbox.accept([message], horizon=timedelta(days=1))
    room.run()
    assert len(room.channel.sent) == 1
    room.clock.advance(64)
    room.run_conversation(ben)
    room.run_conversation(ANA)
    assert sorted(sent.to for sent in room.channel.sent) == ["ana", "ana", "ben"]


def test_who_waits_while_another_tries_looks_again_soon(room: Room) -> None:
    """Else one send that succeeds would leave all others waiting for the next minute's try."""
    room.channel.outcomes.append(BLOCKED)
    room.say("hello")
    room.run()
    room.clock.advance(64)
    assert room.accounts.may_try("shop") == timedelta()  # another turn, whose send is under way
    room.run()
    assert len(room.channel.sent) == 1
    room.accounts.restore("shop")
    room.clock.advance(16)
    room.run()
    assert len(room.channel.sent) == 2
    assert room.idle()


def test_an_account_that_stays_blocked_parks_its_turns_in_the_end(room: Room) -> None:
    room.channel.outcomes.extend([BLOCKED] * 30)
    room.say("hello")
    for _ in range(30):
        room.run()
        if room.parked():
            break
        room.clock.advance(62)
    assert room.parked() == ["retries_exhausted"]
    assert "131031" in room.inbox.dead_letters()[0].detail
    assert len(room.channel.sent) <= 11


def test_the_block_and_its_end_are_logged_once_each(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    room.channel.outcomes.extend([BLOCKED, BLOCKED])
    room.say("hello")
    with caplog.at_level(logging.INFO, "frontdesk"):
        room.run()
        for _ in range(2):
            room.clock.advance(62)
            room.run()
    actions = [record.message for record in caplog.records]
    assert actions.count("account_blocked") == 1
    assert actions.count("account_restored") == 1


def test_the_platforms_own_word_blocks_and_restores(room: Room) -> None:
    tell(room, Control.ACCOUNT_BLOCKED, reason="policy")
    room.say("hello")
    room.run()
    assert room.channel.sent == []
    tell(room, Control.ACCOUNT_RESTORED)
    room.clock.advance(62)
    room.run()
    assert room.texts() == ["Understood."]
    assert not room.accounts.blocked()


def test_alarms_that_cannot_be_asked_for_hold_nothing_up(room: Room) -> None:
    class Down:
        def current(self) -> None:
            raise StoreDown("gone")

    room.accounts._alarms = Down()  # type: ignore[assignment]
    room.say("hello")
    room.run()
    assert room.texts() == ["Understood."]


def test_a_message_costs_no_question_about_alarms_more_than_once_a_second(room: Room) -> None:
    asked = 0
    current = room.accounts._alarms.current

    def counted() -> object:
        nonlocal asked
        asked += 1
        return current()

    room.accounts._alarms.current = counted  # type: ignore[method-assign,assignment]
    for _ in range(20):
        room.say("hello")
        room.run()
    assert asked == 1


def test_what_may_have_been_heard_stays_doubtful_after_a_refusal() -> None:
    """The first send may have arrived; that a second was refused says nothing about it."""
    room = Room()
    room.channel.outcomes.extend([Unknown(reason="cut"), Refused(reason="busy", action=Action.RETRY)])
    room.say("hello")
    for _ in range(3):
        room.run()
        room.clock.advance(5)
    assert [sent.again for sent in room.channel.sent] == [False, True, True]
