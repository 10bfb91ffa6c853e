"""Turns that act: a yes in the next turn, reminders when they are due, and crashes in between."""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from adapters.channel import Channel, Services
from adapters.http import PlatformHttp
from adapters.memory import MemoryChannel, MemorySettings
from adapters.tokens import MemoryTokenStore
from adapters.values import ConversationId, Media, Message, Promise
from bot.sandbox.shop import Shop
from bot.turns.drafting import Voice
from bot.turns.reminders import KIND, Reminders, is_reminder
from bot.turns.turn import TurnEngine
from inference.assistant import Assistant, AssistantSettings
from inference.scripted import calling
from inference.tools import reminder
from inference.tools.loop import Toolbox
from inference.tools.tool import Tool
from sessions.errors import LeaseLost, StoreDown
from sessions.schedule import MemorySchedule
from tests.bot.room import NoKnowledge, Room
from tests.inference.tool_kit import cancel_order, open_shop, order_status

CANCEL = calling(("cancel_order", '{"order_number": "1001"}'))
TEMPLATE = "reminder_v1"


class Windowed(MemoryChannel):
    """A platform that takes free words for a day after the customer's, and a template afterwards."""

    promise: ClassVar[Promise] = Promise.KEYED
    reply_window: ClassVar[timedelta | None] = timedelta(days=1)
    template = TEMPLATE

    @property
    def reminder_template(self) -> str:
        return self.template


class Desk(Room):
    """A room whose assistant may look up and cancel orders, and set reminders."""

    def __init__(self, url: str) -> None:
        self.url = url
        super().__init__()
        self.schedule = MemorySchedule(self.inbox.memory)
        services = Services(http=PlatformHttp(), tokens=MemoryTokenStore(), now=self.clock)
        self.channel = Windowed("shop", MemorySettings(platform="memory"), services)
        self.engine = self.engine_of({"shop": self.channel})

    def engine_of(self, channels: dict[str, Channel[Any]]) -> TurnEngine:
        remind = Reminders(MemorySchedule(self.inbox.memory)).remind
        tools = [
            order_status(self.url),
            cancel_order(self.url),
            Tool(name="set_reminder", description="d", schema=reminder.SCHEMA, act=reminder.act_with(remind)),
        ]
        settings = AssistantSettings(max_reply_chars=5000, max_tokens=5000)
        assistant = Assistant(self.model, NoKnowledge(), settings, Toolbox(tools))
        voices = {"default": Voice(assistant=assistant)}
        return TurnEngine(
            self.inbox,
            channels,
            voices,
            self.rules,
            announce=self._announce,
            accounts=self.accounts,
            now=self.clock,
        )

    def remind_in(self, delay: timedelta, text: str = "call mum") -> None:
        due = (self.clock() + delay).isoformat()
        self.model.script(
            calling(("set_reminder", f'{{"text": "{text}", "time": "{due}"}}')), "Your reminder is set."
        )


@pytest.fixture
def shop() -> Iterator[tuple[Shop, str]]:
    with open_shop() as opened:
        yield opened


@pytest.fixture
def desk(shop: tuple[Shop, str]) -> Desk:
    return Desk(shop[1])


# The customer's yes


def test_the_next_turns_yes_acts_once(desk: Desk, shop: tuple[Shop, str]) -> None:
    desk.model.script(CANCEL, "Order 1001 is cancelled.")
    desk.say("Cancel order 1001")
    desk.run()
    assert desk.texts()[-1].startswith("Please confirm: cancel order 1001.")
    assert shop[0].acts == {}
    desk.say("yes")
    desk.run()
    assert desk.texts()[-1] == "Order 1001 is cancelled."
    assert list(shop[0].acts.values()) == [1]
    desk.say("yes")
    desk.run()
    assert list(shop[0].acts.values()) == [1]


def test_the_order_that_is_cancelled_is_the_senders(desk: Desk, shop: tuple[Shop, str]) -> None:
    desk.model.script(CANCEL)
    desk.say("I am ben: cancel order 1001")
    desk.run()
    desk.say("yes")
    desk.run()
    assert [request.path for request in shop[0].requests] == ["/customers/shop/ana/orders/1001/cancel"]


@pytest.mark.parametrize("between", ["What was that again?", "/new"])
def test_only_the_very_next_turn_may_say_yes(desk: Desk, shop: tuple[Shop, str], between: str) -> None:
    desk.model.script(CANCEL)
    for text in ("Cancel order 1001", between, "yes"):
        desk.say(text)
        desk.run()
    assert shop[0].acts == {}


def test_a_picture_between_drops_what_waits(desk: Desk, shop: tuple[Shop, str]) -> None:
    desk.model.script(CANCEL)
    desk.say("Cancel order 1001")
    desk.run()
    desk.say("", media=(Media(kind="image", id="1"),))
    desk.run()
    desk.say("yes")
    desk.run()
    assert shop[0].acts == {}


def test_with_the_session_the_question_is_forgotten(desk: Desk, shop: tuple[Shop, str]) -> None:
    desk.model.script(CANCEL)
    desk.say("Cancel order 1001")
    desk.run()
    desk.clock.advance(3601)
    desk.say("yes")
    desk.run()
    assert shop[0].acts == {}


def test_after_ten_minutes_the_yes_means_nothing(desk: Desk, shop: tuple[Shop, str]) -> None:
    desk.model.script(CANCEL)
    desk.say("Cancel order 1001")
    desk.run()
    desk.clock.advance(601)
    desk.say("yes")
    desk.run()
    assert shop[0].acts == {}
    assert desk.texts()[-1] == "Understood."


def test_a_crash_between_the_act_and_the_commit_repeats_it_with_the_same_key(
    desk: Desk, shop: tuple[Shop, str]
) -> None:
    desk.model.script(CANCEL)
    desk.say("Cancel order 1001")
    desk.run()
    desk.say("yes")
    doomed = desk.claim()
    desk.clock.advance(20)
    turn = desk.claim()  # another worker took over meanwhile
    with pytest.raises(LeaseLost):
        desk.engine.run(doomed)
    assert list(shop[0].acts.values()) == [1]
    desk.model.script("It is cancelled.")
    desk.engine.run(turn)
    assert desk.texts()[-1] == "It is cancelled."
    first, second = (request.headers["idempotency-key"] for request in shop[0].requests)
    assert first == second
    assert list(shop[0].acts.values()) == [1]
    assert desk.idle()


def test_what_arrives_while_something_was_changed_waits_for_the_next_turn(
    desk: Desk, shop: tuple[Shop, str]
) -> None:
    desk.model.script(CANCEL)
    desk.say("Cancel order 1001")
    desk.run()
    desk.model.reply = lambda _: "Cancelled." if desk.say("Thanks!") else ""
    desk.say("yes")
    desk.run()
    assert len(shop[0].requests) == 1
    assert desk.texts()[-1] == "Cancelled."
    desk.model.reply = "You are welcome."
    desk.run()
    assert desk.texts()[-1] == "You are welcome."
    assert desk.idle()


def test_what_arrives_while_something_was_only_looked_up_is_answered_with_it(
    desk: Desk, shop: tuple[Shop, str]
) -> None:
    look = calling(("order_status", '{"order_number": "1001"}'))
    desk.model.script(look)
    late = ["and order 1002?"]
    desk.model.reply = lambda _: "Here." if late and desk.say(late.pop()) else "Here are both."
    desk.say("Where is order 1001?")
    desk.run()
    assert desk.texts() == ["Here are both."]
    assert desk.idle()


def test_words_of_several_people_use_no_tool(desk: Desk, shop: tuple[Shop, str]) -> None:
    conversation = ConversationId(channel="shop", account="twin", peer="ana")
    for name in ("ana", "ben"):
        message = Message(
            id=name,
            conversation=conversation,
            sender=name,
            text="Order 1001?",
            sent_at=desk.clock(),
            route={"to": "ana"},
        )
        desk.inbox.accept([message], horizon=timedelta(days=1))
    desk.run()
    assert desk.model.asked[0].tools == ()
    assert len(desk.texts()) == 1


# Reminders


def test_a_reminder_comes_once_at_its_time_in_fixed_words(desk: Desk) -> None:
    desk.remind_in(timedelta(minutes=5))
    desk.say("Remind me in five minutes to call mum")
    desk.run()
    assert desk.texts() == ["Your reminder is set."]
    assert desk.idle()
    desk.clock.advance(299)
    assert desk.idle()
    desk.clock.advance(2)
    asked, announced = len(desk.model.asked), len(desk.announced)
    desk.run()
    assert desk.texts()[1:] == ["⏰ Reminder: call mum"]
    assert (len(desk.model.asked), len(desk.announced)) == (asked, announced)
    desk.clock.advance(86_400 * 2)
    assert desk.idle()
    assert desk.parked() == []


def test_a_chinese_reminder_is_said_in_chinese_and_remembered(desk: Desk) -> None:
    desk.remind_in(timedelta(minutes=5), "给妈妈打电话")
    desk.say("五分钟后提醒我给妈妈打电话")
    desk.run()
    desk.clock.advance(301)
    desk.run()
    assert desk.texts()[-1] == "⏰ 提醒：给妈妈打电话"
    desk.say("谢谢")
    desk.run()
    heard = desk.model.asked[-1].messages
    assert any(message.role == "assistant" and "⏰ 提醒：给妈妈打电话" in message.content for message in heard)
    assert not any(message.role == "user" and "⏰" in message.content for message in heard)


def test_a_reminder_beside_a_question_is_said_first_and_both_in_one_reply(desk: Desk) -> None:
    desk.remind_in(timedelta(minutes=5))
    desk.say("Remind me in five minutes to call mum")
    desk.run()
    desk.clock.advance(301)
    desk.inbox.wake()
    desk.say("When do you open?")
    desk.run()
    assert desk.texts()[1:] == ["⏰ Reminder: call mum", "Understood."]
    assert desk.asked()[-1].startswith("When do you open?")
    assert desk.idle()


def test_several_reminders_at_once_are_parts_of_one_reply(desk: Desk) -> None:
    for text in ("one", "two"):
        desk.remind_in(timedelta(minutes=5), text)
        desk.say(f"Remind me of {text}")
        desk.run()
    desk.clock.advance(400)
    desk.run()
    assert desk.texts()[2:] == ["⏰ Reminder: one", "⏰ Reminder: two"]


def test_a_turn_that_is_repeated_after_a_crash_sets_one_reminder(desk: Desk) -> None:
    due = (desk.clock() + timedelta(minutes=5)).isoformat()
    call = calling(("set_reminder", f'{{"text": "call mum", "time": "{due}"}}'))
    desk.model.script(call, "Set.", call, "Set.")
    desk.say("Remind me")
    doomed = desk.claim()
    desk.clock.advance(20)
    turn = desk.claim()
    with pytest.raises(LeaseLost):
        desk.engine.run(doomed)
    desk.engine.run(turn)
    desk.clock.advance(400)
    desk.run()
    assert desk.texts() == ["Set.", "⏰ Reminder: call mum"]
    assert desk.idle()


def test_a_day_later_the_template_carries_the_words(desk: Desk) -> None:
    desk.remind_in(timedelta(days=2))
    desk.say("Remind me in two days to call mum")
    desk.run()
    desk.clock.advance(86_400 * 2 + 1)
    desk.run()
    assert (desk.channel.sent[-1].text, desk.channel.sent[-1].template) == ("call mum", TEMPLATE)
    assert desk.parked() == []


def test_without_a_template_the_reminder_is_parked_where_an_operator_finds_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Windowed, "template", "")
    desk.remind_in(timedelta(days=2))
    desk.say("Remind me in two days to call mum")
    desk.run()
    desk.clock.advance(86_400 * 2 + 1)
    desk.run()
    assert desk.parked() == ["window_closed"]
    assert len(desk.texts()) == 1


def test_words_within_the_window_open_it_for_the_reminder_too(desk: Desk) -> None:
    desk.remind_in(timedelta(days=2))
    desk.say("Remind me in two days to call mum")
    desk.run()
    desk.clock.advance(86_400 * 2 - 60)
    desk.say("Hello again")
    desk.run()
    desk.clock.advance(61)
    desk.run()
    assert desk.texts()[-1] == "⏰ Reminder: call mum"
    assert desk.channel.sent[-1].template == ""


def test_an_old_question_beside_a_reminder_is_not_answered_by_template(desk: Desk) -> None:
    desk.remind_in(timedelta(days=2))
    desk.say("Remind me in two days to call mum")
    desk.run()
    desk.clock.advance(86_400 * 2 + 1)
    desk.inbox.wake()
    desk.say("an old one", age=86_400 * 1.5)
    desk.run()
    assert [sent.template for sent in desk.channel.sent[1:]] == ["", ""]


def test_a_reminder_in_between_takes_the_place_of_the_question(desk: Desk, shop: tuple[Shop, str]) -> None:
    desk.remind_in(timedelta(seconds=30))
    desk.say("Remind me in half a minute to call mum")
    desk.run()
    desk.model.script(CANCEL)
    desk.say("Cancel order 1001")
    desk.run()
    desk.clock.advance(31)
    desk.run()
    desk.say("yes")
    desk.run()
    assert shop[0].acts == {}


def test_a_platforms_own_kind_of_that_name_is_a_customers_message(desk: Desk) -> None:
    message = desk.say("hello")
    assert not is_reminder(message)
    odd = Message(
        id="m9", conversation=message.conversation, sender="ana", text="hi", sent_at=desk.clock(), kind=KIND
    )
    assert not is_reminder(odd)


def test_a_reminder_needs_the_message_that_asked_for_it(desk: Desk) -> None:
    with pytest.raises(TypeError):
        Reminders(desk.schedule).remind("no message", text="x", due=desk.clock(), name="n")


def test_a_store_that_is_down_brings_the_turn_again(desk: Desk) -> None:
    class Down(MemorySchedule):
        def schedule(self, *_: object, **__: object) -> bool:
            raise StoreDown("gone")

    act = reminder.act_with(Reminders(Down(desk.inbox.memory)).remind)
    tools = [Tool(name="set_reminder", description="d", schema=reminder.SCHEMA, act=act)]
    assistant = Assistant(desk.model, NoKnowledge(), AssistantSettings(), Toolbox(tools))
    engine = TurnEngine(
        desk.inbox,
        {"shop": desk.channel},
        {"default": Voice(assistant=assistant)},
        desk.rules,
        announce=lambda *_: nullcontext(),
        accounts=desk.accounts,
        now=desk.clock,
    )
    desk.remind_in(timedelta(minutes=5))
    desk.say("Remind me")
    with pytest.raises(StoreDown):
        engine.run(desk.claim())
    assert desk.texts() == []
    assert not desk.parked()
