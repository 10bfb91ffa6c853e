"""DingTalk's cards and stream through real processes and kills."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.sandbox.dingtalk import DingTalkPlatform
from bot.sandbox.model import ScriptedModelServer
from bot.sandbox.wecom import WeComPlatform
from bot.sandbox.whatsapp import WhatsAppPlatform
from tests.acceptance.conftest import Town, free_port

pytestmark = pytest.mark.acceptance
ANSWER = "Your parcel left the house this morning and will be with you tomorrow before noon, as it was promised."


@dataclass
class CardTown(Town):
    """A town whose robot shows its answers in cards. The channel's table is the configuration's last."""

    mode: str = "http"

    def configure(self) -> Path:
        config = super().configure()
        with config.open("a") as written:
            written.write(f'card_template_id = "answers.schema"\ncard_key = "content"\nmode = "{self.mode}"\n')
        return config


@pytest.fixture
def town(tmp_path: Path) -> Iterator[CardTown]:
    with (
        ScriptedModelServer(reply=ANSWER) as model,
        WhatsAppPlatform() as whatsapp,
        WeComPlatform() as wecom,
        DingTalkPlatform() as dingtalk,
    ):
        built = CardTown(tmp_path, model, whatsapp, wecom, dingtalk, free_port())
        try:
            yield built
        finally:
            if built.process is not None and built.process.poll() is None:
                built.kill()


def until(holds: Callable[[], object], limit: float = 40) -> None:
    end = time.monotonic() + limit
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def texts(town: CardTown) -> list[str]:
    return [card.variables.get("content", "") for card in town.dingtalk.cards.cards.values()]


@pytest.mark.parametrize("kind", ["web", "worker"])
def test_a_kill_half_way_leaves_one_whole_answer(town: CardTown, kind: str) -> None:
    town.model.token_delay = 0.3
    town.start()
    assert town.dingtalk.say("Where is my parcel?").status == 200
    until(lambda: texts(town) and texts(town)[0])
    assert texts(town)[0] != ANSWER
    town.kill(kind)
    town.model.token_delay = 0.0
    until(lambda: town.dingtalk.replies())
    time.sleep(2)
    assert [reply.text for reply in town.dingtalk.replies()] == [ANSWER]
    assert [card.state for card in town.dingtalk.cards.cards.values()] == ["finished"]
    assert town.dingtalk.breaches == []


def test_a_stream_is_connected_again_after_its_process_was_killed(town: CardTown) -> None:
    town.mode = "stream"
    town.dingtalk.streams = True
    town.start()
    until(lambda: town.dingtalk.gateway.connections)
    assert town.dingtalk.say("Where is my parcel?", user="one").status == 200
    until(lambda: len(town.dingtalk.replies()) == 1)
    (connector,) = [each for each in town.processes if each.cmdline()[-1:] == ["connect"]]
    connector.kill()
    until(lambda: not town.dingtalk.gateway.connections)
    until(lambda: town.dingtalk.gateway.connections)
    assert town.dingtalk.say("And mine?", user="two").status == 200
    until(lambda: len(town.dingtalk.replies()) == 2)
    assert town.dingtalk.breaches == []
