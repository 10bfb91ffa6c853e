"""The long connection, end to end: a member writes, a worker answers, and whatever may happen to a wire."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.errors import NotKept
from adapters.surface import Content
from adapters.values import (
    Choice,
    Delivered,
    Event,
    Message,
)
from adapters.wecom_aibot import by_socket
from tests.adapters.aibot_kit import reply_to
from tests.adapters.aibot_socket import (
    QUICK,
    Inbox,
    Platform,
    connected,
    desk_at,
    eventually,
    frame_body,
    heard,
)
from tests.adapters.wecom_platform import vector, vectors


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Platform() as platform:
        yield platform


# ---- in ----


@pytest.mark.parametrize("name", ["ws_msg_text_group", "ws_msg_image_single"])
def test_every_published_message_frame_is_one_message(name: str, platform: Platform) -> None:
    frame = vector(name)["frame"]
    with connected(desk_at(platform)) as inbox:
        platform.send(frame)
        eventually(inbox.messages)
    (message,) = inbox.messages()
    assert message.id == frame["body"]["msgid"]
    assert message.route["req_id"] == "REQ-0001"
    if message.media:
        assert message.route["aeskey_0"] == frame["body"]["image"]["aeskey"]
    else:
        assert (message.text, message.conversation.peer) == ("你好", "wrkSFfCgAAtest:zhangsan")


def test_all_frame_vectors_are_known_here() -> None:
    assert set(vectors("ws-frame")) == {
        "ws_ack",
        "ws_err_846608",
        "ws_event_disconnected",
        "ws_msg_image_single",
        "ws_msg_text_group",
    }


def test_messages_come_in_order_and_garbage_between_them_is_passed_over(platform: Platform) -> None:
    with connected(desk_at(platform)) as inbox:
        for number in range(20):
            platform.call(frame_body(msgid=f"M{number}"))
            platform.send({"headers": {"req_id": "nobody's"}, "errcode": 0})
            platform.send({"cmd": "a_new_thing", "headers": {}, "body": [1]})
            platform.send({"cmd": "aibot_msg_callback", "headers": None, "body": None})
        eventually(lambda: len(inbox.messages()) == 20)
    assert [message.id for message in inbox.messages()] == [f"M{number}" for number in range(20)]


def test_what_the_desk_cannot_keep_is_offered_until_it_can(platform: Platform) -> None:
    inbox = Inbox()
    inbox.closed.set()
    with connected(desk_at(platform), inbox):
        platform.call(frame_body(msgid="M1"))
        platform.call(frame_body(msgid="M2"))
        eventually(lambda: inbox.tries > 1)
        assert not inbox.messages()
        inbox.closed.clear()
        eventually(lambda: len(inbox.messages()) == 2)
    assert [message.id for message in inbox.messages()] == ["M1", "M2"]


def test_a_conversation_that_cannot_be_kept_holds_up_no_other(platform: Platform) -> None:
    class Picky(Inbox):
        def receive(self, events: Sequence[Event]) -> None:
            if self.closed.is_set() and any(isinstance(e, Message) and e.sender == "flood" for e in events):
                raise NotKept("a mailbox is full")
            self.events += events

    inbox = Picky()
    inbox.closed.set()
    with connected(desk_at(platform), inbox):
        for number in range(3):
            platform.call(frame_body(msgid=f"F{number}", **{"from": {"userid": "flood"}}))
            platform.call(frame_body(msgid=f"M{number}"))
        eventually(lambda: len(inbox.messages()) == 3)
        assert {message.sender for message in inbox.messages()} == {"zhangsan"}
        inbox.closed.clear()
        eventually(lambda: len(inbox.messages()) == 6)
    assert [message.id for message in inbox.messages()] == ["M0", "M1", "M2", "F0", "F1", "F2"]


def test_whoever_opens_the_chat_is_welcomed_at_once(platform: Platform) -> None:
    body = frame_body(msgtype="event", event={"eventtype": "enter_chat", "enter_chat": {}})
    with connected(desk_at(platform, welcome="您好！")) as inbox:
        platform.call(body, cmd="aibot_event_callback", req_id="E-1")
        platform.until(lambda: platform.commands("aibot_respond_welcome_msg"))
        eventually(lambda: inbox.events)
    (frame,) = platform.commands("aibot_respond_welcome_msg")
    assert frame["headers"] == {"req_id": "E-1"}
    assert frame["body"] == {"msgtype": "text", "text": {"content": "您好！"}}


def test_a_tap_on_a_card_changes_the_card_and_says_the_title(platform: Platform) -> None:
    of = {"card_type": "button_interaction", "event_key": "yes:是的", "task_id": "t-1"}
    body = frame_body(msgtype="event", event={"eventtype": "template_card_event", "template_card_event": of})
    desk = desk_at(platform)
    with connected(desk) as inbox:
        platform.call(body, cmd="aibot_event_callback", req_id="E-1")
        platform.until(lambda: platform.commands("aibot_respond_update_msg"))
        eventually(inbox.messages)
        (message,) = inbox.messages()
        assert isinstance(desk.bot.send(reply_to(message), 0), Delivered)
    assert message.text == "是的"
    (frame,) = platform.commands("aibot_respond_update_msg")
    assert frame["body"]["template_card"]["task_id"] == "t-1"
    (pushed,) = platform.commands("aibot_send_msg")
    assert pushed["body"]["markdown"] == {"content": "Until six."}


# ---- out ----


def test_a_reply_is_a_finished_stream_under_the_messages_request_id(platform: Platform) -> None:
    desk = desk_at(platform)
    with connected(desk) as inbox:
        message = heard(platform, inbox, req_id="R-7")
        outcome = desk.bot.send(reply_to(message, parts=["Until **six**."]), 0)
    assert outcome == Delivered(platform_id=message.route["stream"])
    (frame,) = platform.commands("aibot_respond_msg")
    assert frame["headers"] == {"req_id": "R-7"}
    assert frame["body"]["msgtype"] == "stream"
    shown = frame["body"]["stream"]
    assert (shown["id"], shown["finish"], shown["content"]) == (message.route["stream"], True, "Until **six**.")
    assert shown["feedback"] == {"id": message.route["stream"]}


def test_an_answer_is_shown_while_it_grows_and_then_whole(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_socket, "SHOW_EVERY", 0.0)
    desk = desk_at(platform)
    with connected(desk) as inbox:
        message = heard(platform, inbox)
        writing = desk.bot.writing([message], "key")
        assert writing
        writing.show("<think>hm</think>")
        writing.show("Until")
        platform.until(lambda: len(platform.streams()) == 1)
        writing.show("Until **si")
        platform.until(lambda: len(platform.streams()) == 2)
        writing.end()
        assert isinstance(desk.bot.send(reply_to(message, parts=["Until **six**."]), 0), Delivered)
        assert isinstance(desk.bot.send(reply_to(message, parts=["Until **six**."]), 0, again=True), Delivered)
    assert [(each["content"], each["finish"]) for each in platform.streams()] == [
        ("Until", False),
        ("Until **si", False),
        ("Until **six**.", True),
    ]
    assert ["feedback" in each for each in platform.streams()] == [True, False, False]


def test_a_try_that_begins_anew_shrinks_no_text(platform: Platform) -> None:
    desk = desk_at(platform)
    with connected(desk) as inbox:
        message = heard(platform, inbox)
        for words in ("Until six o'clock", "Until", "Until six o'clock every day"):
            writing = desk.process().writing([message], "key")
            assert writing
            writing.show(words)
        platform.until(lambda: platform.streams() and platform.streams()[-1]["content"].endswith("day"))
    assert "Until" not in [each["content"] for each in platform.streams()]


def test_updates_leave_the_chat_room_for_the_answer(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_socket, "SHOW_EVERY", 0.0)
    desk = desk_at(platform)
    with connected(desk) as inbox:
        message = heard(platform, inbox)
        writing = desk.bot.writing([message], "key")
        assert writing
        for number in range(100):
            writing.show(f"word {number}")
        assert isinstance(desk.bot.send(reply_to(message), 0), Delivered)
    assert len(platform.streams()) <= 4
    assert platform.streams()[-1]["finish"] is True


def test_the_updates_of_one_answer_wait_for_each_others_acknowledgement(platform: Platform) -> None:
    gate = threading.Event()

    def slow(_frame: Any) -> dict[str, Any]:
        gate.wait(0.3)
        return {}

    platform.replies["aibot_respond_msg"] = slow
    desk = desk_at(platform)
    with connected(desk, timing=replace(QUICK, ping=timedelta(seconds=5))) as inbox:
        message = heard(platform, inbox)
        for number in range(30):
            desk.relay.tell("shop", update(message, f"word {number}"))
        assert isinstance(desk.bot.send(reply_to(message), 0), Delivered)
    contents = [each["content"] for each in platform.streams()]
    assert contents[0] == "word 0"
    assert contents[-1] == "Until six."
    assert len(contents) <= 4  # what was overtaken while it waited was not said


def update(message: Message, content: str, *, finish: bool = False) -> str:
    fields = {"id": message.route["stream"], "finish": finish, "content": content}
    frame = {
        "cmd": "aibot_respond_msg",
        "headers": {"req_id": message.route["req_id"]},
        "body": {"msgtype": "stream", "stream": fields},
    }
    return str(frame).replace("'", '"').replace("False", "false").replace("True", "true")


def test_messages_that_are_answered_together_all_end(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_socket, "SHOW_EVERY", 0.0)
    desk = desk_at(platform)
    with connected(desk) as inbox:
        first = heard(platform, inbox, req_id="R-1")
        writing = desk.bot.writing([first], "key")
        assert writing
        writing.show("Until")
        writing.end()
        second = heard(platform, inbox, req_id="R-2", msgid="M2")
        writing = desk.bot.writing([first, second], "key")
        assert writing
        writing.show("Until six")
        writing.end()
        assert isinstance(desk.bot.send(reply_to(first, second), 0), Delivered)
        ended = {each["id"]: each for each in platform.streams() if each["finish"]}
    assert ended[first.route["stream"]]["content"] == "Answered below"
    assert ended[second.route["stream"]]["content"] == "Until six."


def test_a_long_reply_goes_on_in_messages_of_its_own(platform: Platform) -> None:
    desk = desk_at(platform)
    texts = desk.bot.compose("很长的回答。" * 2800)
    assert len(texts) == 3
    with connected(desk) as inbox:
        message = heard(platform, inbox, chattype="group", chatid="g-1")
        reply = reply_to(message, parts=texts)
        assert all(isinstance(desk.bot.send(reply, index), Delivered) for index in range(3))
    pushed = platform.commands("aibot_send_msg")
    assert [(each["body"]["chatid"], each["body"]["chat_type"]) for each in pushed] == [("g-1", 2)] * 2
    said = [platform.streams()[0]["content"], *(each["body"]["markdown"]["content"] for each in pushed)]
    assert "".join(said) == "".join(texts)
    assert all(len(each.encode()) <= 20480 for each in said)


def test_a_reminder_is_pushed(platform: Platform) -> None:
    desk = desk_at(platform)
    with connected(desk) as inbox:
        message = heard(platform, inbox)
        desk.bot.send(reply_to(message), 0)
        desk.clock.pass_(hours=30)
        reminder = replace(reply_to(message, parts=["⏰ tea"]), key="reminder")
        eventually(lambda: isinstance(desk.bot.send(reminder, 0), Delivered))
    (pushed,) = platform.commands("aibot_send_msg")
    assert pushed["body"] == {
        "chatid": "zhangsan",
        "chat_type": 1,
        "msgtype": "markdown",
        "markdown": {"content": "⏰ tea"},
    }


def test_choices_are_numbered_lines_here(platform: Platform) -> None:
    parts = desk_at(platform).bot.parts(Content(markdown="Sure?", choices=(Choice(id="y", title="Yes"),)))
    assert [(part.text, part.choices) for part in parts] == [("Sure?\n\n1. Yes", ())]
