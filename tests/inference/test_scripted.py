"""The twin passes the contract."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from inference.errors import ModelError
from inference.scripted import ScriptedModel
from inference.values import ChatMessage
from tests.contracts.model import ModelContract, Stage


class TwinStage(Stage):
    def __init__(self) -> None:
        self.model: ScriptedModel = ScriptedModel()

    def say(self, text: str) -> None:
        self.model.reply = text

    def echo(self) -> None:
        def newest(messages: Sequence[ChatMessage]) -> str:
            return messages[-1].content

        self.model.reply = newest

    def dwell(self, delay: timedelta) -> None:
        self.model.delay = delay

    def dawdle(self, pause: timedelta) -> None:
        self.model.pace = pause

    def fail(self, error: type[ModelError]) -> None:
        self.model.script(error("as scripted"))

    def heard(self) -> list[list[tuple[str, str]]]:
        return [[(message.role, message.content) for message in asked.messages] for asked in self.model.asked]


class TestScriptedModel(ModelContract):
    @pytest.fixture
    def stage(self) -> Stage:
        return TwinStage()


def test_scripted_lines_come_once_each_and_then_the_reply() -> None:
    stage = TwinStage()
    stage.model.script("first", "second")
    assert [stage.ask().text for _ in range(3)] == ["first", "second", "Understood."]


def test_it_is_down_when_told_so() -> None:
    assert not ScriptedModel(up=False).available()
