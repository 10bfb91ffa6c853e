"""Tools through the real client: the loop against a server that speaks as gpt-oss was recorded to."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bot.sandbox.model import ScriptedModelServer
from bot.sandbox.model_exchange import Behaviour
from bot.sandbox.model_faults import events
from bot.sandbox.shop import Shop
from inference.assistant import Assistant, AssistantSettings
from inference.faq import NoKnowledge
from inference.tools.loop import Toolbox
from inference.values import Answer, Source
from tests.inference.conftest import Connect
from tests.inference.tool_kit import cancel_order, open_shop, order_status, question

ROLE = {"role": "assistant", "content": ""}


def calls(*numbers: str, name: str = "order_status", finish: str = "tool_calls") -> Behaviour:
    """One call for each order, its arguments in pieces, as they come in a stream (vLLM sheet §2)."""
    pieces: list[dict[str, Any]] = [{"reasoning": "用户"}, {"reasoning": "要查订单。"}]
    for index, number in enumerate(numbers):
        text = json.dumps({"order_number": number})
        first = {"id": f"chatcmpl-tool-{index}", "type": "function", "index": index}
        pieces.append({"tool_calls": [{**first, "function": {"name": name, "arguments": ""}}]})
        pieces += [
            {"tool_calls": [{"index": index, "function": {"arguments": text[start : start + 5]}}]}
            for start in range(0, len(text), 5)
        ]
    return events(ROLE, *pieces, {"finish_reason": finish}, "[DONE]")


class Counter:
    """A customer's question, the real client, and the shop's real service."""

    def __init__(self, server: ScriptedModelServer, connect: Connect, url: str) -> None:
        self.server = server
        box = Toolbox([order_status(url), cancel_order(url)], rounds=2)
        self.assistant = Assistant(connect(server.url), NoKnowledge(), AssistantSettings(), box)

    def ask(self, *behaviours: Behaviour | str, **fields: Any) -> Answer:
        self.server.script(*behaviours)
        return self.assistant.answer(question(**fields))

    @property
    def told(self) -> list[str]:
        return [message["content"] for message in self.server.requests[-1]["messages"] if message["role"] == "tool"]


@pytest.fixture
def shop() -> Iterator[tuple[Shop, str]]:
    with open_shop() as opened:
        yield opened


@pytest.fixture
def counter(server: ScriptedModelServer, connect: Connect, shop: tuple[Shop, str]) -> Counter:
    server.reply = "It is on its way."
    return Counter(server, connect, shop[1])


def test_a_call_is_made_and_goes_back_with_its_reasoning_and_its_result(counter: Counter) -> None:
    assert counter.ask(calls("1001")).text == "It is on its way."
    first, second = counter.server.requests
    assert [tool["function"]["name"] for tool in first["tools"]] == ["order_status", "cancel_order"]
    assert first["tools"] == second["tools"]
    asked, result = second["messages"][-2:]
    assert asked["reasoning"] == "用户要查订单。"
    assert json.loads(asked["tool_calls"][0]["function"]["arguments"]) == {"order_number": "1001"}
    assert result["tool_call_id"] == asked["tool_calls"][0]["id"]
    assert json.loads(result["content"])["number"] == "1001"
    assert all("reasoning" not in message for message in second["messages"][:-2])


def test_parallel_calls_of_a_stream_are_answered_in_order(counter: Counter) -> None:
    counter.ask(calls("1002", "1001", "9"))
    numbers = [json.loads(told)["number"] for told in counter.told[:2]]
    assert numbers == ["1002", "1001"]
    assert counter.told[2].startswith("Failed: there is nothing of that kind for this customer")


def test_a_named_choice_that_ends_with_stop_is_a_call_too(counter: Counter) -> None:
    counter.ask(calls("1001", finish="stop"))
    assert json.loads(counter.told[0])["number"] == "1001"


def test_the_last_request_leaves_the_tools_out(counter: Counter) -> None:
    assert counter.ask(calls("1001"), calls("1002")).text == "It is on its way."
    assert ["tools" in request for request in counter.server.requests] == [True, True, False]
    assert "tool_choice" not in counter.server.requests[-1]


def test_the_model_dies_after_a_tool_and_the_customer_is_told(counter: Counter) -> None:
    counter.server.usually = lambda exchange: exchange.error(500, "EngineCore encountered an issue.")
    answer = counter.ask(calls("1001"))
    assert answer.source is Source.HANDOVER
    assert "500" in answer.degraded


def test_a_busy_moment_between_the_rounds_repeats_no_call(counter: Counter, shop: tuple[Shop, str]) -> None:
    assert counter.ask(calls("1001"), "busy").text == "It is on its way."
    assert len(shop[0].requests) == 1


def test_an_action_waits_for_the_yes_and_is_done_once(counter: Counter, shop: tuple[Shop, str]) -> None:
    asked = counter.ask(calls("1001", name="cancel_order"))
    assert asked.source is Source.TOOL
    assert len(counter.server.requests) == 1
    counter.server.reply = "It is cancelled."
    answer = counter.assistant.answer(question("好的", turn="turn-2", pending=asked.pending))
    assert answer.text == "It is cancelled."
    assert counter.told == ["cancelled"]
    assert list(shop[0].acts.values()) == [1]
