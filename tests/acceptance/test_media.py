"""Pictures, voices, taps and colleagues, with real processes and the platforms' own ways of telling them."""

import time
from datetime import timedelta
from typing import Any

import pytest

from tests.acceptance.conftest import Town

pytestmark = pytest.mark.acceptance
SOON = timedelta(seconds=20)


@pytest.fixture
def seeing(town: Town) -> Town:
    """A town whose model sees and hears."""
    town.more = {
        "assistant": {"vision": True},
        "model": {"transcription": {"url": town.model.url, "name": "whisper"}},
    }
    town.start()
    return town


def pictures(body: dict[str, Any]) -> list[str]:
    """The data URLs that a request to the model showed."""
    return [
        part["image_url"]["url"]
        for message in body["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
        if part["type"] == "image_url"
    ]


@pytest.mark.parametrize("name", ["wa", "corp", "ding"])
def test_a_picture_is_fetched_by_the_worker_and_shown_to_the_model(seeing: Town, name: str) -> None:
    seeing.model.reply = "That is a shoe."
    platform = seeing.platforms[name]
    platform.write({"ding": "picture"}.get(name, "image"))
    (reply,) = platform.wait_for_replies(1, SOON)
    assert reply.text == "That is a shoe."
    (request,) = seeing.model.requests
    (shown,) = pictures(request)
    assert shown.startswith("data:image/")


def test_a_voice_message_is_written_down_and_answered(seeing: Town) -> None:
    seeing.model.transcript = "Where is parcel 4471?"
    seeing.whatsapp.write("audio")
    seeing.whatsapp.wait_for_replies(1, SOON)
    (request,) = seeing.model.requests
    assert "Where is parcel 4471?" in str(request["messages"][-1]["content"])
    assert "4471" not in seeing.log()


def test_without_eyes_the_customer_is_asked_to_write_and_nothing_is_fetched(town: Town) -> None:
    town.start()
    town.whatsapp.write("image", caption="")
    (reply,) = town.whatsapp.wait_for_replies(1, SOON)
    assert "only read text" in reply.text
    assert town.model.requests == []


def test_a_colleague_who_answers_silences_the_bot(town: Town) -> None:
    town.start()
    town.whatsapp.say("hello")
    town.whatsapp.wait_for_replies(1, SOON)
    asked = len(town.model.requests)
    assert town.whatsapp.echo("I will take this one.").status == 200
    town.whatsapp.say("My order is 4471.")
    end = time.monotonic() + 10
    while '"outcome": "human_owns"' not in town.log():
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(0.5)
    assert len(town.whatsapp.replies()) == 1
    assert len(town.model.requests) == asked
    assert town.frontdesk("deadletter", "list").stdout.strip() == "no dead letters"
