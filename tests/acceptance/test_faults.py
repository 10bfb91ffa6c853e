"""Kills at the worst moment, with real signals: everything that was accepted is answered, nothing twice."""

import itertools
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from bot.sandbox.simulator.faults import Fault
from tests.acceptance.conftest import LATER, NAMES, SOON, Town, built, customer, until

pytestmark = pytest.mark.acceptance
EACH = 3
"""Customers of each channel."""
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def busy_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """All seven channels, for the tests of this file, each of which leaves it at work."""
    with built(tmp_path_factory.mktemp("town")) as town:
        town.start()
        yield town


def ask(town: Town) -> dict[str, list[str]]:
    """A question of each customer on each channel; those whose message was acknowledged."""
    accepted: dict[str, list[str]] = {name: [] for name in NAMES}
    for name, platform in town.platforms.items():
        for user in [customer(name, next(NUMBERS)) for _ in range(EACH)]:
            if platform.say(f"Question of {user}", user=user).status == 200:
                accepted[name].append(user)
    return accepted


def assert_all_answered_once(town: Town, accepted: dict[str, list[str]]) -> None:
    for name, users in accepted.items():
        for user in users:
            town.platforms[name].wait_for_replies(1, LATER, user=user)
    time.sleep(3)
    for name, users in accepted.items():
        told = Counter(reply.to for reply in town.platforms[name].replies())
        assert {user: told[user] for user in users} == dict.fromkeys(users, 1), name


def test_everything_killed_after_the_ack_is_answered_once_after_the_restart(busy_town: Town) -> None:
    busy_town.model.delay = 2.0  # the kill comes while the model thinks
    accepted = ask(busy_town)
    assert [len(users) for users in accepted.values()] == [EACH] * len(NAMES)
    busy_town.kill()
    busy_town.model.delay = 0.0
    busy_town.start()
    assert_all_answered_once(busy_town, accepted)


@pytest.mark.parametrize("kind", ["worker", "web", "redis"])
def test_one_kind_of_process_killed_loses_and_doubles_nothing(busy_town: Town, kind: str) -> None:
    busy_town.model.delay = 2.0  # the kill comes while the model thinks
    accepted = ask(busy_town)
    busy_town.kill(kind)
    busy_town.wait_until_ready()
    busy_town.model.delay = 0.0
    later = ask(busy_town)
    assert_all_answered_once(busy_town, {name: accepted[name] + later[name] for name in NAMES})


def test_redis_killed_while_a_reply_is_on_the_wire_does_not_double_it(busy_town: Town) -> None:
    user = customer("ding", next(NUMBERS))
    busy_town.dingtalk.faults.add("session", Fault(delay=timedelta(seconds=0.15)))  # while Redis restarts
    busy_town.dingtalk.say("Where is my order?", user=user)
    busy_town.dingtalk.wait_for_replies(1, SOON, user=user)
    busy_town.kill("redis")
    time.sleep(26)  # beyond the lease, and the resend that would follow
    assert len(busy_town.dingtalk.replies(user)) == 1
    assert "unknown" not in busy_town.frontdesk("deadletter", "list").stdout


def test_messages_offered_while_redis_is_gone_are_refused_quickly_and_not_half_taken(busy_town: Town) -> None:
    early, late = (customer("corp", next(NUMBERS)) for _ in range(2))
    (redis,) = busy_town.find("redis")
    redis.suspend()
    begun = time.monotonic()
    refused = busy_town.wecom.say("anybody?", user=early)
    took = time.monotonic() - begun
    redis.resume()
    assert refused.status == 503
    assert took < 0.6  # 300 ms are promised; the machine that runs this may be busy
    busy_town.wait_until_ready()
    until(lambda: busy_town.wecom.say("anybody?", user=late).status == 200)
    busy_town.wecom.wait_for_replies(1, SOON, user=late)
