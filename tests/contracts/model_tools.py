"""What every model does with tools, whoever speaks: calls with their arguments, and answers to the results."""

import json
from abc import abstractmethod
from typing import Any

import pytest

from inference.values import ChatMessage, ToolSpec
from tests.contracts.model import AnyStage, said
from tests.vllm.dialogues import RESULTS, TOLD, TOOL

_FUNCTION: Any = TOOL["function"]
ORDER_STATUS = ToolSpec(
    name=_FUNCTION["name"], description=_FUNCTION["description"], parameters=_FUNCTION["parameters"]
)


class ToolStage(AnyStage):
    """*several*: whether one answer can hold more than one call."""

    several: bool = True

    @abstractmethod
    def call(self, *orders: str) -> None:
        """The next answer to the cue calls the tool for each of *orders*."""

    @abstractmethod
    def tell(self, order: str) -> None:
        """The next answer to the tool's result for *order* is `TOLD`."""


class ToolContract:
    """Subclasses give the fixture `stage`."""

    def test_a_call_names_its_tool_and_its_arguments(self, stage: ToolStage) -> None:
        stage.call("A1024")
        completion = stage.ask(tools=[ORDER_STATUS])
        (call,) = completion.tool_calls
        assert (call.name, json.loads(call.arguments)) == ("order_status", {"order_id": "A1024"})
        assert call.id
        assert (completion.text, completion.finish) == ("", "tool_calls")

    def test_an_answer_may_hold_several_calls_each_with_its_own_id(self, stage: ToolStage) -> None:
        if not stage.several:
            pytest.skip("this model calls one tool at a time")
        stage.call("A1024", "B77")
        first, second = stage.ask(tools=[ORDER_STATUS]).tool_calls
        assert [json.loads(it.arguments)["order_id"] for it in (first, second)] == ["A1024", "B77"]
        assert first.id != second.id

    @pytest.mark.parametrize("order", ["A1024", "B77"])
    def test_the_tools_result_goes_back_and_is_answered(self, stage: ToolStage, order: str) -> None:
        stage.call(order)
        asked = stage.ask(tools=[ORDER_STATUS])
        (call,) = asked.tool_calls
        stage.tell(order)
        completion = stage.ask(
            said(stage.cue),
            ChatMessage(role="assistant", content="", tool_calls=asked.tool_calls, reasoning=asked.reasoning),
            ChatMessage(role="tool", content=RESULTS[order], tool_call_id=call.id),
            tools=[ORDER_STATUS],
        )
        assert (completion.text, completion.tool_calls) == (TOLD[order], ())

    def test_a_tool_that_is_not_needed_is_not_called(self, stage: ToolStage) -> None:
        stage.say("Your parcel leaves today.")
        completion = stage.ask(tools=[ORDER_STATUS])
        assert (completion.text, completion.tool_calls) == ("Your parcel leaves today.", ())

    def test_nothing_is_shown_of_an_answer_that_calls_a_tool(self, stage: ToolStage) -> None:
        stage.call("A1024")
        shown, completion = stage.watch(tools=[ORDER_STATUS])
        assert completion.tool_calls
        assert shown == []
