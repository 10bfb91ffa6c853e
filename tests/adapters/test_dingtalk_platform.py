"""The channel against the whole simulated DingTalk, which was written from the sheet without looking at it."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.channel import Services
from adapters.dingtalk import DingTalk, DingTalkSettings
from adapters.dingtalk.uploads import plain_png
from adapters.errors import Malformed, Unverified
from adapters.files import MemoryFiles
from adapters.http import PlatformHttp
from adapters.surface import Content
from adapters.tokens import MemoryTokenStore
from adapters.values import (
    Action,
    Attachment,
    Choice,
    Control,
    ControlEvent,
    Delivered,
    Event,
    Message,
    Part,
    Refused,
    Reply,
    Request,
    StatusUpdate,
    reply_key,
)
from bot.sandbox.dingtalk import DingTalkPlatform
from tests.fakes import Answer, Call, RecordingServer

FILES = {"price.pdf": b"%PDF-1.7 x", "photo.png": plain_png(8, 8)}


class Bot:
    """A channel behind a webhook, as an edge would have it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.channel: DingTalk | None = None
        self.http = RecordingServer(self._received)

    def _received(self, call: Call) -> Answer:
        assert self.channel is not None
        request = Request(
            method=call.method,
            path=call.path,
            query=call.query,
            headers=call.headers,
            body=call.body,
            received_at=datetime.now(UTC),
            endpoint=call.path.removeprefix("/webhooks/ding").lstrip("/"),
        )
        try:
            self.channel.verify(request)
            events = self.channel.parse(request)
        except Unverified as error:
            return Answer(status=error.status)
        except Malformed:
            return Answer(status=400)
        self.events.extend(events)
        return Answer(body=self.channel.answer(request, events).body)

    def messages(self) -> list[Message]:
        return [event for event in self.events if isinstance(event, Message)]


@pytest.fixture
def bot() -> Iterator[Bot]:
    bot = Bot()
    with bot.http:
        yield bot


@pytest.fixture
def platform(bot: Bot) -> Iterator[DingTalkPlatform]:
    with DingTalkPlatform(webhook_url=f"{bot.http.url}/webhooks/ding", strangers=False) as platform:
        yield platform
        assert platform.breaches == []


@pytest.fixture
def channel(bot: Bot, platform: DingTalkPlatform) -> Iterator[DingTalk]:
    yield from connected(bot, platform)


def connected(bot: Bot, platform: DingTalkPlatform, **settings: Any) -> Iterator[DingTalk]:
    values = DingTalkSettings(
        **{
            "platform": "dingtalk",
            "client_id": platform.client_id,
            "client_secret": platform.client_secret,
            "corp_id": platform.corp_id,
            "api_base": platform.url,
            "oapi_base": platform.url,
            "card_template_id": "answers.schema",
            "card_key": "content",
            "choice_template_id": "choices.schema",
            "card_route_key": "kit",
            "card_secret": platform.card_secret,
            "token": platform.event_token,
            "aes_key": platform.event_aes_key,
            **settings,
        }
    )
    http = PlatformHttp(total=timedelta(seconds=5))
    services = Services(
        http=http, tokens=MemoryTokenStore(), now=lambda: datetime.now(UTC), files=MemoryFiles(FILES)
    )
    bot.channel = DingTalk("ding", values, services)
    yield bot.channel
    http.close()


def reply(message: Message, *parts: Part) -> Reply:
    return Reply(key=reply_key(message), conversation=message.conversation, parts=parts, route=message.route)


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def sent(platform: DingTalkPlatform) -> list[str]:
    return [each.text for each in platform.replies()]


def asked(bot: Bot, platform: DingTalkPlatform, **said: Any) -> Message:
    assert platform.say("在吗", **said).status == 200
    return bot.messages()[-1]


def test_people_groups_and_guests_are_answered(bot: Bot, platform: DingTalkPlatform, channel: DingTalk) -> None:
    for place in ({}, {"group": "cidG1=="}, {"group": "cidG2==", "guest": True, "user": "guest9"}):
        message = asked(bot, platform, **place)
        assert isinstance(channel.send(reply(message, Part(text="**在**")), 0), Delivered)
    assert len(sent(platform)) == 3
    platform.expire_sessions()
    message = asked(bot, platform)
    platform.expire_sessions()
    assert isinstance(channel.send(reply(message, Part(text="还在")), 0), Delivered)


def test_an_answer_grows_in_a_card(bot: Bot, platform: DingTalkPlatform, channel: DingTalk) -> None:
    message = asked(bot, platform)
    growing = channel.writing([message], reply_key(message))
    assert growing is not None
    growing.show("您好，")
    until(lambda: [card.variables["content"] for card in platform.cards.cards.values()] == ["您好，"])
    growing.end()
    platform.cards.busy_finals = 1
    whole = reply(message, Part(text="您好，**王芳**。"))
    refused = channel.send(whole, 0)
    assert isinstance(refused, Refused)
    assert refused.action is Action.RETRY
    assert isinstance(channel.send(whole, 0), Delivered)
    card = platform.cards.cards[reply_key(message)]
    assert (card.state, card.variables["content"]) == ("finished", "您好，**王芳**。")
    assert sent(platform) == ["您好，**王芳**。"]


def test_a_card_that_was_not_delivered_gives_way(bot: Bot, platform: DingTalkPlatform, channel: DingTalk) -> None:
    platform.cards.fails_delivery = True
    message = asked(bot, platform)
    growing = channel.writing([message], reply_key(message))
    assert growing is not None
    growing.show("您好")
    until(lambda: platform.cards.cards)
    growing.end()
    assert isinstance(channel.send(reply(message, Part(text="您好。")), 0), Delivered)
    assert sent(platform) == ["您好。"]


@pytest.mark.parametrize("group", ["", "cidG1=="])
def test_a_tap_says_its_title(bot: Bot, platform: DingTalkPlatform, channel: DingTalk, group: str) -> None:
    message = asked(bot, platform, group=group)
    content = Content(markdown="哪个颜色？", choices=(Choice(id="r", title="红"), Choice(id="b", title="蓝")))
    assert isinstance(channel.send(reply(message, *channel.parts(content)), 0), Delivered)
    (track,) = platform.cards.cards
    tapped = platform.tap(track, "2", user="manager4220")
    assert tapped.status == 200
    assert json.loads(tapped.body)["cardData"]["cardParamMap"] == {"chosen": "蓝"}
    assert bot.messages()[-1].text == "蓝"
    assert bot.messages()[-1].conversation == message.conversation


def test_events_are_opened_and_answered(bot: Bot, platform: DingTalkPlatform, channel: DingTalk) -> None:
    assert platform.verify().status == 200
    message = asked(bot, platform, session_webhook=False)
    outcome = channel.send(reply(message, Part(text="在")), 0)
    assert isinstance(outcome, Delivered)
    read = {
        "EventType": "robot_msg_read",
        "CorpId": platform.corp_id,
        "RobotCode": platform.robot_code,
        "eventId": "e1",
        "ProcessQueryKey": outcome.platform_id,
    }
    assert platform.event(read).status == 200
    update = bot.events[-1]
    assert isinstance(update, StatusUpdate)
    assert update.platform_id == outcome.platform_id


def test_files_go_out(bot: Bot, platform: DingTalkPlatform, channel: DingTalk) -> None:
    for webhook in (True, False):
        message = asked(bot, platform, session_webhook=webhook)
        for kind, file in (("image", "photo.png"), ("document", "price.pdf")):
            part = Part(text="", attachment=Attachment(kind=kind, file=file))
            assert isinstance(channel.send(reply(message, part), 0), Delivered)


@pytest.mark.parametrize("kind", ["picture", "file", "audio", "video"])
def test_files_come_in(bot: Bot, platform: DingTalkPlatform, channel: DingTalk, kind: str) -> None:
    if kind not in platform.kinds:
        pytest.fail(f"the simulator has {sorted(platform.kinds)}")
    assert platform.write(kind).status == 200
    message = bot.messages()[-1]
    (media,) = message.media
    assert channel.fetch(media, message).content


def test_everything_that_the_simulator_can_write_is_understood(
    bot: Bot, platform: DingTalkPlatform, channel: DingTalk
) -> None:
    for kind in platform.kinds:
        before = len(bot.events)
        assert platform.write(kind).status == 200, kind
        assert len(bot.events) == before + 1, kind


def test_spent_quotas_are_told_from_each_other(bot: Bot, platform: DingTalkPlatform, channel: DingTalk) -> None:
    message = asked(bot, platform)
    platform.quotas.webhook_messages = 1
    outcomes = [channel.send(reply(message, Part(text=f"{n}")), 0) for n in range(3)]
    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    platform.quotas.api_calls = 1
    refused = channel.send(reply(message, Part(text="x")), 0)
    assert isinstance(refused, Refused)
    assert refused.account


def test_the_check_holds_against_the_simulator(bot: Bot, platform: DingTalkPlatform, channel: DingTalk) -> None:
    findings = channel.check()
    assert all(finding.ok for finding in findings), findings
    platform.cards.known_templates = {"choices.schema"}
    assert [finding.what for finding in channel.check() if not finding.ok] == ["card template"]
    platform.quotas.missing_scope = "qyapi_robot_sendmsg"
    assert "qyapi_robot_sendmsg" in next(each.next_step for each in channel.check() if not each.ok)


def test_the_stream_brings_messages_taps_and_events(bot: Bot, platform: DingTalkPlatform) -> None:
    for channel in connected(bot, platform, mode="stream"):
        connection = channel.connection()
        assert connection is not None
        stop = threading.Event()
        thread = threading.Thread(target=connection.run, args=(bot.events.extend, stop))
        thread.start()
        try:
            until(lambda: platform.gateway.connections)
            platform.streams = True
            message = asked(bot, platform)
            content = Content(markdown="哪个？", choices=(Choice(id="r", title="红"),))
            assert isinstance(channel.send(reply(message, *channel.parts(content)), 0), Delivered)
            (track,) = platform.cards.cards
            assert platform.tap(track, "1").status == 200
            assert bot.messages()[-1].text == "红"
            platform.gateway.ping()
            platform.gateway.disconnect()
            until(lambda: platform.gateway.connections == 2)
            platform.gateway.cut()
            until(lambda: not platform.gateway.connections)
            until(lambda: platform.gateway.connections)
            assert platform.say("还在吗").status == 200
            assert not [
                each
                for each in bot.events
                if isinstance(each, ControlEvent) and each.what == Control.ACCOUNT_BLOCKED
            ]
        finally:
            stop.set()
            thread.join()
