"""The long connection, end to end: a member writes, a worker answers, and whatever may happen to a wire."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.errors import NotKept
from adapters.files import MemoryFiles
from adapters.surface import Content
from adapters.values import (
    Action,
    Attachment,
    Choice,
    ControlEvent,
    Delivered,
    Event,
    Message,
    Outcome,
    Refused,
    Unknown,
)
from adapters.wecom_aibot import by_socket
from tests.adapters.aibot_kit import Desk, inner, reply_to
from tests.adapters.aibot_socket import QUICK, SECRET, Inbox, Platform, connected, desk_at, frame_body
from tests.adapters.wecom_platform import vector, vectors

PNG = b"\x89PNG\r\n\x1a\n0123456789"


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Platform() as platform:
        yield platform


def heard(platform: Platform, inbox: Inbox, *, req_id: str = "R-1", **fields: Any) -> Message:
    """What the desk makes of a member's message."""
    known = len(inbox.messages())
    platform.call(frame_body(**fields), req_id=req_id)
    eventually(lambda: len(inbox.messages()) > known)
    return inbox.messages()[-1]


def eventually(holds: Any, seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def refused(outcome: Outcome) -> Refused:
    assert isinstance(outcome, Refused), outcome
    return outcome


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


def test_an_image_is_uploaded_in_pieces_and_pushed(platform: Platform) -> None:
    content = PNG + b"\0" * 600_000
    platform.replies["aibot_upload_media_init"] = lambda _frame: {"body": {"upload_id": "U-1"}}
    platform.replies["aibot_upload_media_finish"] = lambda _frame: {"body": {"media_id": "MEDIA-1"}}
    desk = desk_at(platform)
    desk = Desk(settings=desk.settings, files=MemoryFiles({"ways/map.png": content}))
    image = Attachment(kind="image", file="ways/map.png")
    with connected(desk) as inbox:
        message = heard(platform, inbox)
        reply = reply_to(message, parts=desk.bot.parts(Content(markdown="Here.", attachments=(image,))))
        assert [type(desk.bot.send(reply, index)) for index in range(len(reply.parts))] == [Delivered, Delivered]
    (begun,) = platform.commands("aibot_upload_media_init")
    assert (begun["body"]["filename"], begun["body"]["total_size"]) == ("map.png", len(content))
    chunks = platform.commands("aibot_upload_media_chunk")
    assert [(each["body"]["chunk_index"], each["body"]["upload_id"]) for each in chunks] == [(0, "U-1"), (1, "U-1")]
    assert begun["body"]["total_chunks"] == 2
    (pushed,) = platform.commands("aibot_send_msg")
    assert pushed["body"]["image"] == {"media_id": "MEDIA-1"}


def test_choices_are_numbered_lines_here(platform: Platform) -> None:
    parts = desk_at(platform).bot.parts(Content(markdown="Sure?", choices=(Choice(id="y", title="Yes"),)))
    assert [(part.text, part.choices) for part in parts] == [("Sure?\n\n1. Yes", ())]


# ---- what the platform refuses ----


@pytest.mark.parametrize("code", [846605, 846608])
def test_a_stream_that_is_over_for_the_platform_is_pushed(code: int, platform: Platform) -> None:
    platform.replies["aibot_respond_msg"] = lambda _frame: {"errcode": code, "errmsg": "over"}
    desk = desk_at(platform)
    with connected(desk) as inbox:
        message = heard(platform, inbox)
        assert isinstance(desk.bot.send(reply_to(message), 0), Delivered)
        assert len(platform.commands("aibot_send_msg")) == 1
        assert isinstance(desk.bot.send(reply_to(message, parts=["one", "two"]), 1), Delivered)


def test_the_published_error_of_an_old_stream_is_understood(platform: Platform) -> None:
    frame = vector("ws_err_846608")["frame"]
    platform.replies["aibot_respond_msg"] = lambda _frame: {name: frame[name] for name in ("errcode", "errmsg")}
    desk = desk_at(platform)
    with connected(desk) as inbox:
        assert isinstance(desk.bot.send(reply_to(heard(platform, inbox)), 0), Delivered)
    assert len(platform.commands("aibot_send_msg")) == 1


def test_a_connection_that_is_not_subscribed_any_more_subscribes_anew(platform: Platform) -> None:
    once = iter([{"errcode": 846609}])
    platform.replies["aibot_respond_msg"] = lambda _frame: next(once, {})
    desk = desk_at(platform)
    with connected(desk) as inbox:
        message = heard(platform, inbox)
        assert refused(desk.bot.send(reply_to(message), 0)).action is Action.RETRY
        platform.until(lambda: len(platform.subscribed_at) == 2)
        eventually(lambda: isinstance(desk.bot.send(reply_to(message), 0), Delivered))


def test_a_final_refusal_is_final(platform: Platform) -> None:
    platform.replies["aibot_respond_msg"] = lambda _frame: {"errcode": 40058}
    desk = desk_at(platform)
    with connected(desk) as inbox:
        message = heard(platform, inbox)
        assert refused(desk.bot.send(reply_to(message), 0)).permanent
        assert "may have arrived" in refused(desk.bot.send(reply_to(message), 0, again=True)).reason


def test_no_acknowledgement_is_unknown_and_the_same_stream_may_be_said_again(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_socket, "ACK", timedelta(seconds=0.4))
    platform.silent.add("aibot_respond_msg")
    desk = desk_at(platform)
    with connected(desk) as inbox:
        message = heard(platform, inbox)
        assert isinstance(desk.bot.send(reply_to(message), 0), Unknown)
        platform.silent.clear()
        eventually(lambda: isinstance(desk.bot.send(reply_to(message), 0, again=True), Delivered))
    first, *others = platform.streams()
    assert others
    assert all({**each, "feedback": 0} == {**first, "feedback": 0} for each in others)


def test_a_stream_that_the_earlier_try_has_finished_is_not_said_a_second_time(platform: Platform) -> None:
    platform.replies["aibot_respond_msg"] = lambda _frame: {"errcode": 846608, "errmsg": "finished"}
    desk = desk_at(platform)
    with connected(desk) as inbox:
        message = heard(platform, inbox)
        assert isinstance(desk.bot.send(reply_to(message), 0, again=True), Delivered)
    assert platform.commands("aibot_send_msg") == []


def test_a_connection_cut_after_the_frame_is_unknown(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_socket, "ACK", timedelta(seconds=0.5))

    def cut(_frame: Any) -> None:
        platform.cut()

    platform.replies["aibot_respond_msg"] = cut
    desk = desk_at(platform)
    with connected(desk) as inbox:
        assert isinstance(desk.bot.send(reply_to(heard(platform, inbox)), 0), Unknown)


CODES = ["-1", "40058", "45009", "48002", "846601", "846602", "846609", "853006", "987654"]


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_known_and_has_a_next_step(code: str, platform: Platform) -> None:
    platform.replies["aibot_respond_msg"] = lambda _frame: {"errcode": int(code), "errmsg": "my pin is 4471"}
    desk = desk_at(platform)
    with connected(desk) as inbox:
        outcome = refused(desk.bot.send(reply_to(heard(platform, inbox), parts=["my pin is 4471"]), 0))
    assert outcome.code in (code, "")
    assert code in outcome.reason
    assert len(outcome.reason) > len(code) + 10
    assert "4471" not in outcome.reason


@pytest.mark.parametrize("said", [{"errcode": None}, {"errcode": "what"}, {"errcode": [0]}, {"errcode": True}])
def test_an_acknowledgement_that_cannot_be_read_is_unknown(
    said: Any, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_socket, "ACK", timedelta(seconds=0.3))
    platform.replies["aibot_respond_msg"] = lambda _frame: said
    desk = desk_at(platform)
    with connected(desk) as inbox:
        assert isinstance(desk.bot.send(reply_to(heard(platform, inbox)), 0), Unknown)


def test_many_workers_send_at_once(platform: Platform) -> None:
    desk = desk_at(platform)
    with connected(desk) as inbox:
        messages = [
            heard(platform, inbox, msgid=f"M{n}", req_id=f"R-{n}", **{"from": {"userid": f"u-{n}"}})
            for n in range(20)
        ]
        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(lambda m: desk.bot.send(reply_to(m, parts=[m.sender]), 0), messages))
    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    said = {frame["headers"]["req_id"]: frame["body"]["stream"] for frame in platform.commands("aibot_respond_msg")}
    assert {req_id: each["content"] for req_id, each in said.items()} == {f"R-{n}": f"u-{n}" for n in range(20)}


def test_a_push_without_an_answer_is_repeated_once_at_most(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_socket, "ACK", timedelta(seconds=0.2))
    platform.silent.add("aibot_send_msg")
    desk = desk_at(platform)
    with connected(desk) as inbox:
        message = heard(platform, inbox)
        desk.clock.pass_(hours=25)
        eventually(lambda: all(each.ok for each in desk.bot.check()))
        outcomes = [desk.bot.send(reply_to(message), 0, again=again) for again in (False, True, True)]
    assert [type(each) for each in outcomes] == [Unknown, Unknown, Refused]
    assert "look at the chat" in refused(outcomes[-1]).reason
    assert len(platform.commands("aibot_send_msg")) == 2


def test_a_chat_is_not_written_to_more_than_thirty_times_a_minute(platform: Platform) -> None:
    desk = desk_at(platform)
    sent = 0
    with connected(desk) as inbox:
        for number in range(40):
            message = heard(platform, inbox, msgid=f"M{number}", req_id=f"R-{number}")
            outcome = desk.bot.send(reply_to(message), 0)
            sent += isinstance(outcome, Delivered)
            if isinstance(outcome, Refused):
                assert outcome.action is Action.RETRY
                assert outcome.retry_after
            desk.clock.pass_(seconds=1.5)
    assert 20 < sent <= 30


def test_nobody_connected_is_a_temporary_refusal_that_names_the_command(platform: Platform) -> None:
    desk = desk_at(platform)
    (message,), _ = Desk().deliver(inner(text={"content": "x"}))
    assert isinstance(message, Message)
    message = replace(message, route={**message.route, "req_id": "R-1"})
    outcome = refused(desk.bot.send(reply_to(message), 0))
    assert outcome.action is Action.RETRY
    assert "frontdesk connect" in outcome.reason


# ---- the wire ----


def test_a_lost_connection_is_made_anew_for_ever(platform: Platform) -> None:
    with connected(desk_at(platform)) as inbox:
        for number in range(4):
            heard(platform, inbox, msgid=f"M{number}")
            platform.cut()
            platform.until(lambda wanted=number + 2: len(platform.subscribed_at) >= wanted)  # type: ignore[misc]
    assert len(inbox.messages()) == 4


def test_a_server_that_is_away_is_tried_until_it_is_back() -> None:
    with Platform() as platform:
        desk = desk_at(platform)
    with connected(desk):  # nobody listens there any more
        threading.Event().wait(0.3)


def test_a_wrong_secret_is_not_tried_in_a_loop(platform: Platform) -> None:
    with connected(desk_at(platform, secret="wrong")):
        platform.until(lambda: len(platform.subscribed_at) == 2)
    first, second = platform.subscribed_at[:2]
    assert second - first >= QUICK.refused.total_seconds()


def test_a_connection_that_was_replaced_does_not_come_back_at_once(platform: Platform) -> None:
    with connected(desk_at(platform)) as inbox:
        platform.send(vector("ws_event_disconnected")["frame"])
        eventually(lambda: inbox.events)
        platform.until(lambda: len(platform.subscribed_at) == 2)
    first, second = platform.subscribed_at[:2]
    assert second - first >= QUICK.replaced.total_seconds()
    (event,) = inbox.events
    assert isinstance(event, ControlEvent)
    assert event.what == "disconnected_event"


def test_two_missed_pings_end_a_connection(platform: Platform) -> None:
    platform.silent.add("ping")
    with connected(desk_at(platform)):
        platform.until(lambda: len(platform.subscribed_at) == 2)
    assert len(platform.commands("ping")) >= 2


def test_pings_that_are_answered_keep_it(platform: Platform) -> None:
    with connected(desk_at(platform)):
        platform.until(lambda: len(platform.commands("ping")) >= 6)
    assert len(platform.subscribed_at) == 1


def test_a_stream_that_nobody_ends_is_ended_by_the_connection(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_socket, "SHOW_EVERY", 0.0)
    desk = desk_at(platform)
    with connected(desk) as inbox:
        message = heard(platform, inbox)
        writing = desk.bot.writing([message], "key")
        assert writing
        writing.show("Until")
        platform.until(lambda: len(platform.streams()) == 1)
        desk.clock.pass_(minutes=5, seconds=30)
        platform.until(lambda: len(platform.streams()) == 2)
        writing.show("Until six")
        assert isinstance(desk.bot.send(reply_to(message), 0), Delivered)
    ended = platform.streams()[-1]
    assert ended["finish"] is True
    assert ended["content"].startswith("Until\n\n")
    (pushed,) = platform.commands("aibot_send_msg")
    assert pushed["body"]["markdown"]["content"] == "Until six."


def test_no_secret_and_no_word_is_ever_logged(platform: Platform, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), connected(desk_at(platform)) as inbox:
        heard(platform, inbox, text={"content": "my pin is 4471"})
    assert SECRET not in caplog.text
    assert "4471" not in caplog.text


def test_the_check_says_whether_the_connection_is_held(platform: Platform) -> None:
    desk = desk_at(platform)
    (finding,) = desk.bot.check()
    assert not finding.ok
    assert "frontdesk connect" in finding.next_step
    with connected(desk):
        eventually(lambda: all(each.ok for each in desk.bot.check()))


def test_only_this_mode_has_a_connection(platform: Platform) -> None:
    assert desk_at(platform).bot.connection() is not None
    assert Desk().bot.connection() is None
