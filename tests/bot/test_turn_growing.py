"""Answers that grow: what is shown while the model writes, and that showing ends before the reply goes out."""

from collections.abc import Sequence

import pytest

from adapters.memory import MemoryWriting
from adapters.values import Media, Message
from sessions.errors import StoreDown
from tests.bot.room import Room


class Crash(Exception):
    """What nobody expected."""


@pytest.fixture
def room() -> Room:
    return Room()


def test_the_text_grows_and_is_over_before_the_reply_is_sent(room: Room) -> None:
    room.model.script("One sentence. And another one. And a third.")
    room.say("tell me")
    room.run()
    (writing,) = room.channel.writings
    assert writing.texts
    assert all(later.startswith(earlier) for earlier, later in zip(writing.texts, writing.texts[1:], strict=False))
    assert room.texts()[0].startswith(writing.texts[-1])
    assert writing.ended
    assert writing.key == room.channel.sent[0].key


def test_a_channel_that_shows_nothing_costs_nothing(room: Room) -> None:
    room.channel.writing = lambda *_: None  # type: ignore[method-assign,assignment]
    room.say("hello")
    room.run()
    assert room.texts() == ["Understood."]


def test_all_messages_that_are_answered_together_are_known(room: Room) -> None:
    messages = [room.say("one"), room.say("two")]
    room.run()
    assert [message.id for message in room.channel.writings[0].messages] == [each.id for each in messages]


def test_when_more_arrives_the_earlier_writing_ends_and_the_next_knows_all(room: Room) -> None:
    room.say("one")

    def think(messages: object) -> str:
        if len(room.model.asked) == 1:
            room.say("two")
        return f"answer {len(room.model.asked)}"

    room.model.reply = think
    room.run()
    first, second = room.channel.writings
    assert first.ended
    assert second.ended
    assert [message.text for message in first.messages] == ["one"]
    assert [message.text for message in second.messages] == ["one", "two"]
    assert first.key == second.key


def test_what_is_open_for_a_message_is_known_even_where_no_model_is_asked(room: Room) -> None:
    room.say("", media=(Media(kind="video", id="1"),))
    room.run()
    (writing,) = room.channel.writings
    assert writing.texts == []
    assert writing.ended


def test_it_ends_when_the_assistant_fails_in_a_way_nobody_expected(room: Room) -> None:
    def think(messages: object) -> str:
        raise Crash

    room.model.reply = think
    room.say("hello")
    turn = room.claim()
    with pytest.raises(Crash):
        room.engine.run(turn)
    assert room.channel.writings[0].ended
    assert not room.channel.sent


def test_a_store_that_is_down_costs_the_view_and_not_the_answer(room: Room) -> None:
    class Blind(MemoryWriting):
        def show(self, text: str) -> None:
            super().show(text)
            raise StoreDown("gone")

        def end(self) -> None:
            super().end()
            raise StoreDown("gone")

    def writing(messages: Sequence[Message], key: str) -> MemoryWriting:
        room.channel.writings.append(Blind(messages, key))
        return room.channel.writings[-1]

    room.channel.writing = writing  # type: ignore[method-assign]
    room.model.script("One sentence. And another one. And a third.")
    room.say("hello")
    room.run()
    assert room.texts() == ["One sentence. And another one. And a third."]
    assert len(room.channel.writings[0].texts) == 1
    assert room.channel.writings[0].ended


def test_a_stored_reply_is_sent_without_any_showing(room: Room) -> None:
    room.say("hello")
    turn = room.claim()
    room.engine._answer(turn, room.channel)
    room.clock.advance(60)
    room.run()
    assert len(room.channel.writings) == 1
