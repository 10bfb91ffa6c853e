"""The fake Telegram verifies a bot as the real one does; our own channel is the other side of it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from adapters.channel import Services
from adapters.http import PlatformHttp
from adapters.telegram import Telegram, TelegramSettings
from adapters.tokens import MemoryTokenStore
from adapters.values import Action, Delivered, Message, Outcome, Part, Refused, Reply, Request, reply_key
from bot.sandbox import telegram_html
from bot.sandbox.telegram import TelegramPlatform
from tests.fakes import Answer, Call, RecordingServer
from tests.sandbox.bots import recording_bot, wait_until

USER = "5200000000123"
GROUP = "-1002000000789"


@pytest.fixture
def bot() -> Iterator[RecordingServer]:
    with recording_bot() as server:
        yield server


@pytest.fixture
def platform(bot: RecordingServer) -> Iterator[TelegramPlatform]:
    with TelegramPlatform(webhook_url=f"{bot.url}/webhooks/telegram", strangers=False) as fake:
        yield fake


@pytest.fixture
def channel(platform: TelegramPlatform) -> Iterator[Telegram]:
    http = PlatformHttp()
    settings = TelegramSettings(
        platform="telegram",
        bot_token=platform.bot_token,
        webhook_secret=platform.webhook_secret,
        username=platform.username,
        api_base=platform.url,
    )
    yield Telegram(
        "telegram", settings, Services(http=http, tokens=MemoryTokenStore(), now=lambda: datetime.now(UTC))
    )
    http.close()


def received(channel: Telegram, call: Call) -> list[Message]:
    request = Request(
        method=call.method,
        path=call.path,
        query=call.query,
        headers=call.headers,
        body=call.body,
        received_at=datetime.now(UTC),
    )
    channel.verify(request)
    return [event for event in channel.parse(request) if isinstance(event, Message)]


def answered(channel: Telegram, call: Call, markdown: str = "**Yes** & no") -> Outcome:
    """The outcome of answering the one message in *call*."""
    (message,) = received(channel, call)
    parts = tuple(Part(text=text) for text in channel.compose(markdown))
    reply = Reply(key=reply_key(message), conversation=message.conversation, parts=parts, route=message.route)
    return channel.send(reply, 0)


def send(platform: TelegramPlatform, **changes: Any) -> dict[str, Any]:
    body = {"chat_id": int(USER), "text": "hi", **changes}
    found: dict[str, Any] = requests.post(
        f"{platform.url}/bot{platform.bot_token}/sendMessage", json=body, timeout=10
    ).json()
    return found


def test_a_message_is_read_and_its_reply_shown(
    platform: TelegramPlatform, bot: RecordingServer, channel: Telegram
) -> None:
    platform.say("Où est mon colis ? 📦", user=USER)
    (message,) = received(channel, bot.calls[0])
    assert (message.text, message.sender) == ("Où est mon colis ? 📦", USER)
    assert isinstance(answered(channel, bot.calls[0]), Delivered)
    assert [(reply.to, reply.text) for reply in platform.replies()] == [(USER, "Yes & no")]


def test_a_group_is_answered_where_the_bot_is_mentioned(
    platform: TelegramPlatform, bot: RecordingServer, channel: Telegram
) -> None:
    platform.say("open today?", user=USER, group=GROUP)
    platform.say("not for the bot", user=USER, group=GROUP, mention=False)
    assert [message.text for message in received(channel, bot.calls[0])] == ["open today?"]
    assert received(channel, bot.calls[1]) == []
    answered(channel, bot.calls[0])
    assert [reply.to for reply in platform.replies()] == [GROUP]


def test_a_redelivery_is_the_same_update(platform: TelegramPlatform, bot: RecordingServer) -> None:
    platform.redeliver(platform.say("hi").message_id)
    assert bot.calls[0].body == bot.calls[1].body


def test_a_platform_that_is_started_anew_repeats_no_number(
    platform: TelegramPlatform, bot: RecordingServer, channel: Telegram
) -> None:
    platform.say("before")
    with TelegramPlatform(webhook_url=platform.webhook_url) as another:
        another.say("after")
    keys = {received(channel, call)[0].key for call in bot.calls}
    assert len(keys) == 2


def test_an_update_comes_again_until_it_is_answered(platform: TelegramPlatform, bot: RecordingServer) -> None:
    platform.redelivers, platform.speed = True, 100.0
    bot.faults.extend([Answer(status=500)] * 2)
    platform.say("hi")
    wait_until(lambda: len(bot.calls) == 3)


def test_a_blocked_bot_is_refused_for_good(
    platform: TelegramPlatform, bot: RecordingServer, channel: Telegram
) -> None:
    platform.say("hi", user=USER)
    platform.blocked.add(USER)
    outcome = answered(channel, bot.calls[0])
    assert isinstance(outcome, Refused)
    assert outcome.code == "403 bot was blocked by the user"


def test_a_group_that_moved_is_followed(
    platform: TelegramPlatform, bot: RecordingServer, channel: Telegram
) -> None:
    platform.say("hi", user=USER, group="-4000000001")
    platform.moved["-4000000001"] = GROUP
    assert isinstance(answered(channel, bot.calls[0]), Delivered)
    assert [reply.to for reply in platform.replies()] == [GROUP]


def test_too_many_messages_are_refused_with_a_wait(
    platform: TelegramPlatform, bot: RecordingServer, channel: Telegram
) -> None:
    platform.limits = True
    platform.say("hi", user=USER)
    refused = [each for each in (answered(channel, bot.calls[0]) for _ in range(8)) if isinstance(each, Refused)]
    assert refused
    assert {(each.action, each.retry_after) for each in refused} == {(Action.RETRY, timedelta(seconds=2))}


def test_typing_is_a_sign_in_the_chat(platform: TelegramPlatform, bot: RecordingServer, channel: Telegram) -> None:
    platform.say("hi", user=USER)
    channel.turn_started(received(channel, bot.calls[0])[0])
    assert [call.endpoint for call in platform.calls] == ["typing"]
    assert platform.calls[0].status == 200


def test_a_working_configuration_is_found_to_work(platform: TelegramPlatform, channel: Telegram) -> None:
    assert all(finding.ok for finding in channel.check())
    platform.forget_tokens()
    assert not any(finding.ok for finding in channel.check())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"text": ""}, "message text is empty"),
        ({"text": "<b></b>", "parse_mode": "HTML"}, "message text is empty"),
        ({"text": "x" * 4097}, "message is too long"),
        ({"text": "🙂" * 2049}, "message is too long"),
        ({"text": "<b>x", "parse_mode": "HTML"}, "can't parse entities"),
        ({"text": "<b>x</i>", "parse_mode": "HTML"}, "can't parse entities"),
        ({"text": "<p>x</p>", "parse_mode": "HTML"}, "can't parse entities"),
        ({"text": "1 < 2", "parse_mode": "HTML"}, "can't parse entities"),
        ({"chat_id": 1}, "chat not found"),
    ],
)
def test_a_wrong_message_is_refused(platform: TelegramPlatform, changes: dict[str, Any], said: str) -> None:
    platform.say("hi", user=USER)
    answer = send(platform, **changes)
    assert (answer["ok"], answer["error_code"]) == (False, 400)
    assert said in answer["description"]
    assert platform.replies() == []


def test_tags_do_not_count(platform: TelegramPlatform) -> None:
    platform.say("hi", user=USER)
    assert send(platform, text=f"<b>{'x' * 4096}</b>", parse_mode="HTML")["ok"] is True


def test_a_wrong_token_has_no_address(platform: TelegramPlatform) -> None:
    answer = requests.post(f"{platform.url}/bot1:wrong/getMe", json={}, timeout=10)
    assert answer.status_code == 404


def test_everything_that_our_dialect_writes_is_parsed(channel: Telegram) -> None:
    markdown = (
        "# T & t\n\n- **a < b**\n- *[l & m](https://e.example/?a=1&b=2)*\n\n```\nx < 1 && y\n```\n\n~~s~~ `c`"
    )
    (text,) = channel.compose(markdown)
    assert telegram_html.shown(text) == "T & t\n\n- a < b\n- l & m\n\nx < 1 && y\n\ns c"
