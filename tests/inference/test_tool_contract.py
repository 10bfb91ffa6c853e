"""The twin, and the client before a scripted server, use tools as every model does."""

import pytest

from bot.sandbox.model import ScriptedModelServer
from bot.sandbox.model_faults import events
from inference.scripted import calling
from tests.contracts.model_tools import ToolContract, ToolStage
from tests.inference.conftest import Connect
from tests.inference.test_scripted import TwinStage
from tests.inference.test_vllm import ServerStage
from tests.vllm.dialogues import TOLD, arguments


class TwinToolStage(TwinStage, ToolStage):
    def call(self, *orders: str) -> None:
        self.model.script(calling(*(("order_status", arguments(order)) for order in orders)))

    def tell(self, order: str) -> None:
        self.say(TOLD[order])


class ServerToolStage(ServerStage, ToolStage):
    def call(self, *orders: str) -> None:
        calls = [
            {
                "id": f"chatcmpl-tool-{at}",
                "type": "function",
                "index": at,
                "function": {"name": "order_status", "arguments": arguments(order)},
            }
            for at, order in enumerate(orders)
        ]
        deltas = [{"tool_calls": [call]} for call in calls]
        self.server.script(events(*deltas, {"finish_reason": "tool_calls"}, "[DONE]"))

    def tell(self, order: str) -> None:
        self.say(TOLD[order])


class TestScriptedModel(ToolContract):
    @pytest.fixture
    def stage(self) -> ToolStage:
        return TwinToolStage()


class TestVllmModel(ToolContract):
    @pytest.fixture
    def stage(self, server: ScriptedModelServer, connect: Connect) -> ToolStage:
        return ServerToolStage(server, connect(server.url))
