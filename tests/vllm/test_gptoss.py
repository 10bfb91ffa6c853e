"""The client before a real vLLM with a model of gpt-oss's shape: the contract over Harmony, and its own quirks."""

import json

import pytest

from inference.errors import ModelFailed, ModelRefused
from tests.contracts.model import AnswersContract, said
from tests.contracts.model_tools import ORDER_STATUS, ToolContract
from tests.vllm.dialogues import ANSWERS, FURTHER_THOUGHT, OBJECT, OBJECT_SCHEMA, SYSTEM, THOUGHT
from tests.vllm.recording import CASES, asked, recorded, whole
from tests.vllm.server import VllmServer
from tests.vllm.server_contract import ServerContract
from tests.vllm.stage import LiveStage

BEFORE_THE_ANSWER = 14
"""Tokens: the frame and thought of low effort, and the frame of the answer."""


@pytest.fixture
def stage(gptoss: VllmServer) -> LiveStage:
    return LiveStage(gptoss, preamble=BEFORE_THE_ANSWER, several=False)


class TestAnswers(AnswersContract):
    """As every model does it."""


class TestTools(ToolContract):
    """As every model does it."""


@pytest.mark.parametrize("case", CASES)
def test_the_recordings_are_what_the_server_sends(gptoss: VllmServer, case: str) -> None:
    assert whole(asked(gptoss, case)) == whole(recorded()[case])


@pytest.mark.parametrize(("effort", "thought"), [("low", THOUGHT), ("high", THOUGHT + FURTHER_THOUGHT)])
def test_a_thought_is_made_and_not_shown(gptoss: VllmServer, stage: LiveStage, effort: str, thought: str) -> None:
    with gptoss.post("Hello", reasoning_effort=effort) as response:
        assert response.json()["choices"][0]["message"]["reasoning"] == thought
    stage.speak(reasoning_effort=effort)
    assert stage.ask().text == ANSWERS["Hello"]


def test_an_assistants_own_instructions_are_taken(stage: LiveStage) -> None:
    assert stage.ask(said(SYSTEM, "system"), said("Hello")).text == ANSWERS["Hello"]


def test_a_plain_answer_is_the_streamed_one(stage: LiveStage) -> None:
    streamed = stage.ask()
    stage.speak(extra={"stream": False, "stream_options": None})
    assert stage.ask() == streamed


def test_the_thought_that_led_to_a_call_is_kept_to_go_back_with_it(stage: LiveStage) -> None:
    stage.call("A1024")
    completion = stage.ask(tools=[ORDER_STATUS])
    assert (completion.reasoning, completion.text) == (THOUGHT, "")


@pytest.mark.parametrize("tokens", range(1, BEFORE_THE_ANSWER + 6))
def test_an_answer_cut_anywhere_shows_neither_markup_nor_thought(stage: LiveStage, tokens: int) -> None:
    """Cut inside a header, Harmony's own markup comes back as content."""
    stage.speak(extra={"max_tokens": tokens})
    try:
        text = stage.ask().text
    except ModelFailed:
        text = ""
    assert ANSWERS["Hello"].startswith(text)


def test_a_thought_that_ate_the_budget_gets_a_larger_one(stage: LiveStage) -> None:
    assert stage.ask(max_tokens=BEFORE_THE_ANSWER).text == ANSWERS["Hello"]


@pytest.mark.parametrize("tokens", [4, 7, 8, 9])
def test_a_call_that_ran_out_of_tokens_is_no_call(stage: LiveStage, tokens: int) -> None:
    stage.call("A1024")
    with pytest.raises(ModelFailed):
        stage.ask(tools=[ORDER_STATUS], max_tokens=tokens)


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "order_status"}}])
def test_a_call_that_is_demanded_is_made(stage: LiveStage, choice: object) -> None:
    stage.speak(extra={"tool_choice": choice})
    (call,) = stage.ask(said("Where is order A1024?"), tools=[ORDER_STATUS]).tool_calls
    assert (call.name, json.loads(call.arguments)) == ("order_status", {"order_id": "A1024"})


def test_json_keeps_to_its_schema(stage: LiveStage) -> None:
    schema = {"name": "intent", "strict": True, "schema": OBJECT_SCHEMA}
    stage.speak(extra={"response_format": {"type": "json_schema", "json_schema": schema}})
    assert json.loads(stage.ask(said(OBJECT)).text) == {"intent": "order", "open": True}


@pytest.mark.parametrize("effort", ["none", "minimal", "xhigh"])
def test_an_effort_that_harmony_does_not_know_is_refused(stage: LiveStage, effort: str) -> None:
    stage.speak(reasoning_effort=effort)
    with pytest.raises(ModelRefused):
        stage.ask()


class TestServer(ServerContract):
    """As every vLLM does it; the last test ends the server."""

    @pytest.fixture
    def server(self, gptoss: VllmServer) -> VllmServer:
        return gptoss
