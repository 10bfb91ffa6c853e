"""Pictures, voices, taps and colleagues, with real processes and the platforms' own ways of telling them."""

import time
from collections.abc import Iterator

import pytest

from bot.sandbox.model_parts import pictures, words
from bot.sandbox.simulator.media import PNG
from tests.acceptance.conftest import SOON, Town, built, customer

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A town whose model sees and hears."""
    with built(tmp_path_factory.mktemp("town"), PICTURES) as town:
        town.more = {
            "assistant": {"vision": True},
            "model": {"transcription": {"url": town.model.url, "name": "whisper"}},
        }
        town.start()
        yield town


PICTURES = ("wa", "corp", "aibot", "kf", "ding")
VOICES = ("wa", "corp", "kf", "ding")
"""Where a recording itself comes in: an AI bot gets its words."""


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_fetched_by_the_worker_and_shown_to_the_model(seeing: Town, name: str) -> None:
    seeing.model.reply = "That is a shoe."
    platform, user = seeing.platforms[name], customer(name, 1)
    asked = len(seeing.model.requests)
    assert platform.write({"ding": "picture"}.get(name, "image"), user=user).status == 200
    (reply,) = platform.wait_for_replies(1, SOON, user=user)
    assert reply.text == "That is a shoe."
    (request,) = seeing.model.requests[asked:]
    assert [(each.mime, each.content) for each in pictures(request)] == [("image/png", PNG)]
    assert platform.breaches == []


@pytest.mark.parametrize("name", VOICES)
def test_a_voice_message_is_written_down_and_answered(seeing: Town, name: str) -> None:
    """DingTalk often sends the words that it recognised itself; here it did not."""
    seeing.model.transcript = "Where is parcel 4471?"
    platform, user = seeing.platforms[name], customer(name, 2)
    asked = len(seeing.model.requests)
    kind, fields = {"wa": ("audio", {}), "ding": ("audio", {"recognition": ""})}.get(name, ("voice", {}))
    assert platform.write(kind, user=user, **fields).status == 200
    platform.wait_for_replies(1, SOON, user=user)
    (request,) = seeing.model.requests[asked:]
    assert "Where is parcel 4471?" in words(request["messages"][-1])
    assert "4471" not in seeing.log()
    assert platform.breaches == []


def test_without_eyes_the_customer_is_asked_to_write_and_nothing_is_fetched(town: Town) -> None:
    town.names = ("wa",)
    town.start()
    town.whatsapp.write("image", caption="")
    (reply,) = town.whatsapp.wait_for_replies(1, SOON)
    assert "only read text" in reply.text
    assert town.model.requests == []


def test_a_colleague_who_answers_silences_the_bot(town: Town) -> None:
    town.names = ("wa",)
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
