"""What a customer replies to: read by the model, whatever form the platform tells it in."""

from datetime import timedelta

from adapters.memory import MemoryChannel
from tests.bot.room import Room


class ById(MemoryChannel):
    quotes_by_id = True


def room_by_id() -> Room:
    room = Room()
    room.channel = ById("shop", room.channel.settings, room.channel.services)
    room.engine = room.engine_of({"shop": room.channel})
    return room


def test_the_model_reads_what_a_message_replies_to() -> None:
    room = Room()
    room.say("Can this one be returned?", quoted="Order 20261118-0007\nhas been shipped")
    room.run()
    newest = room.asked()[-1]
    assert newest.startswith("(in reply to: “Order 20261118-0007 has been shipped”)\nCan this one be returned?")


def test_what_was_replied_to_is_remembered_with_the_words() -> None:
    room = Room()
    room.say("Can this one be returned?", quoted="Order 7")
    room.run()
    room.say("And when?")
    room.run()
    assert "(in reply to: “Order 7”)\nCan this one be returned?" in room.asked()[-2]


def test_what_was_replied_to_is_remembered_of_a_talk_with_a_person_too() -> None:
    room = Room()
    message = room.say("Can this one be returned?", quoted="Order 7")
    room.inbox.pause(message.conversation, for_=timedelta(hours=1))
    room.run()
    room.inbox.resume(message.conversation)
    room.say("And when?")
    room.run()
    assert "(in reply to: “Order 7”)" in room.asked()[0]


def test_a_reply_without_words_of_its_own_asks_about_the_quoted_ones() -> None:
    room = Room()
    room.say("", quoted="订单 7 已发货")
    room.run()
    assert "“订单 7 已发货”" in room.asked()[-1]
    assert room.texts() == ["Understood."]


def test_a_long_quote_is_shortened() -> None:
    room = Room()
    room.say("this one", quoted="x" * 5_000)
    room.run()
    assert room.asked()[-1].count("x") == 500


def test_a_quote_in_another_language_changes_nobodys_language() -> None:
    room = Room()
    room.say("Please help", quoted="我们明天发货")
    room.run()
    assert room.asked()[-1].startswith("(in reply to:")


def test_an_id_of_the_customers_own_words_stands_for_them() -> None:
    room = room_by_id()
    first = room.say("My order is 4711")
    room.run()
    room.say("this one", quoted=first.id)
    room.run()
    assert "(in reply to: “My order is 4711”)\nthis one" in room.asked()[-1]


def test_an_id_that_nobody_knows_is_never_read_to_the_model() -> None:
    room = room_by_id()
    for unknown in ("wamid.HBgMNDQ3", "w" * 600):
        room.say("this one", quoted=unknown)
        room.run()
        assert "in reply to" not in room.asked()[-1]
        assert unknown not in room.asked()[-1]
