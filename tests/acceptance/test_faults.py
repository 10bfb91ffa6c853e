"""Kills at the worst moment, with real signals: everything that was accepted is answered, nothing twice."""

import time
from collections import Counter
from datetime import timedelta

import pytest

from bot.sandbox.simulator.faults import Fault
from tests.acceptance.conftest import Platform, Town

pytestmark = pytest.mark.acceptance
COUNT = 20


def ask(platform: Platform, count: int, *, first: int = 0) -> list[str]:
    """*count* customers ask one question each; those whose message was acknowledged."""
    names = [f"447700900{number:03d}" for number in range(first, first + count)]
    return [name for name in names if platform.say(f"Question of {name}", user=name).status == 200]


def settled(platform: Platform, users: list[str], *, limit: float = 60) -> Counter[str]:
    """How often each user was answered, once all were, and a little later."""
    platform.wait_for_replies(len(users), timedelta(seconds=limit))
    time.sleep(3)
    return Counter(reply.to for reply in platform.replies())


@pytest.mark.parametrize("name", ["wa", "corp", "ding"])
def test_everything_killed_after_the_ack_is_answered_once_after_the_restart(town: Town, name: str) -> None:
    town.model.delay = 3.0  # the kill comes while the model thinks
    town.start()
    platform = town.platforms[name]
    accepted = ask(platform, COUNT)
    assert len(accepted) == COUNT
    town.kill()
    town.model.delay = 0.0
    town.start()
    answered = settled(platform, accepted)
    assert len(answered) == COUNT
    assert set(answered.values()) == {1}


@pytest.mark.parametrize("kind", ["worker", "web", "redis"])
def test_one_kind_of_process_killed_loses_and_doubles_nothing(town: Town, kind: str) -> None:
    town.model.delay = 3.0  # the kill comes while the model thinks
    town.start()
    accepted = ask(town.whatsapp, COUNT)
    town.kill(kind)
    town.wait_until_ready()
    accepted += ask(town.whatsapp, 5, first=COUNT)
    answered = settled(town.whatsapp, accepted)
    assert len(answered) == len(accepted)
    assert set(answered.values()) == {1}


def test_redis_killed_while_a_reply_is_on_the_wire_does_not_double_it(town: Town) -> None:
    town.start()
    town.dingtalk.faults.add("session", Fault(delay=timedelta(seconds=0.15)))  # while Redis restarts
    town.dingtalk.say("Where is my order?")
    town.dingtalk.wait_for_replies(1, timedelta(seconds=10))
    town.kill("redis")
    time.sleep(26)  # beyond the lease, and the resend that would follow
    assert len(town.dingtalk.replies()) == 1
    assert "unknown" not in town.frontdesk("deadletter", "list").stdout


def test_messages_offered_while_redis_is_gone_are_refused_quickly_and_not_half_taken(town: Town) -> None:
    town.start()
    (redis,) = town.find("redis")
    redis.suspend()
    begun = time.monotonic()
    refused = town.wecom.say("anybody?", user="early")
    took = time.monotonic() - begun
    redis.resume()
    assert refused.status == 503
    assert took < 0.6  # 300 ms are promised; the machine that runs this may be busy
    town.wait_until_ready()
    assert town.wecom.say("anybody?", user="late").status == 200
    town.wecom.wait_for_replies(1, timedelta(seconds=10))
