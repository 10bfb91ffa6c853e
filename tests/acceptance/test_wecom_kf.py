"""WeChat customer service through real processes: notices, pulls, a killed worker, a colleague who takes over."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from bot.sandbox.dingtalk import DingTalkPlatform
from bot.sandbox.model import ScriptedModelServer
from bot.sandbox.wecom import WeComKfPlatform, WeComPlatform
from bot.sandbox.whatsapp import WhatsAppPlatform
from tests.acceptance.conftest import Town, free_port

pytestmark = pytest.mark.acceptance

SOON = timedelta(seconds=20)
TABLE = """
[channels.kf]
platform = "wecom-kf"
corp_id = "{kf.corp_id}"
secret = "{kf.secret}"
token = "{kf.token}"
encoding_aes_key = "{kf.encoding_aes_key}"
open_kfid = "{kf.open_kfid}"
api_base = "{kf.url}"
welcome = "您好！"
"""
CUSTOMER = "wmZhangSan0001"


@dataclass
class KfTown(Town):
    """A town with an account of customer service."""

    kf: WeComKfPlatform = field(default_factory=WeComKfPlatform)

    def configure(self) -> Path:
        config = super().configure()
        with config.open("a", encoding="utf-8") as written:
            written.write(TABLE.format(kf=self.kf))
        self.kf.webhook_url = f"http://127.0.0.1:{self.port}/webhooks/kf"
        return config


@pytest.fixture
def service(tmp_path: Path) -> Iterator[KfTown]:
    with (
        ScriptedModelServer() as model,
        WhatsAppPlatform() as whatsapp,
        WeComPlatform() as wecom,
        DingTalkPlatform() as dingtalk,
        WeComKfPlatform() as kf,
    ):
        built = KfTown(tmp_path, model, whatsapp, wecom, dingtalk, free_port(), kf=kf)
        built.start()
        try:
            yield built
        finally:
            if built.process is not None and built.process.poll() is None:
                built.kill()


def test_who_opens_the_chat_is_greeted_and_who_writes_is_answered(service: KfTown) -> None:
    service.kf.page_limit = 2
    service.kf.enter(CUSTOMER)
    service.kf.wait_for_replies(1, SOON)
    service.kf.blank_pages = 2
    for text in ("你好", "我想问一下", "我的订单在哪里？"):
        service.kf.say(text)
    service.kf.wait_for_replies(2, SOON)
    assert service.kf.replies()[0].text == "您好！"
    assert not service.kf.breaches


def test_a_worker_that_is_killed_loses_no_word_and_says_none_twice(service: KfTown) -> None:
    service.model.delay = 2.0
    service.kf.say("我的订单在哪里？")
    ends = time.monotonic() + 15
    while not service.model.requests:
        assert time.monotonic() < ends
        time.sleep(0.02)
    service.kill("worker")
    service.kf.wait_for_replies(1, timedelta(seconds=45))
    time.sleep(2)
    assert len(service.kf.replies()) == 1


def test_while_a_colleague_has_the_customer_the_bot_is_silent(service: KfTown) -> None:
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
