"""Webhooks that misbehave on purpose, and the red lines of bots that take them."""

from collections.abc import Iterator

import pytest
import requests

from bot.sandbox.simulator.mischief import Mischief
from bot.sandbox.whatsapp import WhatsAppPlatform
from tests.fakes import Answer, RecordingServer
from tests.sandbox.bots import recording_bot, wait_until


@pytest.fixture
def bot() -> Iterator[RecordingServer]:
    with recording_bot() as server:
        yield server


@pytest.fixture
def platform(bot: RecordingServer) -> Iterator[WhatsAppPlatform]:
    with WhatsAppPlatform(webhook_url=bot.url) as started:
        yield started


def test_a_duplicate_is_posted_twice_with_one_id(platform: WhatsAppPlatform, bot: RecordingServer) -> None:
    platform.mischief.add(Mischief.DUPLICATE)
    platform.say("Hi", message_id="wamid.1")
    wait_until(lambda: len(bot.calls) == 2)
    assert all(b"wamid.1" in call.body for call in bot.calls)


def test_a_held_message_goes_out_behind_the_next(platform: WhatsAppPlatform, bot: RecordingServer) -> None:
    platform.mischief.add(Mischief.HELD)
    assert platform.say("first").error == "held back by mischief"
    platform.say("second")
    assert [b"second" in call.body for call in bot.calls] == [True, False]


def test_mischief_is_over_after_its_one_webhook(platform: WhatsAppPlatform, bot: RecordingServer) -> None:
    platform.mischief.add(Mischief.DUPLICATE)
    platform.mischief.clear()
    platform.say("Hi")
    assert len(bot.calls) == 1


def test_a_webhook_without_an_answer_of_200_is_a_red_line(platform: WhatsAppPlatform, bot: RecordingServer) -> None:
    bot.faults.append(Answer(status=500))
    platform.say("Hi")
    platform.say("Hello?")
    assert [breach.rule for breach in platform.breaches] == ["webhook_not_acknowledged"]


def test_a_call_to_nowhere_is_a_red_line(platform: WhatsAppPlatform) -> None:
    requests.get(f"{platform.url}/nowhere", timeout=5)
    assert [breach.rule for breach in platform.breaches] == ["unknown_endpoint"]
