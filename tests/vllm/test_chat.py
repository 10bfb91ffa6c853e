"""The client before a real vLLM with a Llama-shaped model: the contract, then what needs this server to be seen.
The last tests are the server's own, and the very last ends it."""

import json

import pytest

from inference.errors import ModelFailed
from tests.contracts.model import AnswersContract, said
from tests.contracts.model_tools import ORDER_STATUS, ToolContract
from tests.vllm.dialogues import ALOUD, ANSWERS, DESKS, OBJECT, OBJECT_SCHEMA, WHO
from tests.vllm.server import NAME, VllmServer
from tests.vllm.server_contract import ServerContract
from tests.vllm.stage import LiveStage


@pytest.fixture
def stage(chat: VllmServer) -> LiveStage:
    return LiveStage(chat)


class TestAnswers(AnswersContract):
    """As every model does it."""


class TestTools(ToolContract):
    """As every model does it."""


def test_a_plain_answer_is_the_streamed_one(stage: LiveStage) -> None:
    streamed = stage.ask()
    stage.speak(extra={"stream": False, "stream_options": None})
    assert stage.ask() == streamed


def test_a_thought_in_the_content_is_not_shown(chat: VllmServer, stage: LiveStage) -> None:
    with chat.post(ALOUD) as response:
        assert "<think>The customer" in response.json()["choices"][0]["message"]["content"]
    assert stage.ask(said(ALOUD)).text == "That is done."


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "order_status"}}])
def test_a_call_that_is_demanded_is_made(stage: LiveStage, choice: object) -> None:
    stage.speak(extra={"tool_choice": choice})
    (call,) = stage.ask(said("Where is order A1024?"), tools=[ORDER_STATUS]).tool_calls
    assert (call.name, json.loads(call.arguments)) == ("order_status", {"order_id": "A1024"})


def test_a_call_that_ran_out_of_tokens_is_no_call(stage: LiveStage) -> None:
    stage.call("A1024")
    with pytest.raises(ModelFailed):
        stage.ask(tools=[ORDER_STATUS], max_tokens=6)


def test_json_keeps_to_its_schema(stage: LiveStage) -> None:
    schema = {"name": "intent", "strict": True, "schema": OBJECT_SCHEMA}
    stage.speak(extra={"response_format": {"type": "json_schema", "json_schema": schema}})
    assert json.loads(stage.ask(said(OBJECT)).text) == {"intent": "order", "open": True}


@pytest.mark.parametrize("adapter", DESKS)
def test_each_adapter_answers_under_its_own_name(stage: LiveStage, adapter: str) -> None:
    stage.speak(model=adapter or NAME)
    assert stage.ask(said(WHO)).text == DESKS[adapter]


def test_a_priority_and_a_cache_salt_are_taken(stage: LiveStage) -> None:
    stage.speak(priority=-1, cache_salt="shop")
    assert stage.ask().text == ANSWERS["Hello"]


class TestServer(ServerContract):
    """As every vLLM does it."""

    @pytest.fixture
    def server(self, chat: VllmServer) -> VllmServer:
        return chat
