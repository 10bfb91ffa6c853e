"""The bubble that grows: opened with the callback, asked for again and again, and ended, whatever happens."""

import base64
import hashlib
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from adapters.files import MemoryFiles
from adapters.surface import Content
from adapters.values import Action, Attachment, Choice, Delivered, Message, Part, Refused
from adapters.wecom_aibot.growing import PACE
from tests.adapters.aibot_kit import (
    CHOICES,
    NOW,
    PNG,
    Desk,
    at_home,
    event,
    inner,
    reply_to,
    said_late,
    with_url,
)
from tests.fakes import RecordingServer, json_answer


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    with RecordingServer(lambda _call: json_answer({"errcode": 0})) as server:
        yield server


# ---- from the callback to the last poll ----


def test_the_first_answer_opens_a_stream_with_words_in_the_customers_language() -> None:
    for text, words in (("你好", "请稍候"), ("hello", "One moment"), ("?!", "请稍候")):
        _, stream = Desk().say(text)
        assert stream["id"]
        assert stream["finish"] is False
        assert words in stream["content"]
        assert stream["feedback"] == {"id": stream["id"]}
    assert "One moment" in Desk().say("?!")[1]["content"]
    assert "feedback" not in Desk(settings={"feedback": False}).say("hello")[1]


def test_each_poll_shows_the_whole_text_so_far_until_it_is_finished() -> None:
    desk = Desk()
    message, stream = desk.say("几点关门？")
    writing = desk.process().writing([message], "key")
    assert writing
    assert "请稍候" in desk.see(stream["id"])["content"]
    writing.show("**六")
    assert desk.see(stream["id"]) == {"id": stream["id"], "finish": False, "content": "**六"}
    writing.end()
    assert desk.see(stream["id"])["finish"] is False
    outcome = desk.process().send(reply_to(message, parts=["**六点**关门。"]), 0)
    assert outcome == Delivered(platform_id=stream["id"])
    for _ in range(2):  # the platform may ask once more
        assert desk.see(stream["id"]) == {"id": stream["id"], "finish": True, "content": "**六点**关门。"}


def test_any_process_answers_a_poll() -> None:
    desk = Desk()
    message, stream = desk.say("hello")
    desk.bot = desk.process()
    desk.process().send(reply_to(message), 0)
    assert desk.see(stream["id"])["content"] == "Until six."


def test_showing_is_paced() -> None:
    desk = Desk()
    message, stream = desk.say("hello")
    writing = desk.bot.writing([message], "key")
    assert writing
    for number in range(100):
        writing.show(f"word {number}")
    assert desk.see(stream["id"])["content"] == "word 0"
    threading.Event().wait(PACE)
    writing.show("word 100")
    assert desk.see(stream["id"])["content"] == "word 100"


def test_a_try_that_begins_anew_shrinks_no_text() -> None:
    desk = Desk()
    message, stream = desk.say("hello")
    for words in ("Until six o'clock", "Until", "Until six o'clock every day"):
        writing = desk.process().writing([message], "key")  # the worker before was killed
        assert writing
        writing.show(words)
        assert desk.see(stream["id"])["content"].startswith("Until six o'clock")
    assert desk.see(stream["id"])["content"].endswith("every day")


def test_a_worker_that_is_faster_than_the_callbacks_answer_waits_a_moment() -> None:
    desk = Desk()
    request = desk.console.post(inner(text={"content": "hello"}), received_at=NOW)
    (message,) = desk.bot.parse(request)
    assert isinstance(message, Message)
    outcome = desk.bot.send(reply_to(message), 0)
    assert isinstance(outcome, Refused)
    assert (outcome.action, outcome.retry_after) == (Action.RETRY, timedelta(seconds=1))
    desk.bot.answer(request, [message])
    assert isinstance(desk.bot.send(reply_to(message), 0), Delivered)


def test_a_second_delivery_is_answered_with_the_same_stream_as_it_is_now() -> None:
    desk = Desk()
    message, first = desk.say("hello")
    again, second = desk.say("hello")
    assert again.key == message.key
    assert second == first
    desk.bot.send(reply_to(message), 0)
    _, third = desk.say("hello")
    assert (third["id"], third["finish"], third["content"]) == (first["id"], True, "Until six.")


def test_a_stream_is_opened_by_the_answer_and_not_before() -> None:
    desk = Desk()
    request = desk.console.post(inner(text={"content": "hello"}), received_at=NOW)
    desk.bot.verify(request)
    (message,) = desk.bot.parse(request)
    assert isinstance(message, Message)
    assert desk.poll(message.route["stream"])["stream"]["finish"] is True  # the edge said 503: nobody knows it


def test_a_reply_of_several_parts_is_one_bubble() -> None:
    desk = Desk()
    message, stream = desk.say("hello")
    reply = reply_to(message, parts=["one", "two", "three"])
    assert all(isinstance(desk.bot.send(reply, index), Delivered) for index in (0, 1, 2))
    assert desk.see(stream["id"])["content"] == "one\n\ntwo\n\nthree"


def test_the_same_reply_again_is_delivered_and_changes_nothing() -> None:
    desk = Desk()
    message, stream = desk.say("hello")
    reply = reply_to(message)
    for again in (False, True, True):
        assert desk.bot.send(reply, 0, again=again) == Delivered(platform_id=stream["id"])


def test_messages_that_are_answered_together_all_end() -> None:
    desk = Desk()
    first, second, third = (desk.say(text, message_id=text) for text in ("你好", "Are you there?", "再问一下"))
    messages = [first[0], second[0], third[0]]
    writing = desk.bot.writing(messages, "key")
    assert writing
    writing.show("在的")
    writing.end()
    assert desk.see(first[1]["id"]) == {"id": first[1]["id"], "finish": True, "content": "见下方回复"}
    assert desk.see(second[1]["id"])["content"] == "Answered below"
    assert desk.see(third[1]["id"])["finish"] is False
    desk.bot.send(reply_to(*messages), 0)
    assert desk.see(third[1]["id"])["content"] == "Until six."


def test_an_earlier_message_whose_stream_opens_late_opens_it_ended() -> None:
    desk = Desk()
    request = desk.console.post(inner(text={"content": "hello"}, message_id="early"), received_at=NOW)
    (early,) = desk.bot.parse(request)
    late, _ = desk.say("hello?", message_id="late")
    assert isinstance(early, Message)
    writing = desk.bot.writing([early, late], "key")
    assert writing
    writing.end()
    said = desk.console.opened(desk.bot.answer(request, [early]))
    assert (said["stream"]["finish"], said["stream"]["content"]) == (True, "Answered below")


# ---- the limits ----


def test_what_is_shown_stays_within_20480_bytes_between_characters() -> None:
    desk = Desk()
    message, stream = desk.say("hello")
    writing = desk.bot.writing([message], "key")
    assert writing
    writing.show("x" + "字" * 10_000)
    content = desk.see(stream["id"])["content"]
    assert content == "x" + "字" * 6826
    assert len(content.encode()) <= 20480


def test_a_long_reply_goes_on_behind_the_stream(server: RecordingServer) -> None:
    desk = at_home(Desk(), server)
    message, stream = desk.say("hello")
    texts = desk.bot.compose("很长的回答。" * 1800)
    assert len(texts) == 2
    reply = reply_to(with_url(message, server), parts=texts)
    assert [type(desk.bot.send(reply, index)) for index in (0, 1)] == [Delivered, Delivered]
    assert desk.see(stream["id"])["content"] + said_late(server)[0] == "".join(texts)


def test_thoughts_are_never_shown() -> None:
    bot = Desk().bot
    assert bot.compose("<think>let me see</think>Until six.") == ("Until six.",)
    assert bot.compose("Yes.<think>but wait") == ("Yes.",)
    assert bot.compose("<think>only thoughts</think>") == ()


def test_a_picture_alone_does_not_leave_the_waiting_words_above_it() -> None:
    desk = Desk(files=MemoryFiles({"map.png": PNG}))
    message, stream = desk.say("where?")
    image = Part(text="", attachment=Attachment(kind="image", file="map.png", name="the way"))
    assert isinstance(desk.bot.send(reply_to(message, parts=[image]), 0), Delivered)
    shown = desk.see(stream["id"])
    assert (shown["content"], len(shown["msg_item"])) == ("📎 the way", 1)


# ---- images and choices ----


def test_an_image_goes_with_the_last_answer_only() -> None:
    desk = Desk(files=MemoryFiles({"map.png": PNG}))
    message, stream = desk.say("where?")
    image = Attachment(kind="image", file="map.png", name="the way")
    reply = reply_to(message, parts=desk.bot.parts(Content(markdown="Here.", attachments=(image,))))
    assert "msg_item" not in desk.see(stream["id"])
    assert all(isinstance(desk.bot.send(reply, index), Delivered) for index in range(len(reply.parts)))
    shown = desk.see(stream["id"])
    assert (shown["finish"], shown["content"]) == (True, "Here.")
    (item,) = shown["msg_item"]
    assert item["msgtype"] == "image"
    assert base64.b64decode(item["image"]["base64"]) == PNG
    assert item["image"]["md5"] == hashlib.md5(PNG, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("name", "content"),
    [("gone.png", None), ("fake.png", b"<html>"), ("large.png", PNG + b"\0" * 10 * 1024 * 1024)],
)
def test_a_file_that_is_no_sendable_image_is_named_and_refused(name: str, content: bytes | None) -> None:
    desk = Desk(files=MemoryFiles({} if content is None else {name: content}))
    message, stream = desk.say("where?")
    part = Part(text="", attachment=Attachment(kind="image", file=name))
    reply = reply_to(message, parts=["Here.", part])
    assert isinstance(desk.bot.send(reply, 0), Delivered)
    assert desk.see(stream["id"]) == {"id": stream["id"], "finish": True, "content": f"Here.\n\n📎 {name}"}
    outcome = desk.bot.send(reply, 1)
    assert isinstance(outcome, Refused)
    assert outcome.action is Action.GIVE_UP
    assert name in outcome.reason


def test_other_files_and_strangers_images_are_named() -> None:
    parts = Desk().bot.parts(
        Content(
            markdown="Here.",
            attachments=(
                Attachment(kind="document", file="terms.pdf", name="Terms"),
                Attachment(kind="image", url="https://example.com/i.png", name="map"),
            ),
        )
    )
    assert [part.attachment for part in parts] == [None]
    assert "Terms" in parts[0].text
    assert "https://example.com/i.png" in parts[0].text


def test_choices_are_buttons_below_the_text_and_a_tap_says_the_title() -> None:
    desk = Desk()
    message, stream = desk.say("退货")
    parts = desk.bot.parts(Content(markdown="要退货吗？", choices=CHOICES))
    assert isinstance(desk.bot.send(reply_to(message, parts=parts), 0), Delivered)
    said = desk.poll(stream["id"])
    assert said["msgtype"] == "stream_with_template_card"
    assert (said["stream"]["finish"], said["stream"]["content"]) == (True, "要退货吗？")
    card = said["template_card"]
    assert card["card_type"] == "button_interaction"
    assert card["main_title"]["title"]
    assert [button["text"] for button in card["button_list"]] == ["是的", "不用了"]
    tap = {"card_type": card["card_type"], "event_key": card["button_list"][0]["key"], "task_id": card["task_id"]}
    (tapped,), changed = desk.deliver(event("template_card_event", of=tap))
    assert isinstance(tapped, Message)
    assert (tapped.text, tapped.kind) == ("是的", "template_card_event")
    assert tapped.conversation == message.conversation
    assert (changed["response_type"], changed["userids"]) == ("update_template_card", ["zhangsan"])
    assert changed["template_card"]["task_id"] == card["task_id"]
    (button,) = changed["template_card"]["button_list"]
    assert "是的" in button["text"]
    (spent,), _ = desk.deliver(event("template_card_event", of={**tap, "event_key": button["key"]}))
    assert not isinstance(spent, Message)


def test_choices_are_lines_where_buttons_are_off_or_do_not_fit() -> None:
    long = (Choice(id="a", title="a title that is much too long for a button"),)
    for settings, choices in (({"buttons": False}, CHOICES), ({}, CHOICES * 4), ({}, long)):
        (part,) = Desk(settings=settings).bot.parts(Content(markdown="?", choices=choices))
        assert not part.choices
        assert f"1. {choices[0].title}" in part.text


def test_a_card_that_is_not_ours_is_read_and_left_as_it_is() -> None:
    items = {"selected_item": [{"question_key": "q1", "option_ids": {"option_id": ["one", "two"]}}]}
    of = {"card_type": "vote_interaction", "event_key": "submit", "task_id": "t", "selected_items": items}
    (message,), answer = Desk().deliver(event("template_card_event", of=of))
    assert isinstance(message, Message)
    assert message.text == "one, two"
    assert answer is None


def test_the_answer_to_a_tap_goes_to_its_response_url(server: RecordingServer) -> None:
    desk = at_home(Desk(), server)
    of = {"card_type": "button_interaction", "event_key": "yes:是的", "task_id": "t"}
    (message,), _ = desk.deliver(event("template_card_event", of=of))
    assert isinstance(message, Message)
    reply = reply_to(with_url(message, server), parts=["已为您退货。"])
    assert isinstance(desk.bot.send(reply, 0), Delivered)
    assert said_late(server) == ["已为您退货。"]
