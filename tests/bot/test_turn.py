"""Turns on the twins: what is asked, committed, sent and remembered, and what happens when a platform says no."""

from datetime import timedelta

import pytest

from adapters.channel import Services
from adapters.memory import MemoryChannel, MemorySettings
from adapters.values import (
    Action,
    ConversationId,
    Delivered,
    DeliveryState,
    Media,
    Outcome,
    Promise,
    Refused,
    StatusUpdate,
    Unknown,
    reply_key,
)
from bot.turns.rules import TurnRules
from inference.errors import ModelBusy
from sessions.errors import LeaseLost
from tests.bot.room import START, Room


@pytest.fixture
def room() -> Room:
    return Room()


def refused(action: Action, *, after: float | None = None) -> Refused:
    wait = timedelta(seconds=after) if after is not None else None
    return Refused(reason="because", action=action, code="1", retry_after=wait)


def test_a_message_is_answered_once_and_the_turn_is_over(room: Room) -> None:
    message = room.say("Where is my order?")
    room.run()
    assert room.texts() == ["Understood."]
    assert room.channel.sent[0].key == reply_key(message)
    assert room.idle()


def test_the_start_of_a_turn_is_announced_for_its_newest_message(room: Room) -> None:
    room.say("hello")
    newest = room.say("anybody there?")
    room.run()
    assert room.announced == [newest.id]


def test_waiting_messages_are_answered_together_in_order(room: Room) -> None:
    for text in ("one", "two", "three"):
        room.say(text)
    room.run()
    assert len(room.texts()) == 1
    words = "\n".join(room.asked())
    assert words.index("one") < words.index("two") < words.index("three")


def test_a_message_that_comes_while_the_model_thinks_joins_the_same_reply(room: Room) -> None:
    room.say("one")

    def think(messages: object) -> str:
        if len(room.model.asked) == 1:
            room.say("two")
        return f"answer {len(room.model.asked)}"

    room.model.reply = think
    room.run()
    assert room.texts() == ["answer 2"]
    assert "one" in "\n".join(room.asked())
    assert "two" in "\n".join(room.asked())
    assert room.idle()


def test_a_customer_who_never_stops_writing_is_answered_all_the_same(room: Room) -> None:
    room.say("one")

    def think(messages: object) -> str:
        room.say("and another thing")
        return f"answer {len(room.model.asked)}"

    room.model.reply = think
    room.run()
    assert room.texts() == [f"answer {room.rules.gathers + 1}"]
    assert not room.idle()


def test_the_next_turn_knows_the_last_one(room: Room) -> None:
    room.say("My name is Ana.")
    room.run()
    room.say("What is my name?")
    room.run()
    assert any("Ana" in words for words in room.asked())


def test_a_new_conversation_forgets_the_old_one(room: Room) -> None:
    room.say("My name is Ana.")
    room.run()
    room.say("/new")
    room.run()
    assert room.texts()[-1] == "All right, a fresh start. How can I help you?"
    room.say("What is my name?")
    room.run()
    assert not any("Ana" in words for words in room.asked())


@pytest.mark.parametrize(("word", "confirmed"), [("新对话", "重新开始"), (" /NEW ", "fresh start")])
def test_a_new_conversation_is_confirmed_in_the_customers_language(room: Room, word: str, confirmed: str) -> None:
    room.say(word)
    room.run()
    assert confirmed in room.texts()[0]
    assert not room.model.asked


def test_what_follows_the_word_for_a_new_conversation_is_answered_without_the_old(room: Room) -> None:
    room.say("My name is Ana.")
    room.say("/new")
    room.say("Do you ship to Spain?")
    room.run()
    assert "Spain" in "\n".join(room.asked())
    assert "Ana" not in "\n".join(room.asked())


def test_a_picture_alone_gets_one_polite_line_and_no_model_call(room: Room) -> None:
    room.say("", media=(Media(kind="image", id="1"),))
    room.run()
    assert room.texts() == ["I can only read text for now. Could you describe your question in a sentence or two?"]
    assert not room.model.asked


def test_a_temporary_refusal_gives_the_ticket_back_and_sends_the_same_reply_later(room: Room) -> None:
    room.channel.outcomes.append(refused(Action.RETRY))
    room.say("hello")
    room.run()
    assert room.idle()
    room.clock.advance(2)
    room.run()
    assert room.texts() == ["Understood.", "Understood."]
    assert room.channel.sent[0].key == room.channel.sent[1].key
    assert not room.channel.sent[1].again
    assert len(room.model.asked) == 1


def test_retry_after_is_waited_out(room: Room) -> None:
    room.channel.outcomes.append(refused(Action.RETRY, after=30))
    room.say("hello")
    room.run()
    room.clock.advance(29)
    assert room.idle()
    room.clock.advance(2)
    room.run()
    assert len(room.texts()) == 2


def test_refusals_beyond_the_horizon_are_parked(room: Room) -> None:
    room.channel.outcomes.extend([refused(Action.RETRY)] * 50)
    room.say("hello")
    for _ in range(50):
        room.run()
        if room.parked():
            break
        room.clock.advance(65)
    assert room.parked() == ["retries_exhausted"]
    assert len(room.texts()) < 25


@pytest.mark.parametrize("action", [Action.GIVE_UP, Action.ALERT, Action.WINDOW])
def test_a_final_refusal_is_parked_with_its_reason(room: Room, action: Action) -> None:
    room.channel.outcomes.append(refused(action))
    room.say("hello")
    room.run()
    assert room.parked() == [f"refused_{action.value}"]
    assert room.inbox.dead_letters()[0].detail == "because"
    assert room.idle()


def test_a_parked_turn_does_not_hold_up_the_next_one(room: Room) -> None:
    room.channel.outcomes.append(refused(Action.GIVE_UP))
    room.say("hello")
    room.run()
    room.say("hello again")
    room.run()
    assert len(room.texts()) == 2
    assert len(room.parked()) == 1


@pytest.mark.parametrize("promise", [Promise.KEYED, Promise.CONTENT_CHECKED])
def test_a_keyed_or_checked_channel_resends_the_same_after_unknown(promise: Promise) -> None:
    room = Room(promise)
    room.channel.outcomes.append(Unknown(reason="read timeout"))
    room.say("hello")
    room.run()
    room.clock.advance(5)
    room.run()
    first, second = room.channel.sent
    assert (first.key, first.text) == (second.key, second.text)
    assert second.again
    assert room.idle()


def test_an_observable_channel_holds_and_adopts_what_the_status_says() -> None:
    room = Room(Promise.OBSERVABLE)
    room.channel.outcomes.append(Unknown(reason="read timeout"))
    message = room.say("hello")
    room.run()
    room.inbox.observe(status_of(reply_key(message)))
    room.clock.advance(21)
    room.run()
    assert len(room.channel.sent) == 1
    assert room.idle()
    assert not room.parked()


def test_an_observable_channel_resends_once_when_nothing_was_seen() -> None:
    room = Room(Promise.OBSERVABLE)
    room.channel.outcomes.extend([Unknown(reason="cut"), Unknown(reason="cut")])
    room.say("hello")
    room.run()
    room.clock.advance(19)
    assert room.idle()
    room.clock.advance(2)
    room.run()
    assert [sent.again for sent in room.channel.sent] == [False, True]
    room.clock.advance(21)
    room.run()
    assert len(room.channel.sent) == 2
    assert room.parked() == ["unknown"]


def test_a_blind_channel_sends_at_most_once_more() -> None:
    room = Room(Promise.BLIND)
    room.channel.outcomes.extend([Unknown(reason="cut")] * 3)
    room.say("hello")
    for _ in range(4):
        if room.parked():
            break
        room.run()
        room.clock.advance(30)
    assert len(room.channel.sent) == 2
    assert room.parked() == ["unknown"]


def test_a_blind_channel_may_be_told_never_to_resend() -> None:
    room = Room(Promise.BLIND, TurnRules(blind_resend=False))
    room.channel.outcomes.append(Unknown(reason="cut"))
    room.say("hello")
    room.run()
    room.clock.advance(30)
    room.run()
    assert len(room.channel.sent) == 1
    assert room.parked() == ["unknown"]


def test_a_crash_between_commit_and_answer_sends_the_stored_reply_and_asks_nobody_again(room: Room) -> None:
    room.say("hello")
    turn = room.claim()
    stored = room.engine._answer(turn, room.channel)  # the worker dies here, before the send's outcome is stored
    room.clock.advance(60)
    room.run()
    assert room.texts() == ["Understood."]
    assert room.channel.sent[0].key == stored.reply.key
    assert room.channel.sent[0].again
    assert len(room.model.asked) == 1


def test_a_worker_that_slept_past_its_lease_sends_nothing(room: Room) -> None:
    room.say("hello")
    turn = room.claim()
    stored = room.engine._answer(turn, room.channel)
    turn.lease.expires = 0.0
    with pytest.raises(LeaseLost):
        room.engine._deliver(turn, room.channel, stored, committed_now=True)
    assert not room.channel.sent


def test_a_turn_that_kills_its_workers_is_parked_as_poison(room: Room) -> None:
    room.say("hello")
    for _ in range(room.rules.abandonments):
        room.claim()
        room.clock.advance(60)
    room.run()
    assert room.parked() == ["poison"]
    assert not room.channel.sent


def test_a_failing_model_owes_a_fallback_text_and_then_a_dead_letter(room: Room) -> None:
    room.model.script(ModelBusy("all replicas are down"))
    room.say("Where is my order?")
    room.run()
    assert len(room.texts()) == 1
    assert "colleague" in room.texts()[0]
    assert room.parked() == ["model_failed"]


class HandsOver(MemoryChannel):
    """A platform with a way to the business's people."""

    def __init__(self, name: str, settings: MemorySettings, services: Services) -> None:
        super().__init__(name, settings, services)
        self.given: list[str] = []
        self.outcome: Outcome = Delivered()

    def hand_over(self, conversation: ConversationId) -> Outcome | None:
        self.given.append(conversation.peer)
        return self.outcome


@pytest.mark.parametrize("outcome", [Delivered(), Refused(reason="nobody is there", action=Action.GIVE_UP)])
def test_a_customer_who_was_promised_a_colleague_is_handed_over_after_the_words(
    room: Room, outcome: Outcome
) -> None:
    channel = HandsOver("shop", MemorySettings(platform="memory"), room.channel.services)
    channel.outcome = outcome
    engine = room.engine_of({"shop": channel})
    room.model.script(ModelBusy("all replicas are down"))
    room.say("Where is my order?")
    engine.run(room.claim())
    assert "colleague" in channel.sent[0].text
    assert channel.given == ["ana"]
    assert room.parked() == ["model_failed"]


def test_nobody_is_handed_over_who_was_answered(room: Room) -> None:
    channel = HandsOver("shop", MemorySettings(platform="memory"), room.channel.services)
    room.say("hello")
    room.engine_of({"shop": channel}).run(room.claim())
    assert channel.given == []


def test_a_redriven_turn_is_answered_by_the_model_and_remembered_once(room: Room) -> None:
    room.model.script(ModelBusy("all replicas are down"))
    room.say("Where is my order?")
    room.run()
    assert room.inbox.redrive(room.inbox.dead_letters()[0].id)
    room.run()
    handover, answer = room.channel.sent
    assert answer.text == "Understood."
    assert answer.key != handover.key
    room.say("Thanks")
    room.run()
    assert "\n".join(room.asked()).count("Where is my order?") == 1


def test_a_channel_that_is_gone_parks_its_turns_for_later(room: Room) -> None:
    room.say("hello")
    turn = room.claim()
    room.engine_of({}).run(turn)
    assert room.parked() == ["channel_missing"]


def test_a_message_that_comes_days_late_is_not_answered_but_parked(room: Room) -> None:
    type(room.channel).oldest_message = timedelta(days=7)
    room.say("hello", age=8 * 24 * 3600)
    room.run()
    assert room.parked() == ["too_old"]
    assert not room.channel.sent
    assert not room.model.asked


def test_whether_an_answer_is_too_late_for_the_reply_window_is_the_platforms_to_say(room: Room) -> None:
    type(room.channel).reply_window = timedelta(hours=24)
    room.channel.outcomes.append(refused(Action.WINDOW))
    room.say("hello", age=25 * 3600)
    room.run()
    assert len(room.channel.sent) == 1
    assert room.parked() == ["refused_window"]


def test_words_that_were_sent_a_short_while_ago_are_marked_as_repeated(room: Room) -> None:
    for _ in range(2):
        room.say("hello")
        room.run()
    room.clock.advance(31 * 60)
    room.say("hello")
    room.run()
    assert [sent.repeated for sent in room.channel.sent] == [False, True, False]


def test_a_long_reply_is_sent_in_order_and_goes_on_where_it_stopped(room: Room) -> None:
    room.model.reply = "\n\n".join(f"{number} " + "x" * 700 for number in range(3))
    room.say("tell me everything")
    room.channel.outcomes.extend([Unknown(reason="cut")])
    room.run()
    room.clock.advance(5)
    room.run()
    assert [text[0] for text in room.texts()] == ["0", "0", "1", "2"]
    assert len({sent.key for sent in room.channel.sent}) == 3


def status_of(part_key: str) -> StatusUpdate:
    return StatusUpdate(channel="shop", platform_id="p1", state=DeliveryState.SENT, at=START, reply_key=part_key)
