"""Pictures and voice messages: what the model gets, what the customer is told of the rest."""

import threading
import time
from datetime import timedelta

import pytest

from adapters.channel import Download
from adapters.errors import MediaLost, Unsupported
from adapters.http import MaybeSent, NotSent, TooLarge
from adapters.values import Action, Media, Refused
from bot.turns.hearing import LARGEST_PICTURE, MOST_PICTURES, Senses
from inference.errors import ModelBusy
from tests.bot.room import Room

JPEG = Download(content=b"\xff\xd8\xff\xe0 a picture", mime="image/jpeg")
VOICE = Download(content=b"OggS a voice", mime="audio/ogg")
ONLY_TEXT = "I can only read text for now. Could you describe your question in a sentence or two?"
UNREADABLE = "I can't open the attachment that you sent. Could you describe it in words?"
LOST = "What you sent did not reach me. Could you send it again?"


class Stenographer:
    """Writes down what it is told to, and counts how often it was asked."""

    def __init__(self, *said: str | Exception) -> None:
        self.said = list(said)
        self.heard: list[tuple[bytes, str]] = []

    def text(self, content: bytes, mime: str, *, deadline: timedelta) -> str:
        assert deadline > timedelta()
        self.heard.append((content, mime))
        said = self.said.pop(0)
        if isinstance(said, Exception):
            raise said
        return said


class SeeingRoom(Room):
    def __init__(self, listener: Stenographer | None = None, *, sees: bool = True) -> None:
        super().__init__()
        self.senses = Senses(sees=sees, listener=listener)
        self.engine = self.engine_of({"shop": self.channel})

    def pictures(self) -> int:
        """How many the last call to the model showed."""
        return sum(len(message.pictures) for message in self.model.asked[-1].messages)


def image(number: int = 1) -> Media:
    return Media(kind="image", id=f"p{number}", mime="image/jpeg")


def voice(number: int = 1) -> Media:
    return Media(kind="audio", id=f"v{number}", mime="audio/ogg")


def test_a_picture_and_its_words_reach_a_model_that_sees() -> None:
    room = SeeingRoom()
    room.channel.shelf["p1"] = JPEG
    room.say("What is broken here?", media=(image(),))
    room.run()
    assert room.pictures() == 1
    assert "What is broken here?" in room.asked()[-1]
    assert room.texts() == ["Understood."]


def test_a_picture_without_words_is_a_question_too_and_is_remembered() -> None:
    room = SeeingRoom()
    room.channel.shelf["p1"] = JPEG
    room.say("", media=(image(),))
    room.run()
    assert room.pictures() == 1
    room.say("And?")
    room.run()
    assert any("[picture]" in words for words in room.asked())


def test_a_picture_alone_is_answered_in_the_language_of_the_talk() -> None:
    room = SeeingRoom(sees=False)
    room.say("你们几点开门？")
    room.run()
    room.say("", media=(image(),))
    room.run()
    assert room.texts()[-1] == "我暂时只能阅读文字，请用一两句话描述一下您的问题。"


def test_words_beside_what_cannot_be_seen_are_answered_with_one_polite_line() -> None:
    room = SeeingRoom(sees=False)
    room.say("Is this the right part?", media=(image(), Media(kind="video", id="x")))
    room.run()
    assert room.texts() == [f"Understood.\n\n{UNREADABLE}"]
    assert not room.channel.fetched


def test_a_video_is_not_fetched_even_by_a_model_that_sees() -> None:
    room = SeeingRoom()
    room.say("", media=(Media(kind="video", id="x"),))
    room.run()
    assert room.texts() == [ONLY_TEXT]
    assert not room.channel.fetched


def test_a_picture_sent_as_a_document_is_seen() -> None:
    room = SeeingRoom()
    room.channel.shelf["d"] = JPEG
    room.say("this", media=(Media(kind="document", id="d", mime="image/jpeg"),))
    room.run()
    assert room.pictures() == 1


def test_a_picture_that_is_gone_is_asked_for_again() -> None:
    room = SeeingRoom()
    room.say("", media=(image(),))
    room.run()
    assert room.texts() == [LOST]
    assert room.channel.fetched == ["p1"]
    assert not room.model.asked


@pytest.mark.parametrize("error", [NotSent("name"), MaybeSent("timeout")])
def test_a_fetch_that_failed_on_the_way_is_tried_once_more(error: Exception) -> None:
    room = SeeingRoom()
    room.channel.shelf["p1"] = error
    room.say("this", media=(image(),))
    room.run()
    assert room.channel.fetched == ["p1", "p1"]
    assert room.texts() == [f"Understood.\n\n{LOST}"]


@pytest.mark.parametrize("error", [MediaLost("expired"), TooLarge("too large")])
def test_a_fetch_that_can_never_succeed_is_not_repeated(error: Exception) -> None:
    room = SeeingRoom()
    room.channel.shelf["p1"] = error
    room.say("this", media=(image(),))
    room.run()
    assert room.channel.fetched == ["p1"]
    assert room.texts() == [f"Understood.\n\n{LOST}"]


def test_what_the_channel_cannot_fetch_is_asked_for_in_words() -> None:
    room = SeeingRoom()
    room.channel.shelf["p1"] = Unsupported("fetching image")
    room.say("", media=(image(),))
    room.run()
    assert room.texts() == [ONLY_TEXT]


@pytest.mark.parametrize(
    ("download", "line"),
    [
        (Download(content=b"x", mime="image/heic"), UNREADABLE),
        (Download(content=b"x" * (LARGEST_PICTURE + 1), mime="image/png"), LOST),
    ],
)
def test_a_picture_that_no_model_takes_is_not_shown_to_it(download: Download, line: str) -> None:
    room = SeeingRoom()
    room.channel.shelf["p1"] = download
    room.say("this", media=(image(),))
    room.run()
    assert room.pictures() == 0
    assert room.texts() == [f"Understood.\n\n{line}"]


def test_of_many_pictures_the_first_are_seen_and_the_customer_is_told() -> None:
    room = SeeingRoom()
    for number in range(6):
        room.channel.shelf[f"p{number}"] = JPEG
    room.say("these", media=tuple(image(number) for number in range(3)))
    room.say("and these", media=tuple(image(number) for number in range(3, 6)))
    room.run()
    assert room.pictures() == MOST_PICTURES
    assert room.texts() == ["Understood.\n\nI can look at 4 pictures at a time. Please send me the others again."]


def test_a_voice_message_is_read_by_the_model_as_its_words() -> None:
    listener = Stenographer("Where is my order?")
    room = SeeingRoom(listener)
    room.channel.shelf["v1"] = VOICE
    room.say("", media=(voice(),))
    room.run()
    assert "Where is my order?" in room.asked()[-1]
    assert listener.heard == [(VOICE.content, "audio/ogg")]
    room.say("Thanks")
    room.run()
    assert any("[voice message] Where is my order?" in words for words in room.asked())


def test_what_the_platform_has_written_down_already_is_not_asked_for_again() -> None:
    listener = Stenographer()
    room = SeeingRoom(listener)
    room.say("Where is my order?", media=(voice(),))
    room.run()
    assert room.texts() == ["Understood."]
    assert not room.channel.fetched


@pytest.mark.parametrize("said", ["", "  ", ModelBusy("all are busy")])
def test_a_voice_message_that_nobody_understood_is_asked_for_in_words(said: str | Exception) -> None:
    room = SeeingRoom(Stenographer(said))
    room.channel.shelf["v1"] = VOICE
    room.say("", media=(voice(),))
    room.run()
    assert room.texts() == [ONLY_TEXT]


def test_without_a_listener_a_voice_message_is_asked_for_in_words() -> None:
    room = SeeingRoom()
    room.say("", media=(voice(),))
    room.run()
    assert room.texts() == [ONLY_TEXT]
    assert not room.channel.fetched


def test_nothing_is_fetched_twice_when_more_arrives_while_the_model_thinks() -> None:
    listener = Stenographer("one", "two")
    room = SeeingRoom(listener)
    room.channel.shelf |= {"p1": JPEG, "v1": VOICE, "v2": VOICE}
    room.say("", media=(image(), voice()))

    def think(messages: object) -> str:
        if len(room.model.asked) == 1:
            room.say("", media=(voice(2),))
        return f"answer {len(room.model.asked)}"

    room.model.reply = think
    room.run()
    assert room.texts() == ["answer 2"]
    assert sorted(room.channel.fetched) == ["p1", "v1", "v2"]
    assert len(listener.heard) == 2


def test_nothing_is_fetched_twice_when_a_stored_reply_is_sent_again() -> None:
    room = SeeingRoom()
    room.channel.shelf["p1"] = JPEG
    room.channel.outcomes.append(Refused(reason="busy", action=Action.RETRY))
    room.say("this", media=(image(),))
    room.run()
    room.clock.advance(5)
    room.run()
    assert len(room.channel.sent) == 2
    assert room.channel.fetched == ["p1"]


def test_only_so_many_turns_hold_attachments_at_once_and_words_never_wait() -> None:
    senses = Senses(sees=True, places=threading.Semaphore(1))
    rooms = [SeeingRoom() for _ in range(3)]
    inside, most, guard = 0, 0, threading.Lock()

    def think(messages: object) -> str:
        nonlocal inside, most
        with guard:
            inside, most = inside + 1, max(most, inside + 1)
        time.sleep(0.1)
        with guard:
            inside -= 1
        return "seen"

    for room in rooms:
        room.senses = senses
        room.engine = room.engine_of({"shop": room.channel})
        room.channel.shelf["p1"] = JPEG
        room.model.reply = think
        room.say("this", media=(image(),))
    threads = [threading.Thread(target=room.run) for room in rooms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert [room.texts() for room in rooms] == [["seen"]] * 3
    assert most == 1
    with senses.places:
        rooms[0].say("only words")
        rooms[0].run()
    assert rooms[0].texts() == ["seen", "seen"]
