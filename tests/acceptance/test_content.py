"""Answers that are more than text, with real processes: a file of the FAQ, and choices that are tapped or typed."""

from datetime import timedelta

import pytest

from tests.acceptance.conftest import Town

pytestmark = pytest.mark.acceptance
PDF = b"%PDF-1.7\nthe prices of the test shop 4471"
FAQ = 'question,answer\nWhat does it cost?,"All prices are in our [price list](file:prices.pdf)."\n'
SOON = timedelta(seconds=20)


@pytest.fixture
def shop(town: Town) -> Town:
    files = town.folder / "var" / "files"
    files.mkdir(parents=True)
    (files / "prices.pdf").write_bytes(PDF)
    town.faq = FAQ
    return town


def reached(calls: list[bytes]) -> bool:
    return any(PDF in body for body in calls)


def test_a_file_that_the_faq_names_reaches_the_customer_without_any_model(shop: Town) -> None:
    shop.model.stop()
    shop.start()
    shop.whatsapp.say("What does it cost?")
    (reply,) = shop.whatsapp.wait_for_replies(1, SOON)
    assert "All prices are in our price list." in reply.text
    assert reached([call.body for call in shop.whatsapp.calls])


@pytest.mark.parametrize("name", ["corp", "ding"])
def test_a_file_that_the_model_passes_on_reaches_the_customer(shop: Town, name: str) -> None:
    shop.model.reply = "Have a look: [price list](file:prices.pdf)"
    shop.start()
    platform = shop.platforms[name]
    platform.say("What does it cost?")
    replies = platform.wait_for_replies(2, SOON)
    assert replies[0].text == "Have a look: price list"
    assert reached([call.body for call in platform.calls])


def test_a_file_that_the_model_made_up_is_not_sent(shop: Town) -> None:
    (shop.folder / "var" / "files" / "salaries.pdf").write_bytes(PDF)
    shop.model.reply = "Have a look: [salaries](file:salaries.pdf)"
    shop.start()
    shop.whatsapp.say("What does it cost?")
    shop.whatsapp.wait_for_replies(1, SOON)
    assert not reached([call.body for call in shop.whatsapp.calls])
