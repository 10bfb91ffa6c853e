"""WeChat customer service through real processes: notices, pulls, a killed worker, a colleague who takes over."""

import time
from datetime import timedelta

import pytest

from tests.acceptance.conftest import SOON, Town, until

pytestmark = pytest.mark.acceptance
CUSTOMER = "wmZhangSan0001"


@pytest.fixture
def service(town: Town) -> Town:
    """A town with an account of customer service."""
    town.names, town.more = ("kf",), {"kf": {"welcome": "您好！"}}
    town.start()
    return town


def test_who_opens_the_chat_is_greeted_and_who_writes_is_answered(service: Town) -> None:
    service.kf.page_limit = 2
    service.kf.enter(CUSTOMER)
    service.kf.wait_for_replies(1, SOON)
    service.kf.blank_pages = 2
    for text in ("你好", "我想问一下", "我的订单在哪里？"):
        service.kf.say(text)
    service.kf.wait_for_replies(2, SOON)
    assert service.kf.replies()[0].text == "您好！"
    assert not service.kf.breaches


def test_a_worker_that_is_killed_loses_no_word_and_says_none_twice(service: Town) -> None:
    service.model.delay = 2.0
    service.kf.say("我的订单在哪里？")
    until(lambda: service.model.requests)
    service.kill("worker")
    service.kf.wait_for_replies(1, timedelta(seconds=45))
    time.sleep(2)
    assert len(service.kf.replies()) == 1


def test_while_a_colleague_has_the_customer_the_bot_is_silent(service: Town) -> None:
    service.kf.say("我的订单在哪里？")
    service.kf.wait_for_replies(1, SOON)
    service.kf.take_over()
    service.kf.say("谢谢")
    service.wait_for_log("turn_settled")
    time.sleep(2)
    assert len(service.kf.replies()) == 1
    service.kf.end_session()
    service.kf.say("还有一个问题，几点开门？")
    service.kf.wait_for_replies(2, SOON)
    assert not service.kf.breaches
