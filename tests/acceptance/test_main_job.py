"""The main job, as a customer and an operator meet it: one webhook in, one right answer out."""

import time
from datetime import timedelta
from typing import Any

import pytest

from bot.sandbox.simulator.faults import Fault
from tests.acceptance.conftest import Town

pytestmark = pytest.mark.acceptance
NAMES = ("wa", "corp", "ding")


def users_words(body: dict[str, Any]) -> str:
    return "\n".join(str(message["content"]) for message in body["messages"] if message["role"] == "user")


@pytest.fixture
def open_town(town: Town) -> Town:
    town.model.reply = lambda body: f"I heard {users_words(body).count('#')} numbers."
    town.start()
    return town


@pytest.mark.parametrize("name", NAMES)
def test_a_signed_webhook_of_each_platform_gets_exactly_one_correct_reply(open_town: Town, name: str) -> None:
    platform = open_town.platforms[name]
    delivery = platform.say("Where is my order #4471?")
    assert delivery.status == 200
    (reply,) = platform.wait_for_replies(1, timedelta(seconds=10))
    assert reply.text == "I heard 1 numbers."
    time.sleep(0.5)
    assert len(platform.replies()) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_second_message_is_answered_with_the_first_in_the_context(open_town: Town, name: str) -> None:
    platform = open_town.platforms[name]
    platform.say("My order is #4471.")
    platform.wait_for_replies(1, timedelta(seconds=10))
    platform.say("And another one is #4472.")
    replies = platform.wait_for_replies(2, timedelta(seconds=10))
    assert replies[1].text == "I heard 2 numbers."


@pytest.mark.parametrize("name", NAMES)
def test_a_redelivery_is_not_answered(open_town: Town, name: str) -> None:
    platform = open_town.platforms[name]
    delivery = platform.say("Where is my order?")
    platform.wait_for_replies(1, timedelta(seconds=10))
    for _ in range(3):
        assert platform.redeliver(delivery.message_id).status == 200
    time.sleep(1)
    assert len(platform.replies()) == 1
    assert len(open_town.model.requests) == 1


@pytest.mark.parametrize("name", NAMES)
def test_three_quick_messages_get_one_reply_that_saw_all_three(open_town: Town, name: str) -> None:
    open_town.model.delay = 0.5
    platform = open_town.platforms[name]
    for number in (1, 2, 3):
        assert platform.say(f"This is #{number}.").status == 200
    (reply,) = platform.wait_for_replies(1, timedelta(seconds=10))
    assert reply.text == "I heard 3 numbers."
    time.sleep(1)
    assert len(platform.replies()) == 1


def test_after_the_ttl_the_conversation_starts_afresh(town: Town) -> None:
    town.ttl = 2
    town.model.reply = lambda body: f"I heard {users_words(body).count('#')} numbers."
    town.start()
    town.whatsapp.say("My order is #4471.")
    town.whatsapp.wait_for_replies(1, timedelta(seconds=10))
    time.sleep(2.5)
    town.whatsapp.say("And another one is #4472.")
    replies = town.whatsapp.wait_for_replies(2, timedelta(seconds=10))
    assert replies[1].text == "I heard 1 numbers."


def test_a_lost_answer_of_whatsapp_is_not_sent_twice(open_town: Town) -> None:
    open_town.whatsapp.faults.add("send", Fault(cut_after_accept=True))
    open_town.whatsapp.say("Where is my order #1?")
    open_town.whatsapp.wait_for_replies(1, timedelta(seconds=10))
    time.sleep(24)  # beyond the hold
    assert len(open_town.whatsapp.replies()) == 1


def test_a_lost_answer_of_wecom_is_checked_away_by_the_platform(open_town: Town) -> None:
    open_town.wecom.faults.add("send", Fault(cut_after_accept=True))
    open_town.wecom.say("Where is my order #1?")
    open_town.wecom.wait_for_replies(1, timedelta(seconds=10))
    time.sleep(5)
    assert len([call for call in open_town.wecom.calls if call.path.endswith("/message/send")]) == 2
    assert len(open_town.wecom.replies()) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_platform_in_trouble_is_tried_again_until_it_takes_the_reply(open_town: Town, name: str) -> None:
    refusal: dict[str, Fault] = {
        "wa": Fault(status=429, json={"error": {"code": 130429, "message": "busy"}}, times=2),
        "corp": Fault(status=200, json={"errcode": -1, "errmsg": "system busy"}, times=2),
        "ding": Fault(status=403, json={"code": "Forbidden.AccessDenied.QpsLimitForApi"}, times=2),
    }
    platform = open_town.platforms[name]
    platform.faults.add("send", refusal[name])
    platform.say("Where is my order #1?")
    (reply,) = platform.wait_for_replies(1, timedelta(seconds=20))
    assert reply.text == "I heard 1 numbers."
    assert len(open_town.model.requests) == 1


def test_with_every_replica_down_the_customer_is_told_and_the_question_waits(town: Town) -> None:
    town.model.stop()
    town.start()
    town.whatsapp.say("Could you check the warranty of serial number X77-1?")
    (reply,) = town.whatsapp.wait_for_replies(1, timedelta(seconds=30))
    assert "colleague" in reply.text
    listed = town.frontdesk("deadletter", "list")
    assert listed.returncode == 0
    assert "model_failed" in listed.stdout
    assert "warranty" not in listed.stdout


def test_sigterm_ends_everything_in_time_with_exit_code_0(open_town: Town) -> None:
    open_town.model.delay = 3
    open_town.whatsapp.say("Where is my order #1?")
    time.sleep(0.5)
    before = open_town.processes
    assert open_town.stop() == 0
    assert not [each for each in before if each.is_running() and each.status() != "zombie"]
    assert len(open_town.whatsapp.replies()) == 1


def test_nothing_of_a_customer_and_no_secret_is_logged(open_town: Town) -> None:
    for name in NAMES:
        open_town.platforms[name].say("canary-words-4471 #1")
        open_town.platforms[name].wait_for_replies(1, timedelta(seconds=10))
    log = open_town.log()
    secrets = (
        open_town.whatsapp.access_token, open_town.whatsapp.app_secret, open_town.wecom.secret,
        open_town.wecom.token, open_town.dingtalk.client_secret, "canary-words-4471", "I heard", "session=",
    )  # fmt: skip
    assert [secret for secret in secrets if secret in log] == []
