"""The main job, as a customer and an operator meet it: one webhook in, one right answer out."""

import itertools
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from bot.sandbox.model_parts import words
from bot.sandbox.simulator.faults import Fault
from bot.sandbox.simulator.journal import SentMessage
from tests.acceptance.conftest import NAMES, SOON, Platform, Town, built, customer

pytestmark = pytest.mark.acceptance
NUMBERS = itertools.count(1)
BUSY = {"wa": "rate", "corp": "busy", "kf": "busy", "ding": "rate", "feishu": "rate", "telegram": "rate"}
"""How each platform says that it cannot take a message just now. The AI bot's comes for its answers itself."""


def users_words(body: dict[str, Any]) -> str:
    return "\n".join(words(message) for message in body["messages"] if message["role"] == "user")


def counted(body: dict[str, Any]) -> str:
    return f"I heard {users_words(body).count('#')} numbers."


class Talk:
    """One customer of the running town, whom no other test knows."""

    def __init__(self, town: Town, name: str) -> None:
        self.town = town
        self.platform: Platform = town.platforms[name]
        self.number = next(NUMBERS)
        self.user = customer(name, self.number)

    def say(self, text: str) -> str:
        """The message's id."""
        delivery = self.platform.say(f"{text} ({self.user})", user=self.user)
        assert delivery.status == 200, delivery
        return delivery.message_id

    def wait(self, count: int) -> list[SentMessage]:
        return self.platform.wait_for_replies(count, SOON, user=self.user)

    def texts(self) -> list[str]:
        return [reply.text for reply in self.platform.replies(self.user)]

    def questions(self) -> int:
        """How often the model was asked for this customer."""
        return sum(self.user in users_words(body) for body in self.town.model.requests)


@pytest.fixture(scope="module")
def open_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """All seven channels at work, for the tests of this file that leave them so."""
    with built(tmp_path_factory.mktemp("town")) as town:
        town.model.reply = counted
        town.start()
        yield town


@pytest.fixture(params=NAMES)
def talk(open_town: Town, request: pytest.FixtureRequest) -> Iterator[Talk]:
    talk = Talk(open_town, request.param)
    yield talk
    assert talk.platform.breaches == []
    assert talk.platform.faults.waiting() == {}


def test_a_webhook_gets_exactly_one_correct_reply(talk: Talk) -> None:
    talk.say("Where is my order #4471?")
    talk.wait(1)
    time.sleep(0.5)
    assert talk.texts() == ["I heard 1 numbers."]


def test_a_second_message_is_answered_with_the_first_in_the_context(talk: Talk) -> None:
    talk.say("My order is #4471.")
    talk.wait(1)
    talk.say("And another one is #4472.")
    talk.wait(2)
    assert talk.texts() == ["I heard 1 numbers.", "I heard 2 numbers."]


def test_a_redelivery_is_not_answered(talk: Talk) -> None:
    message_id = talk.say("Where is my order?")
    talk.wait(1)
    for _ in range(3):
        assert talk.platform.redeliver(message_id).status == 200
    time.sleep(1)
    assert len(talk.texts()) == 1
    assert talk.questions() == 1


def test_three_quick_messages_get_one_answer_that_saw_all_three(talk: Talk) -> None:
    """An AI bot's other two streams end as well: they say that the answer stands below."""
    talk.town.model.delay = 0.5
    try:
        for number in (1, 2, 3):
            talk.say(f"This is #{number}.")
        talk.wait(3 if talk.platform.name == "wecom-aibot" else 1)
        time.sleep(1)
    finally:
        talk.town.model.delay = 0.0
    answers = [text for text in talk.texts() if text.startswith("I heard")]
    assert answers == ["I heard 3 numbers."]
    assert len(talk.texts()) == (3 if talk.platform.name == "wecom-aibot" else 1)


@pytest.mark.parametrize("talk", BUSY, indirect=True)
def test_a_platform_in_trouble_is_tried_again_until_it_takes_the_reply(talk: Talk) -> None:
    endpoint, fault = talk.platform.presets[BUSY[_name(talk)]]
    for _ in range(2):
        talk.platform.faults.add(endpoint, fault)
    talk.say("Where is my order #1?")
    talk.wait(1)
    assert talk.texts() == ["I heard 1 numbers."]
    assert talk.questions() == 1


def _name(talk: Talk) -> str:
    return next(name for name, platform in talk.town.platforms.items() if platform is talk.platform)


def test_a_lost_answer_is_not_sent_twice_where_the_platform_can_tell(open_town: Town) -> None:
    """By a status, by the same request within the interval, or by a key."""
    talks = [Talk(open_town, name) for name in ("wa", "corp", "kf", "feishu")]
    for talk in talks:
        talk.platform.faults.add("send", Fault(cut_after_accept=True))
        talk.say("Where is my order #1?")
        talk.wait(1)
    time.sleep(24)  # beyond the hold
    assert [talk.texts() for talk in talks] == [["I heard 1 numbers."]] * 4


def test_after_the_ttl_the_conversation_starts_afresh(town: Town) -> None:
    town.ttl, town.names = 2, ("wa",)
    town.model.reply = counted
    town.start()
    town.whatsapp.say("My order is #4471.")
    town.whatsapp.wait_for_replies(1, SOON)
    time.sleep(2.5)
    town.whatsapp.say("And another one is #4472.")
    replies = town.whatsapp.wait_for_replies(2, SOON)
    assert replies[1].text == "I heard 1 numbers."


def test_with_every_replica_down_the_customer_is_told_and_the_question_waits(town: Town) -> None:
    town.names = ("wa", "aibot")
    town.model.stop()
    town.start()
    for platform in (town.whatsapp, town.aibot):
        platform.say("Could you check the warranty of serial number X77-1?")
    for platform in (town.whatsapp, town.aibot):
        (reply,) = platform.wait_for_replies(1, timedelta(seconds=30))
        assert "colleague" in reply.text
    listed = town.frontdesk("deadletter", "list")
    assert listed.returncode == 0
    assert listed.stdout.count("model_failed") == 2
    assert "warranty" not in listed.stdout


def test_sigterm_ends_everything_in_time_with_exit_code_0(town: Town) -> None:
    town.model.delay = 3
    town.start()
    for platform in town.platforms.values():
        assert platform.say("Where is my order #1?").status == 200
    time.sleep(1)
    before = town.processes
    assert town.stop() == 0
    assert not [each for each in before if each.is_running() and each.status() != "zombie"]
    polled = {"aibot"}  # nobody is there any more to be asked
    assert [len(town.platforms[name].replies()) for name in NAMES if name not in polled] == [1] * 6


def test_nothing_of_a_customer_and_no_secret_is_logged(open_town: Town) -> None:
    for name in NAMES:
        talk = Talk(open_town, name)
        talk.say("canary-words-4471 #1")
        talk.wait(1)
    log = open_town.log()
    secrets = (
        open_town.whatsapp.access_token, open_town.whatsapp.app_secret, open_town.wecom.secret,
        open_town.wecom.token, open_town.dingtalk.client_secret, open_town.aibot.encoding_aes_key,
        open_town.kf.secret, open_town.kf.token, open_town.feishu.app_secret,
        open_town.telegram.bot_token, "canary-words-4471", "I heard", "session=", "response_code=",
    )  # fmt: skip
    assert [secret for secret in secrets if secret in log] == []
