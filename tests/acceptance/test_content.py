"""Answers that are more than text, with real processes: a file of the FAQ, and choices that are tapped or typed."""

import time

import pytest

from tests.acceptance.conftest import NAMES, SOON, Platform, Town

pytestmark = pytest.mark.acceptance
PDF = b"%PDF-1.7\nthe prices of the test shop 4471"
FAQ = 'question,answer\nWhat does it cost?,"All prices are in our [price list](file:prices.pdf)."\n'


@pytest.fixture
def shop(town: Town) -> Town:
    files = town.folder / "var" / "files"
    files.mkdir(parents=True)
    (files / "prices.pdf").write_bytes(PDF)
    town.faq = FAQ
    return town


def delivered(platform: Platform) -> list[bytes]:
    """The files that the customer has."""
    media = [reply.media for reply in platform.replies() if reply.media]
    return [file.content for file in map(platform.shelf.get, media) if file]


CARRIERS = ("wa", "corp", "kf", "ding")
"""Whose customers get files; the others' read a file's name."""


@pytest.mark.parametrize("asked", ["faq", "model"])
def test_a_file_that_the_faq_names_reaches_the_customers(shop: Town, asked: str) -> None:
    """From the FAQ alone while no model is there, or passed on by the model."""
    if asked == "faq":
        shop.model.stop()
    shop.model.reply = "All prices are in our [price list](file:prices.pdf)."
    shop.start()
    for platform in shop.platforms.values():
        assert platform.say("What does it cost?").status == 200
    for name, platform in shop.platforms.items():
        platform.wait_for_replies(2 if name in CARRIERS[1:] else 1, SOON)
        assert "All prices are in our price list." in platform.replies()[0].text
    time.sleep(1)
    files = {name: delivered(platform) for name, platform in shop.platforms.items()}
    assert files == {name: [PDF] if name in CARRIERS else [] for name in NAMES}
    for name in set(NAMES) - set(CARRIERS):
        assert "price list.pdf" in " ".join(reply.text for reply in shop.platforms[name].replies())
    assert [breach for platform in shop.platforms.values() for breach in platform.breaches] == []


def test_a_file_that_the_model_made_up_is_not_sent(shop: Town) -> None:
    shop.names = ("wa",)
    (shop.folder / "var" / "files" / "salaries.pdf").write_bytes(PDF)
    shop.model.reply = "Have a look: [salaries](file:salaries.pdf)"
    shop.start()
    shop.whatsapp.say("What does it cost?")
    shop.whatsapp.wait_for_replies(1, SOON)
    assert delivered(shop.whatsapp) == []
    assert not any(PDF in call.body for call in shop.whatsapp.calls)
