"""The adapter and the simulated platform were written apart, from the same sheet: here each judges the other."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.errors import MediaLost
from adapters.files import MemoryFiles
from adapters.surface import Content
from adapters.values import Attachment, Choice, ControlEvent, Delivered, Event, Message, Outcome, Part, Request
from adapters.wecom_aibot import WeComAiBot
from bot.sandbox.simulator.media import PNG
from bot.sandbox.wecom import WeComAiBotPlatform
from tests.adapters.aibot_kit import Desk, reply_to
from tests.adapters.aibot_socket import Inbox, connected
from tests.fakes import Answer, Call
from tests.sandbox.bots import recording_bot, wait_until

OPERATORS = MemoryFiles({"plan.png": PNG})
CHOICES = (Choice(id="yes", title="是的"), Choice(id="no", title="不用了"))


class Web:
    """A web process: verifies, parses, keeps, answers. A worker is `worker`, called for each message once."""

    def __init__(self) -> None:
        self.bot: WeComAiBot | None = None
        self.kept: dict[str, Message] = {}
        self.controls: list[ControlEvent] = []
        self.worker: Callable[[Message], object] = lambda _message: None

    def __call__(self, call: Call) -> Answer:
        assert self.bot is not None
        request = Request(
            method=call.method,
            path=call.path,
            query=call.query,
            headers=call.headers,
            body=call.body,
            received_at=datetime.now(UTC),
        )
        self.bot.verify(request)
        events = self.bot.parse(request)
        answer = self.bot.answer(request, events)
        self._keep(events)
        return Answer(status=answer.status, body=answer.body, headers={"Content-Type": answer.content_type})

    def _keep(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, ControlEvent):
                self.controls.append(event)
            elif isinstance(event, Message) and event.key not in self.kept:
                self.kept[event.key] = event
                self.worker(event)

    @property
    def message(self) -> Message:
        return list(self.kept.values())[-1]


@pytest.fixture
def web() -> Web:
    return Web()


@pytest.fixture
def platform(web: Web) -> Iterator[WeComAiBotPlatform]:
    with recording_bot(web) as server, WeComAiBotPlatform(webhook_url=server.url, strangers=False) as fake:
        fake.poll_every = timedelta(seconds=0.05)
        yield fake
        assert fake.breaches == []


def desk_of(platform: WeComAiBotPlatform, web: Web, **settings: Any) -> Desk:
    given = {
        "bot_id": platform.bot_id,
        "token": platform.token,
        "encoding_aes_key": platform.encoding_aes_key,
        "api_base": platform.url,
        **settings,
    }
    desk = Desk(settings=given, files=OPERATORS)
    desk.clock.now = datetime.now(UTC)
    web.bot = desk.bot
    return desk


@pytest.fixture
def desk(platform: WeComAiBotPlatform, web: Web) -> Desk:
    return desk_of(platform, web)


def answered(desk: Desk, web: Web, *parts: Part | str) -> list[Outcome]:
    reply = reply_to(web.message, parts=parts)
    return [desk.process().send(reply, index) for index in range(len(parts))]


def texts(platform: WeComAiBotPlatform) -> list[str]:
    return [sent.text for sent in platform.replies()]


def test_the_url_check_passes(platform: WeComAiBotPlatform, desk: Desk) -> None:
    assert platform.verify().error == ""


def test_an_answer_grows_and_ends(platform: WeComAiBotPlatform, desk: Desk, web: Web) -> None:
    assert platform.say("几点关门？").status == 200
    writing = desk.bot.writing([web.message], "key")
    assert writing
    writing.show("六点")
    interaction = platform.interactions[web.message.id]
    wait_until(lambda: interaction.shown == "六点")
    writing.end()
    assert all(isinstance(each, Delivered) for each in answered(desk, web, "**六点**关门。"))
    wait_until(lambda: texts(platform) == ["**六点**关门。"])
    assert interaction.finished


@pytest.mark.parametrize(
    ("kind", "text"),
    [("mixed", "这个坏了"), ("voice", "我的包裹在哪里"), ("quoted", "这个呢"), ("image", ""), ("file", "")],
)
def test_each_kind_is_read(platform: WeComAiBotPlatform, desk: Desk, web: Web, kind: str, text: str) -> None:
    assert platform.write(kind).status == 200
    assert web.message.text == text
    for media in web.message.media:
        assert desk.bot.fetch(media, web.message).content == PNG
    assert bool(web.message.media) == (kind in ("mixed", "image", "file"))
    answered(desk, web, "好的")
    wait_until(lambda: texts(platform) == ["好的"])


def test_a_file_is_gone_after_five_minutes(platform: WeComAiBotPlatform, desk: Desk, web: Web) -> None:
    platform.write("image")
    answered(desk, web, "好的")
    platform.clock.advance(timedelta(minutes=6))
    with pytest.raises(MediaLost):
        desk.bot.fetch(web.message.media[0], web.message)


def test_in_a_group_the_name_is_taken_off(platform: WeComAiBotPlatform, desk: Desk, web: Web) -> None:
    platform.say("hello", group="wrkSandboxGroup01")
    assert web.message.text == "hello"
    answered(desk, web, "hi")
    wait_until(lambda: texts(platform) == ["hi"])


def test_a_tap_on_a_button_is_answered(platform: WeComAiBotPlatform, desk: Desk, web: Web) -> None:
    platform.say("退货")
    answered(desk, web, *desk.bot.parts(Content(markdown="要退货吗？", choices=CHOICES)))
    wait_until(lambda: texts(platform) == ["要退货吗？"])
    (sent,) = platform.replies()
    assert [choice.title for choice in sent.choices] == ["是的", "不用了"]
    assert platform.tap(sent.platform_id, sent.choices[0].id).status == 200
    assert web.message.text == "是的"
    assert all(isinstance(each, Delivered) for each in answered(desk, web, "已退货"))
    assert texts(platform)[-1] == "已退货"


def test_an_image_comes_with_the_end(platform: WeComAiBotPlatform, desk: Desk, web: Web) -> None:
    platform.say("where?")
    image = Attachment(kind="image", file="plan.png")
    answered(desk, web, *desk.bot.parts(Content(markdown="Here.", attachments=(image,))))
    wait_until(lambda: len(platform.replies()) == 2)
    assert [sent.media_kind for sent in platform.replies()] == ["", "image"]


def test_whoever_opens_the_chat_is_welcomed(platform: WeComAiBotPlatform, web: Web) -> None:
    desk_of(platform, web, welcome="您好！")
    assert platform.write("enter_chat").status == 200
    assert platform.write("feedback").status == 200
    assert texts(platform) == ["您好！"]
    assert [event.what for event in web.controls] == ["enter_chat", "feedback_event"]


def test_three_messages_that_are_answered_together_all_end(
    platform: WeComAiBotPlatform, desk: Desk, web: Web
) -> None:
    for number in range(3):
        assert platform.say(f"question {number}").status == 200
    messages = list(web.kept.values())
    writing = desk.bot.writing(messages, "key")
    assert writing
    writing.end()
    assert isinstance(desk.bot.send(reply_to(*messages), 0), Delivered)
    wait_until(lambda: all(each.finished for each in platform.interactions.values()))
    assert texts(platform).count("Until six.") == 1
    assert platform.say("question 4").status == 200  # only three may be open
    answered(desk, web, "four")
    wait_until(lambda: "four" in texts(platform))


def test_an_answer_that_takes_too_long_follows(platform: WeComAiBotPlatform, desk: Desk, web: Web) -> None:
    platform.say("hello")
    desk.clock.pass_(minutes=5, seconds=31)
    platform.clock.advance(timedelta(minutes=5, seconds=31))
    wait_until(lambda: len(texts(platform)) == 1)
    assert "follows" in texts(platform)[0]
    assert all(isinstance(each, Delivered) for each in answered(desk, web, "at last"))
    assert texts(platform)[1:] == ["at last"]


def test_an_unknown_stream_is_ended(platform: WeComAiBotPlatform, desk: Desk) -> None:
    platform.ask_for("unknown")
    assert platform.interactions["unknown"].finished


# ---- by long connection ----


@pytest.fixture
def wired(platform: WeComAiBotPlatform, web: Web) -> Desk:
    platform.connects = True
    secret = {"mode": "websocket", "secret": platform.secret, "ws_url": platform.socket.url, "welcome": "您好！"}
    return desk_of(platform, web, **secret)


def test_a_conversation_over_the_long_connection(platform: WeComAiBotPlatform, wired: Desk) -> None:
    inbox = Inbox()
    with connected(wired, inbox):
        wait_until(lambda: platform.socket.connected)
        platform.write("enter_chat")
        assert platform.say("hello").status == 200
        wait_until(lambda: len(inbox.messages()) == 1)
        message = inbox.messages()[0]
        writing = wired.bot.writing([message], "key")
        assert writing
        writing.show("Until")
        wait_until(lambda: platform.interactions[message.id].shown == "Until")
        writing.end()
        assert isinstance(wired.bot.send(reply_to(message), 0), Delivered)
        assert isinstance(wired.bot.send(reply_to(message), 0, again=True), Delivered)
        reminder = replace(reply_to(message, parts=["⏰"]), key="reminder")
        assert isinstance(wired.bot.send(reminder, 0), Delivered)
        platform.write("image")
        wait_until(lambda: len(inbox.messages()) == 2)
        photo = inbox.messages()[1]
        assert wired.bot.fetch(photo.media[0], photo).content == PNG
        wired.bot.send(reply_to(photo, parts=["nice"]), 0)
    assert texts(platform) == ["您好！", "Until six.", "⏰", "nice"]


def test_a_lost_acknowledgement_does_not_double_the_answer(
    platform: WeComAiBotPlatform, wired: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.wecom_aibot.by_socket.ACK", timedelta(seconds=0.3))
    inbox = Inbox()
    with connected(wired, inbox):
        wait_until(lambda: platform.socket.connected)
        platform.say("hello")
        wait_until(lambda: len(inbox.messages()) == 1)
        platform.socket.silent = True
        reply = reply_to(inbox.messages()[0])
        assert not isinstance(wired.bot.send(reply, 0), Delivered)
        platform.socket.silent = False
        wait_until(lambda: isinstance(wired.bot.send(reply, 0, again=True), Delivered))
    assert texts(platform) == ["Until six."]


def test_a_second_connection_takes_over_and_the_first_keeps_away(platform: WeComAiBotPlatform, wired: Desk) -> None:
    with connected(wired):
        wait_until(lambda: platform.socket.connected)
        with connected(wired):
            wait_until(lambda: platform.socket.subscriptions == 2)
            threading.Event().wait(0.3)
            assert platform.socket.subscriptions == 2
